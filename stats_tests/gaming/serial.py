"""Serial test: pairs and longer tuples of values that follow each other, without overlap."""

from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.gaming.cells import LEAST_EXPECTED, fit
from stats_tests.gaming.lists import PublishedList
from stats_tests.gaming.values import Values
from stats_tests.results import TestResult, not_applicable

__all__ = ["SerialTuples", "grouped_for", "groups_for", "product_probabilities", "tuple_numbers"]

_MAX_CELLS: Final = 1 << 16
_LEAST_RAREST: Final = 5.0


@dataclass(frozen=True, slots=True)
class SerialTuples:
    """χ² of tuples of each of the ``lengths`` (Knuth 3.3.2 B).

    Where there are too many tuples for the data, neighbouring values are put together first, into groups of about
    equal probability.
    """

    name: ClassVar[str] = "serial tuples"
    lists: ClassVar[tuple[PublishedList, ...]] = (PublishedList.ADDITIONAL,)

    lengths: tuple[int, ...] = (2, 3, 4)

    def run(self, sequence: Values) -> TestResult:
        """One P-value for each length."""
        p_values: list[float | None] = []
        statistics = {}
        for length in self.lengths:
            tuples = len(sequence) // length
            grouped = grouped_for(sequence, tuples, length)
            found = None
            if grouped.alphabet > 1:
                numbers = tuple_numbers(grouped.values[: tuples * length].reshape(tuples, length), grouped.alphabet)
                probabilities = product_probabilities(grouped.probabilities, length)
                counts = np.bincount(numbers, minlength=len(probabilities))
                found = fit(counts, probabilities, ordered=False)
            p_values.append(None if found is None else found.p_value)
            if found is not None:
                statistics[f"length {length}"] = {"groups": grouped.alphabet, "chi_squared": found.chi_squared}
        if None in p_values:
            reason = f"{len(sequence)} values are too few for the longer tuples"
            if not statistics:
                return not_applicable(self.name, len(self.lengths), reason)
            return TestResult(self.name, tuple(p_values), reason, statistics)
        return TestResult(self.name, tuple(p_values), statistics=statistics)


def grouped_for(sequence: Values, observations: int, length: int) -> Values:
    """Return the values in so many groups that the rarest tuple of ``length`` is expected five times, if possible.

    Groups of a few values each are of unequal size, so fewer of them may be needed than `groups_for` says.
    """
    groups = min(sequence.alphabet, groups_for(observations, length))
    grouped = sequence.grouped(groups)
    while groups > 2 and float(grouped.probabilities.min()) ** length * observations < _LEAST_RAREST:
        groups = max(2, groups * 4 // 5)
        grouped = sequence.grouped(groups)
    return grouped


def groups_for(observations: int, length: int) -> int:
    """Return into how many groups values may fall so that tuples of ``length`` are expected often enough."""
    cells = min(_MAX_CELLS, observations / LEAST_EXPECTED)
    groups = int(cells ** (1.0 / length) + 1e-9)
    return max(1, groups)


def tuple_numbers(tuples: NDArray[np.unsignedinteger[Any]], radix: int) -> NDArray[np.int64]:
    """Return each row of ``tuples`` as one number with the digits of the row; radix ** columns is below 2^63."""
    numbers = tuples[:, 0].astype(np.int64)
    for column in range(1, tuples.shape[1]):
        numbers *= radix
        numbers += tuples[:, column]
    return numbers


def product_probabilities(probabilities: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Return the probabilities of tuples by their numbers."""
    product = probabilities
    for _ in range(length - 1):
        product = np.multiply.outer(product, probabilities).ravel()
    return product
