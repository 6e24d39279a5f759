"""The few functions of scipy that P-values need, with types: scipy ships none."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special  # type: ignore[import-untyped]

__all__ = [
    "binomial_at_least",
    "binomial_at_most",
    "chi_squared_tail",
    "erfc",
    "normal_cdf",
    "normal_tail",
]


def erfc(x: ArrayLike) -> NDArray[np.float64]:
    """Complementary error function."""
    return np.asarray(special.erfc(x), dtype=np.float64)


def chi_squared_tail(degrees: ArrayLike, statistic: ArrayLike) -> NDArray[np.float64]:
    """P(χ² with ``degrees`` of freedom ≥ ``statistic``), NIST's igamc(degrees / 2, statistic / 2).

    A statistic that rounding left just below nought counts as nought.
    """
    half = np.maximum(np.asarray(statistic, dtype=np.float64), 0.0) / 2.0
    return np.asarray(special.gammaincc(np.asarray(degrees, dtype=np.float64) / 2.0, half), dtype=np.float64)


def normal_cdf(x: ArrayLike) -> NDArray[np.float64]:
    """Φ(x)."""
    return np.asarray(special.ndtr(x), dtype=np.float64)


def normal_tail(x: ArrayLike) -> NDArray[np.float64]:
    """1 - Φ(x), without the cancellation."""
    return np.asarray(special.ndtr(-np.asarray(x, dtype=np.float64)), dtype=np.float64)


def binomial_at_most(successes: int, trials: int, probability: float) -> float:
    """P(X ≤ ``successes``) for a binomial X, exactly."""
    return float(special.bdtr(successes, trials, probability)) if successes < trials else 1.0


def binomial_at_least(successes: int, trials: int, probability: float) -> float:
    """P(X ≥ ``successes``) for a binomial X, exactly."""
    if not 0 < successes <= trials:
        return 1.0 if successes <= 0 else 0.0
    return float(special.bdtrc(successes - 1, trials, probability))
