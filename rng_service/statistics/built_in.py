"""The plans that a service schedules by name; any other test of a laboratory's is `sealdraw stats run`.

A plan that was ever built in is a published document: it may be followed by another one under the same name, and the
log says which one each run had.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Final

from rng_service.statistics.plans import PlannedLook, StatisticsPlan

__all__ = ["BIT_PLANS", "LEAST_OUTCOMES", "MOST_OUTCOMES", "outcome_plan"]

LEAST_OUTCOMES: Final = 1_000
MOST_OUTCOMES: Final = LEAST_OUTCOMES << 7

# `full`: 100 million bits, up to 800 when they are suspicious. `quick`: 4 million, for demonstrations.
BIT_PLANS: Final[Mapping[str, StatisticsPlan]] = {
    "full": StatisticsPlan("bits", bits=1_000_000),
    "quick": StatisticsPlan(
        "bits",
        bits=1_000_000,
        looks=(
            PlannedLook(4, Fraction(1, 20_000)),
            PlannedLook(8, Fraction(1, 40_000)),
            PlannedLook(16, Fraction(1, 40_000)),
        ),
    ),
}


def outcome_plan(outcomes: int) -> StatisticsPlan | None:
    """Return the plan for a range of digests with so many ``outcomes``: None when there are too few.

    It looks once, at the first 1,000 · 2^k of them, the most that there are: what was opened cannot be asked for more.
    """
    if outcomes < LEAST_OUTCOMES:
        return None
    tested = LEAST_OUTCOMES << (min(outcomes, MOST_OUTCOMES) // LEAST_OUTCOMES).bit_length() - 1
    return StatisticsPlan("gaming", outcomes=tested, looks=(PlannedLook(1, Fraction(1, 10_000)),))
