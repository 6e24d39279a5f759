"""The exact theory of a game, in the shape of ``sealdraw game check --json``."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

from rng_service.games.definition import GameDefinition, GameProgram
from rng_service.games.errors import GameError
from rng_service.games.evaluation import resolve_bet
from rng_service.games.features import Award, Joint, RoundMoments, awards_of, feature_moments, round_moments
from rng_service.games.models.base import AwardingPrice, Contributing, Priced
from rng_service.games.prizes import PrizeDistribution

# The two-sided 90 % and 95 % quantiles of the normal distribution, by which the volatility indexes are defined.
_NORMAL_90 = 1.6448536269514722
_NORMAL_95 = 1.959963984540054
# Decimal digits beyond which Python refuses to write an integer down (4,300), in bits.
_WRITABLE_BITS = 14_000


@dataclass(frozen=True, slots=True)
class BetTheory:
    """Everything that is known exactly about one bet, or one strategy, for one unit staked.

    ``prizes`` is the distribution of the draw itself; ``rtp``, ``variance`` and ``highest`` are those of the
    whole round, awarded draws included. ``highest`` is None where a round can win without a bound.
    ``contributions`` sum to ``rtp``.
    """

    canonical: dict[str, Any]
    rtp: Fraction
    variance: Fraction
    prizes: PrizeDistribution
    highest: Fraction | None
    contributions: Mapping[str, Fraction]
    awards: Mapping[str, Award]


def program_theory(definition: GameDefinition, program_id: str) -> dict[str, BetTheory]:
    """Return the theory of each listed bet of a program, by label in ascending order.

    Raises GameError when the exact distribution is out of reach, or a feature of the game has no end.
    """
    joints = {name: _feature_joint(program) for name, program in definition.programs.items() if program.feature}
    moments = feature_moments(joints)
    listed = sorted(definition.program(program_id).model.listed_bets(), key=lambda item: item[0])
    return {label: _bet_theory(priced, joints, moments) for label, priced in listed}


def reference_bet(bets: Mapping[str, BetTheory]) -> str:
    """Return the label of the bet whose figures stand for the program.

    The listed bet with the largest prize, the first in order of label among equals.
    """
    return max(bets, key=lambda label: bets[label].prizes.top[0])


def theory(definition: GameDefinition, *, distribution: bool = False) -> dict[str, Any]:
    """Return RTP, hit frequency, deviation, volatility, top prize, contributions, per program and bet.

    Probabilities and returns are exact, as strings like ``"36/37"``; the standard deviation (of the multiplier,
    for one unit staked) and the volatility indexes (its 1.645-fold at 90 %, its 1.96-fold at 95 %) become floats
    at the very end. The figures at the top of a program are those of its ``reference_bet``. With
    ``distribution`` each bet also has the probability of every multiplier. A program that takes no bets has only
    ``"bets": {}``. Raises as `program_theory`.
    """
    return {
        "game": definition.game,
        "version": definition.version,
        "digest": definition.digest.hex(),
        "programs": {name: _program(definition, name, distribution) for name in sorted(definition.programs)},
    }


def bet_rtp(definition: GameDefinition, program_id: str, bet: Any) -> Fraction:
    """Return the exact return to player of one draw of a bet, without its distribution.

    Errors as for `resolve_bet`, and GameError for a bet that carries decisions: only strategies have a return.
    """
    found = resolve_bet(definition, program_id, bet)
    if not isinstance(found, Priced):
        raise GameError(f"$.programs.{program_id}", "the return of this bet depends on decisions; see its strategies")
    return found.rtp()


def _program(definition: GameDefinition, program_id: str, distribution: bool) -> dict[str, Any]:
    found = program_theory(definition, program_id)
    if not found:
        return {"bets": {}}
    reference = reference_bet(found)
    bets = {label: _figures(bet, distribution) for label, bet in found.items()}
    feature = {"feature": True} if definition.program(program_id).feature else {}
    return {**bets[reference], **feature, "reference_bet": reference, "bets": bets}


def _feature_joint(program: GameProgram) -> Joint:
    """Return the joint chances of the only bet of a feature program."""
    listed = program.model.listed_bets()
    if len(listed) != 1:
        raise GameError(f"$.programs.{program.program_id}", f"a feature has one bet, this one lists {len(listed)}")
    return _joint(listed[0][1])


def _joint(priced: Priced) -> Joint:
    if isinstance(priced, AwardingPrice):
        return priced.joint()
    return {(pays, ()): chance for pays, chance in priced.prizes().probabilities.items()}


def _bet_theory(priced: Priced, joints: Mapping[str, Joint], moments: Mapping[str, RoundMoments]) -> BetTheory:
    prizes = priced.prizes()
    own = priced.rtp()
    _agree(priced, own, prizes.mean)
    parts = dict(priced.contributions()) if isinstance(priced, Contributing) else {}
    if parts:
        _agree(priced, own, sum(parts.values(), Fraction(0)))
    _require_writable(own, prizes.variance)
    if not isinstance(priced, AwardingPrice):
        return BetTheory(priced.canonical, own, prizes.variance, prizes, prizes.top[0], parts, {})
    joint = priced.joint()
    whole = round_moments(joint, moments)
    awards = awards_of(joint, joints)
    _require_writable(whole.mean, whole.variance, *(award.draws for award in awards.values()))
    parts = parts or {"draw": own}
    parts |= {f"feature {name}": award.returned for name, award in awards.items()}
    _agree(priced, whole.mean, sum(parts.values(), Fraction(0)))
    return BetTheory(priced.canonical, whole.mean, whole.variance, prizes, whole.highest, parts, awards)


def _require_writable(*values: Fraction) -> None:
    if any(max(value.numerator, value.denominator).bit_length() > _WRITABLE_BITS for value in values):
        raise GameError("$.programs", f"exact figures of more than {_WRITABLE_BITS} bits are out of reach")


def _agree(priced: Priced, one: Fraction, other: Fraction) -> None:
    if one != other:
        raise AssertionError(f"two ways to the return of {priced.canonical} differ: {one}, {other}")


def _figures(bet: BetTheory, distribution: bool) -> dict[str, Any]:
    deviation = square_root(bet.variance)
    top, chance = bet.prizes.top
    figures: dict[str, Any] = {
        "bet": bet.canonical,
        "rtp": str(bet.rtp),
        "rtp_percent": percent(bet.rtp),
        "hit_frequency": str(bet.prizes.hit_frequency),
        "standard_deviation": deviation,
        "volatility_index_90": _NORMAL_90 * deviation,
        "volatility_index_95": _NORMAL_95 * deviation,
        "top_prize": {"multiplier": str(top), "odds": str(chance)},
        "maximum_exposure": "unbounded" if bet.highest is None else str(bet.highest),
    }
    if bet.contributions:
        figures["contributions"] = {name: str(part) for name, part in bet.contributions.items()}
    if bet.awards:
        figures["awards"] = {
            name: {"frequency": str(award.frequency), "draws": str(award.draws)} for name, award in bet.awards.items()
        }
    if distribution:
        chances = sorted(bet.prizes.probabilities.items())
        figures["distribution"] = [{"multiplier": str(pays), "probability": str(chance)} for pays, chance in chances]
    return figures


def percent(value: Fraction) -> str:
    """Return ``value`` in percent with four decimals, rounded half to even from the exact fraction."""
    units = round(value * 1_000_000)
    return f"{units // 10_000}.{units % 10_000:04d}"


def square_root(value: Fraction) -> float:
    """Return the square root of an exact variance as a float.

    Its numerator and denominator may each be beyond a float, so the root is taken in decimal.
    """
    with localcontext() as context:
        context.prec = 40
        return float((Decimal(value.numerator) / Decimal(value.denominator)).sqrt())
