"""Serial correlation of one sequence, and interplay between the columns of outcomes."""

from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.gaming.lists import PublishedList
from stats_tests.gaming.values import Values
from stats_tests.results import TestResult, not_applicable
from stats_tests.special import chi_squared_tail, erfc

__all__ = ["InterplayCorrelation", "SerialCorrelation"]

_BLOCK: Final = 1 << 15
_BOTH: Final = (PublishedList.GLI_2020, PublishedList.FIFTEEN)


@dataclass(frozen=True, slots=True)
class SerialCorrelation:
    """Correlation of values with those ``lags`` before, each by itself, and 1 … ``up_to`` together.

    With exact mean and variance the products at different distances are uncorrelated with variance 1 under
    independence, so their sums over √N are standard normal, and the sum of their squares is χ² (degree and potency).
    """

    name: ClassVar[str] = "serial correlation"
    lists: ClassVar[tuple[PublishedList, ...]] = _BOTH

    lags: tuple[int, ...] = (1, 2, 3, 4)
    up_to: int = 16

    def run(self, sequence: Values) -> TestResult:
        """One P-value for each of ``lags``, and one for all distances together."""
        needed = 100 * self.up_to
        if len(sequence) < needed or not _moderate(sequence):
            reason = f"needs {needed} values of which none is all but certain; there are {len(sequence)}"
            return not_applicable(self.name, len(self.lags) + 1, reason)
        scores = sequence.standardised
        found = [float(scores[lag:] @ scores[:-lag]) / sqrt(len(scores) - lag) for lag in range(1, self.up_to + 1)]
        p_values = [float(erfc(abs(found[lag - 1]) / sqrt(2.0))) for lag in self.lags]
        together = float(chi_squared_tail(self.up_to, sum(value * value for value in found)))
        return TestResult(self.name, (*p_values, together), statistics={"z": found})


@dataclass(frozen=True, slots=True)
class InterplayCorrelation:
    """Correlation between all pairs of columns: within an outcome, and between an outcome and the next one.

    Of more than 64 columns the first 64 are looked at.
    """

    name: ClassVar[str] = "interplay correlation"
    lists: ClassVar[tuple[PublishedList, ...]] = _BOTH

    def run(self, columns: list[Values]) -> TestResult:
        """Two P-values: within, between neighbours. All columns are equally long."""
        used = [column for column in columns if _moderate(column)]
        count = len(used[0]) if used else 0
        if len(used) < 2 or count < 1_000:
            reason = (
                f"needs two columns that are not all but certain, and 1,000 outcomes; there are {len(used)} of {count}"
            )
            return not_applicable(self.name, 2, reason)
        within, between = _products(used, count)
        upper = within[np.triu_indices(len(used), k=1)]
        p_values = (
            float(chi_squared_tail(len(upper), float(np.sum(upper**2)) / count)),
            float(chi_squared_tail(between.size, float(np.sum(between**2)) / (count - 1))),
        )
        largest = float(np.max(np.abs(upper))) / count
        return TestResult(self.name, p_values, statistics={"columns": len(used), "largest_correlation": largest})


def _products(columns: list[Values], count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Σ z_i z_i' within outcomes and from one to the next, a block of outcomes at a time."""
    tables = []
    for column in columns:
        scores = np.arange(column.alphabet, dtype=np.float64)
        scores -= scores @ column.probabilities
        tables.append(scores / np.sqrt(scores**2 @ column.probabilities))
    within = np.zeros((len(columns), len(columns)))
    between = np.zeros_like(within)
    last: NDArray[Any] | None = None
    for first in range(0, count, _BLOCK):
        block = np.stack(
            [table[column.values[first : first + _BLOCK]] for table, column in zip(tables, columns, strict=True)]
        )
        within += block @ block.T
        between += block[:, :-1] @ block[:, 1:].T
        if last is not None:
            between += np.outer(last, block[:, 0])
        last = block[:, -1]
    return within, between


def _moderate(sequence: Values) -> bool:
    """Whether sums of scores are normal: the rarest extreme must still be seen now and then."""
    scores = np.arange(sequence.alphabet, dtype=np.float64)
    scores -= scores @ sequence.probabilities
    variance = float(scores**2 @ sequence.probabilities)
    if variance <= 0.0:
        return False
    fourth = float(scores**4 @ sequence.probabilities) / variance**2
    # A product of two scores has the fourth moment fourth²; the sum of N of them is normal when this is far below N.
    return fourth * fourth < len(sequence) / 100.0
