"""Overlapping m-tuples, whose counts depend on each other."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from stats_tests.gaming.cells import guarded_tail, likelihood_ratio
from stats_tests.gaming.lists import PublishedList
from stats_tests.gaming.serial import grouped_for, product_probabilities
from stats_tests.gaming.values import Values
from stats_tests.results import TestResult, not_applicable

__all__ = ["OverlappingTuples"]


@dataclass(frozen=True, slots=True)
class OverlappingTuples:
    """ψ²_m - ψ²_(m-1) over all m-tuples of the sequence closed to a ring, for each of the ``lengths``.

    ψ²_m, the plain χ² sum, has no χ² distribution, since neighbouring tuples share values. The difference has one, with
    k^m - k^(m-1) degrees (Good, 1953; Billingsley, 1956): it compares the last value of each tuple with what came
    before it, and given that the values are independent. It holds for unequal probabilities as well.
    """

    name: ClassVar[str] = "overlapping tuples"
    lists: ClassVar[tuple[PublishedList, ...]] = (PublishedList.GLI_2020, PublishedList.FIFTEEN)

    lengths: tuple[int, ...] = (2, 3, 4)

    def run(self, sequence: Values) -> TestResult:
        """One P-value for each length."""
        p_values: list[float | None] = []
        statistics = {}
        for length in self.lengths:
            grouped = grouped_for(sequence, len(sequence), length)
            least = float(grouped.probabilities.min()) ** length * len(sequence)
            if grouped.alphabet < 2 or least < 5.0:
                p_values.append(None)
                continue
            difference = _psi_squared(grouped, length) - _psi_squared(grouped, length - 1)
            degrees = grouped.alphabet**length - grouped.alphabet ** (length - 1)
            ratio = partial(_difference_of_ratios, grouped, length)
            p_values.append(guarded_tail(degrees, difference, ratio))
            statistics[f"length {length}"] = {"groups": grouped.alphabet, "chi_squared": difference, "degrees": degrees}
        if None in p_values:
            reason = f"among {len(sequence)} values the rarest tuple is expected less than five times"
            if not statistics:
                return not_applicable(self.name, len(self.lengths), reason)
            return TestResult(self.name, tuple(p_values), reason, statistics)
        return TestResult(self.name, tuple(p_values), statistics=statistics)


def _psi_squared(sequence: Values, length: int) -> float:
    """Return Σ (count - expected)² / expected over the tuples of the ring."""
    counts, expected = _tuples(sequence, length)
    return float(np.sum((counts - expected) ** 2 / expected))


def _difference_of_ratios(sequence: Values, length: int) -> float:
    """Return the same difference between likelihood ratios: it has the same limit, and a better tail."""
    return likelihood_ratio(*_tuples(sequence, length)) - likelihood_ratio(*_tuples(sequence, length - 1))


def _tuples(sequence: Values, length: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return how often each tuple occurs on the ring, and how often that is expected."""
    count = len(sequence)
    ring = np.concatenate([sequence.values, sequence.values[: length - 1]]) if length > 1 else sequence.values
    numbers = ring[:count].astype(np.int32)
    for place in range(1, length):
        numbers *= sequence.alphabet
        numbers += ring[place : place + count]
    expected = product_probabilities(sequence.probabilities, length) * count
    return np.bincount(numbers, minlength=len(expected)), expected
