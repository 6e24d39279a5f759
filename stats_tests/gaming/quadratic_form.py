"""The tail of a weighted sum of squares of normal variables."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.special import chi_squared_tail

__all__ = ["quadratic_form_tail"]

_LEFT_OVER: Final = 1e-13
_MAX_TERMS: Final = 40_000


def quadratic_form_tail(weights: NDArray[np.float64], value: float) -> float:
    """Return P(Σ w_i Z_i² ≥ ``value``) for positive ``weights``, by Ruben's series (1962).

    With β the smallest weight the law is a mixture of χ² with m, m + 2, m + 4 … degrees, all shares positive:
    no cancellation. The share that the series leaves over, at most 1e-13, is added, so P is never too small.
    """
    smallest = float(weights.min())
    ratios = 1.0 - smallest / weights
    shares = np.zeros(_MAX_TERMS)
    shares[0] = float(np.exp(0.5 * np.sum(np.log(smallest / weights))))
    powers = np.zeros(_MAX_TERMS)
    current = np.ones_like(ratios)
    reached = float(shares[0])
    terms = 1
    while terms < _MAX_TERMS and 1.0 - reached > _LEFT_OVER:
        current = current * ratios
        powers[terms] = 0.5 * float(current.sum())
        # shares[k] = (1/k) Σ g_(k-r) shares[r], r < k
        shares[terms] = float(powers[1 : terms + 1] @ shares[:terms][::-1]) / terms
        reached += float(shares[terms])
        terms += 1
        if shares[terms - 1] < 1e-18 and terms > 64:
            break
    degrees = len(weights) + 2 * np.arange(terms)
    tails = chi_squared_tail(degrees, value / smallest)
    return min(1.0, float(shares[:terms] @ tails) + max(0.0, 1.0 - reached))
