"""Coupon collector's test: how many values until all have been seen."""

from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.gaming.cells import fit_result
from stats_tests.gaming.lists import PublishedList
from stats_tests.gaming.values import Values
from stats_tests.results import TestResult, not_applicable

__all__ = ["CouponCollector", "collection_lengths", "collection_probabilities", "planned_collections"]

_MAX_UNIFORM: Final = 64
_MAX_WEIGHTED: Final = 8
# So many deviations more than expected are kept for the collections that are looked at.
_RESERVE: Final = 5.0


@dataclass(frozen=True, slots=True)
class CouponCollector:
    """Lengths of complete collections, one after the other (Knuth 3.3.2 F).

    Up to 64 equally likely values are collected as they are; others are first put together into at most eight groups
    of about equal probability. The distribution is exact in both cases.

    How many collections are looked at follows from how many values there are, not from how many collections they
    hold: whoever takes all that happened to be finished prefers the short ones. The values hold that many but once in
    a million times; what is missing then counts as longest.
    """

    name: ClassVar[str] = "coupon collector"
    lists: ClassVar[tuple[PublishedList, ...]] = (PublishedList.GLI_2020, PublishedList.FIFTEEN)

    def run(self, sequence: Values) -> TestResult:
        """One P-value."""
        coupons = sequence
        if not sequence.uniform or sequence.alphabet > _MAX_UNIFORM:
            coupons = sequence.grouped(_MAX_WEIGHTED)
        if coupons.alphabet < 2:
            return not_applicable(self.name, 1, "there is only one value")
        if float(coupons.probabilities.min()) * len(coupons) < 100.0:
            return not_applicable(self.name, 1, f"{len(coupons)} values hold too few collections of all of them")
        probabilities = collection_probabilities(coupons.probabilities, uniform=coupons.uniform)
        last = len(probabilities) - 1
        planned = planned_collections(len(coupons), probabilities)
        lengths = collection_lengths(coupons.values, coupons.alphabet)[:planned]
        counts = np.bincount(np.minimum(lengths, last), minlength=last + 1)
        counts[last] += planned - len(lengths)
        return fit_result(self.name, counts, probabilities)


def planned_collections(values: int, probabilities: NDArray[np.float64]) -> int:
    """Return how many collections ``values`` values hold all but surely: five deviations more than expected fit in.

    ``probabilities`` are those of the lengths (`collection_probabilities`).
    """
    lengths = np.arange(len(probabilities))
    mean = float(lengths @ probabilities)
    deviation = sqrt(float((lengths - mean) ** 2 @ probabilities))
    root = (sqrt((_RESERVE * deviation) ** 2 + 4.0 * mean * values) - _RESERVE * deviation) / (2.0 * mean)
    return int(root * root)


def collection_lengths(values: NDArray[Any], alphabet: int) -> NDArray[np.int64]:
    """Return the lengths of the complete collections."""
    count = len(values)
    # Where a collection that begins at i would be complete: the latest of the next visits to each value.
    complete = np.zeros(count, dtype=np.int32)
    for value in range(alphabet):
        place = np.flatnonzero(values == value).astype(np.int32)
        upcoming = np.repeat(np.append(place, count).astype(np.int32), np.diff(place, prepend=-1, append=count - 1))
        np.maximum(complete, upcoming[:count], out=complete)
    ends = complete.tolist()
    found = []
    start = 0
    while start < count and (end := ends[start]) < count:
        found.append(end + 1 - start)
        start = end + 1
    return np.array(found, dtype=np.int64)


def collection_probabilities(probabilities: NDArray[np.float64], *, uniform: bool) -> NDArray[np.float64]:
    """Return P(a collection has the length i) for i = 0, 1, …; the last one is P(at least so long)."""
    alphabet = len(probabilities)
    longest = alphabet + int(18.0 / float(probabilities.min()))
    complete = _complete_uniform(alphabet, longest) if uniform else _complete(probabilities, longest)
    return np.append(np.diff(complete, prepend=0.0), 1.0 - complete[-1])


def _complete_uniform(alphabet: int, longest: int) -> NDArray[np.float64]:
    """Return P(all seen after i values): occupancy, value by value, without any subtraction."""
    seen = np.zeros(alphabet + 1)
    seen[0] = 1.0
    new = 1.0 - np.arange(alphabet) / alphabet
    old = np.arange(alphabet + 1) / alphabet
    found = []
    for _ in range(longest):
        found.append(float(seen[-1]))
        moved = seen[:-1] * new
        seen *= old
        seen[1:] += moved
    return np.array(found)


def _complete(probabilities: NDArray[np.float64], longest: int) -> NDArray[np.float64]:
    """Return P(all seen after i values), by inclusion and exclusion over the sets that were not seen."""
    missing = np.zeros(1)
    signs = np.ones(1)
    for probability in probabilities:
        missing = np.concatenate([missing, missing + probability])
        signs = np.concatenate([signs, -signs])
    remaining = np.clip(1.0 - missing, 0.0, 1.0)
    lengths = np.arange(longest)
    complete = signs @ remaining[:, np.newaxis] ** lengths
    complete[: len(probabilities)] = 0.0
    return np.maximum.accumulate(np.clip(complete, 0.0, 1.0))
