"""How often tuples of each length come, and how many pairs of equal ones there are, from common prefixes.

Suffixes in order that share at least W symbols with their neighbours are the places of one tuple of W symbols.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stats_tests.entropy.suffixes import common_prefixes

__all__ = ["TupleCounts", "count_tuples"]

# Lengths up to this one are counted one after the other; what still repeats then is repetition, not chance.
_SHORT: Final = 64


class TupleCounts(NamedTuple):
    """How often tuples of w symbols come, for w from 0 (not counted) to the length of the longest that comes twice.

    ``most[w]`` is how often the commonest one comes, ``pairs[w]`` how many pairs of equal ones there are.
    """

    most: NDArray[np.int64]
    pairs: NDArray[np.int64]

    @property
    def longest(self) -> int:
        """The length of the longest tuple that comes twice; places may overlap."""
        return len(self.most) - 1


def count_tuples(values: NDArray[np.uint8], alphabet: int) -> TupleCounts:
    """Count all tuples of ``values``, which are below ``alphabet``."""
    shared = common_prefixes(values, alphabet)
    longest = int(shared.max())
    most = np.ones(longest + 1, dtype=np.int64)
    pairs = np.zeros(longest + 1, dtype=np.int64)
    for length in range(1, min(longest, _SHORT) + 1):
        shared = _only(shared, length)
        # Between two that share less, a run of r that share enough is a tuple that comes r + 1 times.
        ends = np.flatnonzero(shared < length)
        runs = np.diff(ends, prepend=-1, append=len(shared)) - 1
        most[length] = runs.max() + 1
        pairs[length] = int((runs * (runs + 1) // 2).sum())
    if longest > _SHORT:
        _count_long(_only(shared, _SHORT + 1), most, pairs)
    return TupleCounts(most, pairs)


def _only(shared: NDArray[np.int32], length: int) -> NDArray[np.int32]:
    """Leave out what tells nothing about tuples of ``length`` or more: all but one of neighbours that share less."""
    less = shared < length
    again = np.zeros(len(less), dtype=np.bool_)
    again[1:] = less[1:] & less[:-1]
    return shared if not again.any() else shared[~again]


def _count_long(shared: NDArray[np.int32], most: NDArray[np.int64], pairs: NDArray[np.int64]) -> None:
    """Count the tuples longer than _SHORT: one pass with a stack of open groups, each part of the one below it.

    A group of r + 1 suffixes that share ``length`` symbols, in a group that shares ``below``, counts for every length
    from below + 1 to ``length``.
    """
    change = np.zeros(len(pairs) + 1, dtype=np.int64)
    lengths = [_SHORT]
    runs = [0]
    for length in [*shared.tolist(), 0]:
        run = 1
        while length < lengths[-1] and len(lengths) > 1:
            inner, inside = lengths.pop(), runs.pop()
            below = max(lengths[-1], length)
            most[inner] = max(most[inner], inside + 1)
            change[below + 1] += inside * (inside + 1) // 2
            change[inner + 1] -= inside * (inside + 1) // 2
            if length > lengths[-1]:
                run += inside
            else:
                runs[-1] += inside
        if length > lengths[-1]:
            lengths.append(length)
            runs.append(run)
        elif len(lengths) > 1:
            runs[-1] += run
    # A tuple that comes so often contains shorter ones that do.
    most[_SHORT + 1 :] = np.maximum.accumulate(most[:_SHORT:-1])[::-1]
    pairs[_SHORT + 1 :] = np.cumsum(change)[_SHORT + 1 : len(pairs)]
