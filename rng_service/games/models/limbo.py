"""Settlement model "limbo": the player names a multiplier, and is paid it where the result reaches it.

How a drawn value becomes a result, and what rounding does to the return, is in `reaching`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rng_service.games.models.base import ModelKind
from rng_service.games.models.reaching import REACH_SCHEMA, ReachModel, read_reach
from rng_service.games.reading import Node
from rng_service.outcome import Step
from rng_service.outcome.primitives import Outcome


@dataclass(frozen=True, slots=True)
class LimboModel(ReachModel):
    """Bets ``{"bet": "target", "multiplier": "2.50"}``."""

    def result(self, outcome: Outcome) -> int:
        """Return the result to show, in hundredths, between 1.00 and the highest; below 1.00 nobody could win."""
        return max(100, self.reach.result(outcome[0]))


def read_limbo(settlement: Node, steps_node: Node, steps: Sequence[Step]) -> LimboModel:
    """Read ``{"model": "limbo", "rtp": "99/100", "highest": 1000000}``."""
    return LimboModel("target", "multiplier", read_reach(settlement, steps_node, steps))


MODEL = ModelKind("limbo", read_limbo, REACH_SCHEMA)
