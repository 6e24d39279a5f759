"""Where a discrete distribution function is compared with the empirical one."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.gaming.values import Values

__all__ = ["LEAST_VALUES", "deviations"]

# With fewer values the normal limit of the empirical distribution function is too coarse.
LEAST_VALUES: Final = 1_000


def deviations(sequence: Values, places: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return F at no more than ``places`` places, and √N (empirical F - F) there.

    The places are ends of values; neighbours, and 0 and 1, are at least 1 / (places + 1) of probability apart where
    the values are many, so that the limit process moves enough between them. There may be none.
    """
    step = 1.0 / (places + 1)
    cumulative = sequence.cumulative
    kept: list[int] = []
    last = 0.0
    if sequence.alphabet <= places + 1:
        candidates = list(range(sequence.alphabet - 1))
    else:
        targets = np.arange(1, places + 1) * step
        candidates = sorted(set(np.searchsorted(cumulative[:-1], targets).tolist()))
    for place in candidates:
        if (
            place < sequence.alphabet - 1
            and cumulative[place] - last >= 0.5 * step
            and cumulative[place] <= 1 - 0.5 * step
        ):
            kept.append(place)
            last = float(cumulative[place])
    chosen = np.array(kept, dtype=np.int64)
    empirical = np.cumsum(sequence.counts)[chosen] / len(sequence)
    return cumulative[chosen], np.sqrt(len(sequence)) * (empirical - cumulative[chosen])
