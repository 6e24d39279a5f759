"""Chi-square, or equidistribution: whether every value is seen as often as its probability says."""

from dataclasses import dataclass
from typing import ClassVar

from stats_tests.gaming.cells import fit_result
from stats_tests.gaming.lists import PublishedList
from stats_tests.gaming.values import Values
from stats_tests.results import TestResult

__all__ = ["ChiSquare"]


@dataclass(frozen=True, slots=True)
class ChiSquare:
    """Total distribution of single values (Knuth 3.3.1, and 3.3.2 A); neighbouring rare values are put together."""

    name: ClassVar[str] = "chi-square"
    lists: ClassVar[tuple[PublishedList, ...]] = (PublishedList.GLI_2020, PublishedList.FIFTEEN)

    def run(self, sequence: Values) -> TestResult:
        """One P-value."""
        return fit_result(self.name, sequence.counts, sequence.probabilities)
