"""The largest of t values, and other order statistics of independent values."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special  # type: ignore[import-untyped]

from stats_tests.gaming.cells import fit, fit_result
from stats_tests.gaming.lists import PublishedList
from stats_tests.gaming.values import Values
from stats_tests.results import TestResult

__all__ = ["MaximumOfT", "OrderStatistics", "order_statistic_probabilities"]


@dataclass(frozen=True, slots=True)
class MaximumOfT:
    """The largest of each ``group`` values (Knuth 3.3.2 C): P(maximum ≤ v) = F(v)^t, exact for discrete values."""

    name: ClassVar[str] = "maximum of t"
    lists: ClassVar[tuple[PublishedList, ...]] = (PublishedList.ADDITIONAL,)

    group: int = 8

    def run(self, sequence: Values) -> TestResult:
        """One P-value."""
        groups = len(sequence) // self.group
        largest = sequence.values[: groups * self.group].reshape(groups, self.group).max(axis=1, initial=0)
        probabilities = np.diff(sequence.cumulative**self.group, prepend=0.0)
        return fit_result(self.name, np.bincount(largest, minlength=sequence.alphabet), probabilities)


@dataclass(frozen=True, slots=True)
class OrderStatistics:
    """The lowest, the middle and the highest of each five values; P(k-th lowest ≤ v) is a binomial tail."""

    name: ClassVar[str] = "order statistics"
    lists: ClassVar[tuple[PublishedList, ...]] = (PublishedList.FIFTEEN,)

    ranks: tuple[int, ...] = (1, 3, 5)
    group: int = 5

    def run(self, sequence: Values) -> TestResult:
        """One P-value for each rank."""
        groups = len(sequence) // self.group
        ordered = np.sort(sequence.values[: groups * self.group].reshape(groups, self.group), axis=1)
        found = []
        for rank in self.ranks:
            counts = np.bincount(ordered[:, rank - 1], minlength=sequence.alphabet)
            found.append(fit(counts, order_statistic_probabilities(sequence.cumulative, rank, self.group)))
        p_values = tuple(None if one is None else one.p_value for one in found)
        reason = f"{groups} groups of {self.group} values are too few" if None in p_values else None
        return TestResult(self.name, p_values, reason, {"groups": groups})


def order_statistic_probabilities(cumulative: NDArray[np.float64], rank: int, group: int) -> NDArray[np.float64]:
    """Return P(the ``rank``-th lowest of ``group`` values = v): at least ``rank`` of them are ≤ v, and so on."""
    return np.diff(np.asarray(special.betainc(rank, group - rank + 1, cumulative), dtype=np.float64), prepend=0.0)
