"""Settlement model "crash": one crash point for everybody; a bettor who cashed out before it is paid.

How the drawn value becomes the point, and what rounding does to the return, is in `reaching`. Whether a bettor
left in time is for the operator to say; the point is not, and neither is what leaving at ``at`` pays.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from rng_service.games.models.base import ModelKind
from rng_service.games.models.reaching import LOWEST, REACH_SCHEMA, ReachModel, read_reach
from rng_service.games.reading import Node
from rng_service.outcome import Step
from rng_service.outcome.primitives import Outcome


@dataclass(frozen=True, slots=True)
class CrashModel(ReachModel):
    """Bets ``{"bet": "cash-out", "at": "2.50"}``; one draw is settled for each bettor."""

    def crash_point(self, outcome: Outcome) -> int:
        """Return the point to show, in hundredths: 100 for an instant bust, at most the highest."""
        return max(100, self.reach.result(outcome[0]))

    def instant_bust(self) -> Fraction:
        """Return the chance of a point of 1.00, at which nobody can have left."""
        return 1 - Fraction(self.reach.wins(LOWEST), self.reach.faces)


def read_crash(settlement: Node, steps_node: Node, steps: Sequence[Step]) -> CrashModel:
    """Read ``{"model": "crash", "rtp": "99/100", "highest": 10000}``."""
    return CrashModel("cash-out", "at", read_reach(settlement, steps_node, steps))


MODEL = ModelKind("crash", read_crash, REACH_SCHEMA)
