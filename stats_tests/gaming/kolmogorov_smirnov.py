"""Kolmogorov-Smirnov for discrete values.

The tables for continuous distributions are far too lenient here: a coin has one place where the distribution functions
can differ, not infinitely many. The limit of √N (empirical F - F) at the places t_1 < … < t_k is a Brownian bridge
seen at these points, a Markov chain with normal steps, so P(max |B(t_j)| < d) is k integrals over [-d, d], one after
the other, done here by Gauss-Legendre quadrature.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.gaming.lists import PublishedList
from stats_tests.gaming.places import LEAST_VALUES, deviations
from stats_tests.gaming.values import Values
from stats_tests.results import TestResult, not_applicable
from stats_tests.special import normal_tail

__all__ = ["KolmogorovSmirnov", "bridge_tail"]

_NODES: Final = 160
# Below this 1 - P(inside) is rounding; the sum of the tails at all places is then as good, and never too small.
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class KolmogorovSmirnov:
    """Two-sided distance at no more than ``places`` places (Knuth 3.3.1 B, made right for discrete values)."""

    name: ClassVar[str] = "kolmogorov-smirnov"
    lists: ClassVar[tuple[PublishedList, ...]] = (PublishedList.FIFTEEN,)

    places: int = 63

    def run(self, sequence: Values) -> TestResult:
        """One P-value."""
        if len(sequence) < LEAST_VALUES:
            return not_applicable(self.name, 1, f"needs {LEAST_VALUES} values, and there are {len(sequence)}")
        times, distances = deviations(sequence, self.places)
        if not len(times):
            return not_applicable(self.name, 1, "nearly all of the probability lies on one value")
        distance = float(np.max(np.abs(distances)))
        statistics = {"distance": distance / float(np.sqrt(len(sequence))), "places": len(times)}
        return TestResult(self.name, (bridge_tail(times, distance),), statistics=statistics)


def bridge_tail(times: NDArray[np.float64], distance: float) -> float:
    """Return P(max |B(t)| ≥ ``distance``) of a Brownian bridge over ``times``, 0 < t_1 < … < t_k < 1."""
    union = float(np.sum(2.0 * normal_tail(distance / np.sqrt(times * (1.0 - times)))))
    if union < _ROUNDING:
        return union
    points, shares = _quadrature()
    nodes, weights = points * distance, shares * distance
    before = 0.0
    density = np.empty(0)
    for time in times.tolist():
        remaining = (1.0 - time) / (1.0 - before)
        variance = (time - before) * remaining
        if before == 0.0:
            density = np.exp(-(nodes**2) / (2.0 * variance))
        else:
            steps = nodes[:, np.newaxis] - remaining * nodes[np.newaxis, :]
            density = np.exp(-(steps**2) / (2.0 * variance)) @ (weights * density)
        density /= np.sqrt(2.0 * np.pi * variance)
        before = time
    return float(min(1.0, max(0.0, 1.0 - float(weights @ density)), union))


@lru_cache(maxsize=1)
def _quadrature() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    points, weights = np.polynomial.legendre.leggauss(_NODES)
    return points, weights
