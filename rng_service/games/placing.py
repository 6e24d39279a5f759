"""When a bet may be told: with its draw, before anybody knows the outcome, or at the settlement, in sight of it.

Most bets may be either; a paytable pays them all the same. Two kinds may not: a bet that names what the step before
showed belongs to its draw, and a bet that tells decisions made in sight of the outcome (which tiles were opened, which
cards were held) comes after it, on a stake that the draw fixed.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final, cast

from rng_service.games.models.base import Bet, DecidedBet, FollowingBet, RaisingBet
from rng_service.outcome.primitives import Outcome


class PlayError(Exception):
    """A draw or a settlement that the rules of placing bets, or those of rounds, do not allow.

    ``kind`` is the reason under which an auditor reports it: here ``bet-decided``, ``bet-unstaked`` and
    ``round-follows``, more of them in `rng_service.games.rounds`.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


@dataclass(frozen=True, slots=True)
class _Hooks:
    follows: bool
    decides: bool
    raises: bool


# Asked of the first bet of each class: asking each bet would show on the path of every draw.
_KNOWN: Final[dict[type[Bet], _Hooks]] = {}


def check_drawn_with(bet: Bet | None) -> None:
    """Check that a bet may be told with its draw; raises PlayError."""
    if bet is not None and _hooks(bet).decides:
        raise PlayError("bet-decided", "a bet that tells decisions is told at the settlement, not with the draw")


def check_settled_with(bet: Bet, *, staked: bool) -> None:
    """Check that a bet may be told by a settlement; ``staked`` says whether the draw had a stake. Raises PlayError."""
    hooks = _hooks(bet)
    if hooks.follows:
        raise PlayError("round-follows", "a bet that follows the last step of a round is told with its draw")
    if hooks.decides and not staked:
        raise PlayError("bet-unstaked", "decisions are made in sight of the outcome: the draw must have had the stake")


def is_plain(bet: Bet | None) -> bool:
    """Return whether a bet may be told at any time, in a round or not; nearly all may."""
    return bet is None or not (_hooks(bet).follows or _hooks(bet).decides)


def follows(bet: Bet | None) -> Outcome | None:
    """Return the outcome that the step before must have had, None for a bet that follows nothing."""
    if bet is None or not _hooks(bet).follows:
        return None
    return cast("FollowingBet", bet).follows


def stakes(bet: Bet | None) -> Fraction:
    """Return how many times the stake of its draw a settlement's bet plays for: 1, unless it was raised."""
    if bet is None or not _hooks(bet).raises:
        return Fraction(1)
    return cast("RaisingBet", bet).stakes


def _hooks(bet: Bet) -> _Hooks:
    kind = type(bet)
    known = _KNOWN.get(kind)
    if known is None:
        known = _KNOWN[kind] = _Hooks(
            isinstance(bet, FollowingBet), isinstance(bet, DecidedBet), isinstance(bet, RaisingBet)
        )
    return known
