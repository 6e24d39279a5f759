"""What both excursion tests look at: visits of the random walk near nought, and the cycles between its returns."""

from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.bits import Batch
from stats_tests.nist.walk import Walk, walks

__all__ = ["MINIMUM_BITS", "REACH", "Excursions", "excursions", "too_few_cycles"]

MINIMUM_BITS: Final = 1_000_000
REACH: Final = 9
_FEWEST_CYCLES: Final = 500


@dataclass(frozen=True, slots=True)
class Excursions:
    """``cycles`` is J; ``positions`` the S_k with |S_k| ≤ 9, in order, ``cycle_of`` the cycle of each, from 0."""

    cycles: int
    positions: NDArray[np.int32]
    cycle_of: NDArray[np.int64]


def excursions(batch: Batch) -> list[Excursions]:
    """Return the excursions of each sequence."""
    if "excursions" not in batch.memo:
        batch.memo["excursions"] = [_of(walk) for walk in walks(batch)]
    found: list[Excursions] = batch.memo["excursions"]
    return found


def _of(walk: Walk) -> Excursions:
    positions = walk.near(REACH)
    positions = positions[np.abs(positions) <= REACH]
    returns = positions == 0
    cycle_of = np.cumsum(returns, dtype=np.int64) - returns
    # A walk that does not end at nought is closed by an added return (2.14.4, step 3).
    return Excursions(int(np.count_nonzero(returns)) + (walk.end != 0), positions, cycle_of)


def too_few_cycles(cycles: int, bits: int) -> str | None:
    """Say why the tests do not apply, if they do not: J < max(0.005 √n, 500) (2.14.7)."""
    needed = max(0.005 * sqrt(bits), _FEWEST_CYCLES)
    if cycles >= needed:
        return None
    return f"{cycles} cycles, and {needed:g} are needed; of random sequences of a million bits four in ten have fewer"
