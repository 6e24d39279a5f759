"""The bet by which pools are measured: one listed bet of a program, the same one for everybody."""

from rng_service.games.definition import GameProgram
from rng_service.games.models import Bet
from rng_service.games.prizes import PrizeDistribution

__all__ = ["reference_of", "reference_prizes"]


def reference_prizes(program: GameProgram) -> tuple[str, PrizeDistribution] | None:
    """Return label and distribution of the listed bet with the smallest variance, the first by label among equals.

    It says the most about the outcomes of a pool; a bet on a rare prize would say nothing for years. Strategies are
    no bets. None for a program that lists no bet.
    """
    listed = sorted(program.model.listed_bets(), key=lambda item: item[0])
    bets = [(label, item.prizes()) for label, item in listed if "bet" in item.canonical]
    return min(bets, key=lambda item: item[1].variance) if bets else None


def reference_of(program: GameProgram) -> Bet | None:
    """Return that bet ready to be settled; None for a program that lists no bet."""
    found = reference_prizes(program)
    return None if found is None else program.model.resolve(dict(program.model.listed_bets())[found[0]].canonical)
