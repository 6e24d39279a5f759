"""The reference bet of a program: the listed bet whose figures stand for it, as one that can be settled."""

from rng_service.games.definition import GameProgram
from rng_service.games.models import Bet
from rng_service.games.prizes import PrizeDistribution

__all__ = ["reference_of", "reference_prizes"]


def reference_prizes(program: GameProgram) -> tuple[str, PrizeDistribution] | None:
    """Return label and distribution of the listed bet with the largest prize, the first by label among equals.

    None for a program that lists nothing.
    """
    listed = [(label, item.prizes()) for label, item in sorted(program.model.listed_bets(), key=lambda item: item[0])]
    return max(listed, key=lambda item: item[1].top[0]) if listed else None


def reference_of(program: GameProgram) -> Bet | None:
    """Return the reference bet resolved; None where there is none, or where it is a strategy and not a bet."""
    found = reference_prizes(program)
    if found is None:
        return None
    canonical = dict(program.model.listed_bets())[found[0]].canonical
    return program.model.resolve(canonical) if "bet" in canonical else None
