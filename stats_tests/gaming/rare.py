"""Poisson test: how often a rare value comes up in stretches of equal length."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from stats_tests.discrete import binomial_probabilities
from stats_tests.gaming.cells import fit_result
from stats_tests.gaming.lists import PublishedList
from stats_tests.gaming.values import Values
from stats_tests.results import TestResult, not_applicable

__all__ = ["RareEvents"]


@dataclass(frozen=True, slots=True)
class RareEvents:
    """Visits to the highest values, about a fiftieth of the probability, in stretches in which four are expected.

    The number is binomial, exactly; Poisson is its limit, and the name that regulation uses.
    """

    name: ClassVar[str] = "poisson"
    lists: ClassVar[tuple[PublishedList, ...]] = (PublishedList.FIFTEEN,)

    share: float = 0.02
    expected: float = 4.0

    def run(self, sequence: Values) -> TestResult:
        """One P-value."""
        if sequence.alphabet < 2:
            return not_applicable(self.name, 1, "there is only one value")
        last = min(sequence.alphabet - 2, int(np.searchsorted(sequence.cumulative, 1.0 - self.share)))
        share = 1.0 - float(sequence.cumulative[last])
        if not 0.0 < share < 1.0:
            return not_applicable(self.name, 1, "nearly all of the probability lies on one value")
        window = max(4, round(self.expected / share))
        stretches = len(sequence) // window
        if stretches < 100:
            return not_applicable(self.name, 1, f"needs {100 * window} values, and there are {len(sequence)}")
        inside = (sequence.values[: stretches * window] > last).reshape(stretches, window)
        visits = np.count_nonzero(inside, axis=1)
        probabilities = binomial_probabilities(window, share)
        return fit_result(self.name, np.bincount(visits, minlength=window + 1), probabilities)
