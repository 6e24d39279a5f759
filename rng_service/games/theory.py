"""The exact theory of a game, in the shape of ``sealdraw game check --json``."""

from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

from rng_service.games.definition import GameDefinition, GameProgram
from rng_service.games.evaluation import resolve_bet
from rng_service.games.models import Bet
from rng_service.games.prizes import PrizeDistribution

# The two-sided 95 % quantile of the normal distribution, by which the volatility index is defined.
_NORMAL_95 = 1.959963984540054


def theory(definition: GameDefinition) -> dict[str, Any]:
    """Return RTP, hit frequency, standard deviation, volatility index and top prize, per program and bet.

    Probabilities and returns are exact, as strings like ``"36/37"``; the standard deviation (of the
    multiplier, for one unit staked) and the volatility index (its 1.96-fold) become floats at the very end.
    The figures at the top of a program are those of its ``reference_bet``: the listed bet with the largest
    prize, the first in order of label among equals. Raises GameError when the exact distribution is out of
    reach.
    """
    return {
        "game": definition.game,
        "version": definition.version,
        "digest": definition.digest.hex(),
        "programs": {name: _program(program) for name, program in sorted(definition.programs.items())},
    }


def bet_rtp(definition: GameDefinition, program_id: str, bet: Any) -> Fraction:
    """Return the exact return to player of one bet, without its distribution; errors as for `resolve_bet`."""
    return resolve_bet(definition, program_id, bet).rtp()


def _program(program: GameProgram) -> dict[str, Any]:
    listed = sorted(program.model.listed_bets(), key=lambda item: item[0])
    distributions = {label: bet.prizes() for label, bet in listed}
    reference = max(distributions, key=lambda label: distributions[label].top[0])
    bets = {label: _figures(bet, distributions[label]) for label, bet in listed}
    return {**bets[reference], "reference_bet": reference, "bets": bets}


def _figures(bet: Bet, prizes: PrizeDistribution) -> dict[str, Any]:
    returned = bet.rtp()
    if returned != prizes.mean:
        raise AssertionError(f"two ways to the return of {bet.canonical} differ: {returned}, {prizes.mean}")
    deviation = _square_root(prizes.variance)
    top, chance = prizes.top
    return {
        "bet": bet.canonical,
        "rtp": str(returned),
        "rtp_percent": percent(returned),
        "hit_frequency": str(prizes.hit_frequency),
        "standard_deviation": deviation,
        "volatility_index_95": _NORMAL_95 * deviation,
        "top_prize": {"multiplier": str(top), "odds": str(chance)},
    }


def percent(value: Fraction) -> str:
    """Return ``value`` in percent with four decimals, rounded half to even from the exact fraction."""
    units = round(value * 1_000_000)
    return f"{units // 10_000}.{units % 10_000:04d}"


def _square_root(value: Fraction) -> float:
    # A variance's numerator and denominator may each be beyond a float, so the root is taken in decimal.
    with localcontext() as context:
        context.prec = 40
        return float((Decimal(value.numerator) / Decimal(value.denominator)).sqrt())
