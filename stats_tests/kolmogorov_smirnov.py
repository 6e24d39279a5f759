"""The exact distribution of the two-sided Kolmogorov-Smirnov distance.

scipy.stats has it too, but takes more than a second to load, half of what a hundred million bits take to test.
"""

from math import ceil, exp, lgamma, log, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special  # type: ignore[import-untyped]

__all__ = ["kolmogorov_smirnov_tail"]

# Beyond this, that both one-sided distances are so large has less than a hundred-millionth of the tail's probability.
_FAR: Final = 1.8


def kolmogorov_smirnov_tail(distance: float, samples: int) -> float:
    """Return P(D_n ≥ ``distance``) for ``samples`` values, exactly for finite n.

    Far out it is twice the one-sided tail; elsewhere the matrix power of Marsaglia, Tsang and Wang (2003).
    """
    if samples * distance <= 0.5:
        return 1.0  # no sample can be nearer than half a step
    if distance >= 1.0:
        return 0.0
    if distance >= 0.5 or distance * sqrt(samples) >= _FAR:
        return min(1.0, 2.0 * float(special.smirnov(samples, distance)))
    return min(1.0, max(0.0, 1.0 - _below(distance, samples)))


def _below(distance: float, samples: int) -> float:
    """P(D_n < distance) = n!/n^n times the middle element of the n-th power of a matrix of size 2k - 1."""
    scaled = samples * distance
    k = ceil(scaled)
    rest = k - scaled
    size = 2 * k - 1
    steps = np.arange(size)[:, np.newaxis] - np.arange(size) + 1
    matrix = np.where(steps >= 0, 1.0, 0.0)
    powers = rest ** np.arange(1, size + 1)
    matrix[:, 0] -= powers
    matrix[-1, :] -= powers[::-1]
    matrix[-1, 0] += max(0.0, 2.0 * rest - 1.0) ** size
    matrix /= special.gamma(np.maximum(steps, 0) + 1.0)
    power, logarithm = _power(matrix, samples)
    middle = float(power[k - 1, k - 1])
    return middle * exp(logarithm + lgamma(samples + 1) - samples * log(samples))


def _power(matrix: NDArray[np.float64], exponent: int) -> tuple[NDArray[np.float64], float]:
    """Return ``matrix`` to a power, scaled to fit a float, and the logarithm of the scale."""
    result, result_scale = np.eye(len(matrix)), 0.0
    square, square_scale = matrix, 0.0
    while exponent:
        if exponent % 2:
            result, result_scale = _scaled(result @ square, result_scale + square_scale)
        exponent //= 2
        if exponent:
            square, square_scale = _scaled(square @ square, 2.0 * square_scale)
    return result, result_scale


def _scaled(matrix: NDArray[np.float64], logarithm: float) -> tuple[NDArray[np.float64], float]:
    largest = float(np.abs(matrix).max())
    return matrix / largest, logarithm + log(largest)
