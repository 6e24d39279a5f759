"""The t-tuple estimate, SP 800-90B section 6.3.5."""

from typing import Final

import numpy as np

from stats_tests.entropy.results import Estimate, bounded
from stats_tests.entropy.symbols import Symbols
from stats_tests.entropy.tuple_counts import TupleCounts

__all__ = ["ENOUGH", "short_tuples", "t_tuple"]

_NAME: Final = "t_tuple"
# A tuple that comes so often has a frequency worth the name.
ENOUGH: Final = 35


def t_tuple(symbols: Symbols) -> Estimate:
    """Estimate from the commonest tuple of each length that has one which comes 35 times."""
    counts = symbols.tuple_counts
    longest = short_tuples(counts)
    if longest == 0:
        return Estimate(_NAME, None, reason=f"no symbol comes {ENOUGH} times")
    lengths = np.arange(1, longest + 1)
    shares = counts.most[1 : longest + 1] / (len(symbols) - lengths + 1)
    return bounded(_NAME, float((shares ** (1.0 / lengths)).max()), len(symbols), t=longest)


def short_tuples(counts: TupleCounts) -> int:
    """Return the greatest length of which a tuple comes 35 times; 0 when no symbol does."""
    # A tuple comes at most as often as its beginning, so the counts fall.
    return int(np.count_nonzero(counts.most[1:] >= ENOUGH))
