"""Gap test: how long a set of values stays away."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from stats_tests.gaming.cells import fit
from stats_tests.gaming.lists import PublishedList
from stats_tests.gaming.runs import geometric_probabilities
from stats_tests.gaming.values import Values
from stats_tests.results import TestResult

__all__ = ["Gap"]


@dataclass(frozen=True, slots=True)
class Gap:
    """Distances between visits to the lowest values, and to the highest, of about ``share`` of the probability each.

    The distances are geometric, exactly, whatever the weights (Knuth 3.3.2 D).
    """

    name: ClassVar[str] = "gap"
    lists: ClassVar[tuple[PublishedList, ...]] = (PublishedList.FIFTEEN,)

    share: float = 0.125

    def run(self, sequence: Values) -> TestResult:
        """Two P-values: lowest values, highest values."""
        low = max(0, min(sequence.alphabet - 2, int(np.searchsorted(sequence.cumulative, self.share))))
        high = max(0, min(sequence.alphabet - 2, int(np.searchsorted(sequence.cumulative, 1.0 - self.share))))
        sets = (
            (sequence.values <= low, float(sequence.cumulative[low])),
            (sequence.values > high, 1.0 - float(sequence.cumulative[high])),
        )
        p_values: list[float | None] = []
        chi_squared = []
        for inside, share in sets:
            lengths = np.diff(np.flatnonzero(inside), prepend=-1)
            probabilities = geometric_probabilities(share, len(lengths))
            counts = np.bincount(np.minimum(lengths, len(probabilities)), minlength=len(probabilities) + 1)[1:]
            found = fit(counts, probabilities)
            p_values.append(None if found is None else found.p_value)
            chi_squared.append(None if found is None else found.chi_squared)
        reason = f"{len(sequence)} values give too few gaps" if None in p_values else None
        return TestResult(self.name, tuple(p_values), reason, {"chi_squared": chi_squared})
