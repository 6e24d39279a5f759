"""Anderson-Darling for discrete values: like Kolmogorov-Smirnov, but all places count, those at the ends more."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from stats_tests.gaming.lists import PublishedList
from stats_tests.gaming.places import LEAST_VALUES, deviations
from stats_tests.gaming.quadratic_form import quadratic_form_tail
from stats_tests.gaming.values import Values
from stats_tests.results import TestResult, not_applicable

__all__ = ["AndersonDarling"]


@dataclass(frozen=True, slots=True)
class AndersonDarling:
    """A² = Σ_j Z_j² p_j / (H_j (1 - H_j)) over the ends of at most ``places`` + 1 cells.

    Z_j is √N times the difference of the distribution functions at the end of cell j, H_j the distribution function
    there, p_j the probability of the cell. Source: Choulakian, Lockhart and Stephens, "Cramér-von Mises statistics for
    discrete distributions", 1994. In the limit it is a weighted sum of χ²_1, whose weights are eigenvalues.
    """

    name: ClassVar[str] = "anderson-darling"
    lists: ClassVar[tuple[PublishedList, ...]] = (PublishedList.ADDITIONAL,)

    places: int = 19

    def run(self, sequence: Values) -> TestResult:
        """One P-value."""
        if len(sequence) < LEAST_VALUES:
            return not_applicable(self.name, 1, f"needs {LEAST_VALUES} values, and there are {len(sequence)}")
        times, distances = deviations(sequence, self.places)
        if not len(times):
            return not_applicable(self.name, 1, "nearly all of the probability lies on one value")
        scale = np.sqrt(np.diff(times, prepend=0.0) / (times * (1.0 - times)))
        statistic = float(np.sum((scale * distances) ** 2))
        covariance = np.minimum.outer(times, times) - np.multiply.outer(times, times)
        weights = np.linalg.eigvalsh(covariance * np.multiply.outer(scale, scale))
        p_value = quadratic_form_tail(weights, statistic)
        return TestResult(self.name, (p_value,), statistics={"a_squared": statistic, "places": len(times)})
