"""Two-sided P-values of counts, from exact distributions."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]

__all__ = ["binomial_probabilities", "binomial_two_sided", "poisson_two_sided", "sum_distribution", "two_sided"]

_NEGLIGIBLE: Final = 1e-300


def two_sided(at_most: float, at_least: float) -> float:
    """Return twice the smaller tail, at most 1: both tails contain what was observed, so it is never too small."""
    return min(1.0, 2.0 * min(at_most, at_least))


def poisson_two_sided(count: int, mean: float) -> float:
    """Return the two-sided P-value of a Poisson count."""
    return two_sided(float(stats.poisson.cdf(count, mean)), float(stats.poisson.sf(count - 1, mean)))


def binomial_two_sided(successes: int, trials: int, probability: float) -> float:
    """Return the two-sided P-value of a binomial count."""
    law = stats.binom
    return two_sided(float(law.cdf(successes, trials, probability)), float(law.sf(successes - 1, trials, probability)))


def binomial_probabilities(trials: int, probability: float) -> NDArray[np.float64]:
    """Return P(X = 0 … ``trials``)."""
    return np.asarray(stats.binom.pmf(np.arange(trials + 1), trials, probability), dtype=np.float64)


def sum_distribution(probabilities: NDArray[np.float64], times: int) -> NDArray[np.float64]:
    """Return the distribution of the sum of ``times`` independent variables with P(i) = ``probabilities[i]``.

    By squaring; what is below 1e-300 at the upper end is cut off.
    """
    total = np.ones(1)
    power = probabilities
    while times:
        if times & 1:
            total = _trimmed(np.convolve(total, power))
        times >>= 1
        if times:
            power = _trimmed(np.convolve(power, power))
    return total


def _trimmed(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    kept = np.flatnonzero(probabilities > _NEGLIGIBLE)
    return probabilities[: kept[-1] + 1] if len(kept) else probabilities[:1]
