"""Counts in cells against their probabilities.

The rule for cells that are expected too seldom, everywhere in this battery: **neighbouring cells are put together until
each is expected at least 25 times** (cells without an order are sorted by expectation first). When only two cells are
left the exact binomial distribution is used.

With 25 the tail of χ² is right within a tenth or so down to 1e-3. Beyond, where verdicts are made, rare cells make it
too thin: with two cells of 25 in a thousand a P-value of 1e-6 has a true probability of 7e-6, one of 1e-10 of 1e-8.
The likelihood ratio 2 Σ O ln(O/E) keeps its tail within a half, whatever the cells, but is biased in the middle where
there are thousands of them. So **below 1e-3 the larger of the two P-values counts**. (With three cells, which can be
enumerated, it is never too small.)
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import special  # type: ignore[import-untyped]

from stats_tests.discrete import binomial_two_sided
from stats_tests.results import TestResult, not_applicable
from stats_tests.special import chi_squared_tail

__all__ = ["LEAST_EXPECTED", "Fit", "fit", "fit_result", "guarded_tail", "likelihood_ratio", "pooled"]

LEAST_EXPECTED: Final = 25.0
_TAIL: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Fit:
    """How well counts fit: ``p_value`` of ``chi_squared`` with ``degrees`` of freedom over ``cells`` cells."""

    p_value: float
    chi_squared: float
    degrees: int
    cells: int


def pooled(
    observed: NDArray[Any], expected: NDArray[np.float64], *, ordered: bool = True, least: float = LEAST_EXPECTED
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return counts and expectations after neighbouring cells are put together until each is expected ``least`` times.

    What is left over at the end joins the last cell. There may be one cell only.
    """
    counts = np.asarray(observed, dtype=np.float64)
    if len(expected) and float(expected.min()) >= least:
        return counts, expected
    if not ordered:
        order = np.argsort(expected, kind="stable")
        counts, expected = counts[order], expected[order]
    starts, running, start = [], 0.0, 0
    for index, value in enumerate(expected.tolist()):
        running += value
        if running >= least:
            starts.append(start)
            start, running = index + 1, 0.0
    if not starts:
        return np.array([counts.sum()]), np.array([expected.sum()])
    return np.add.reduceat(counts, starts), np.add.reduceat(expected, starts)


def fit(observed: NDArray[Any], probabilities: NDArray[np.float64], *, ordered: bool = True) -> Fit | None:
    """Return how well ``observed`` fits ``probabilities``, or None when fewer than two cells are left.

    A count in a cell of probability 0 gives P = 0.
    """
    total = int(np.sum(observed))
    counts, expected = pooled(observed, probabilities * total, ordered=ordered)
    if len(counts) < 2:
        return None
    chi_squared = float(np.sum((counts - expected) ** 2 / expected))
    if bool(np.any(np.asarray(observed)[probabilities <= 0.0])):
        return Fit(0.0, float("inf"), len(counts) - 1, len(counts))
    if len(counts) == 2:
        p_value = binomial_two_sided(int(counts[0]), total, min(1.0, float(expected[0] / total)))
    else:
        p_value = guarded_tail(len(counts) - 1, chi_squared, lambda: likelihood_ratio(counts, expected))
    return Fit(p_value, chi_squared, len(counts) - 1, len(counts))


def guarded_tail(degrees: int, chi_squared: float, ratio: Callable[[], float]) -> float:
    """Return the tail of ``chi_squared``, or below 1e-3 that of the likelihood ratio if it is larger."""
    p_value = float(chi_squared_tail(degrees, chi_squared))
    if p_value >= _TAIL:
        return p_value
    return max(p_value, min(_TAIL, float(chi_squared_tail(degrees, max(0.0, ratio())))))


def likelihood_ratio(observed: NDArray[Any], expected: NDArray[np.float64]) -> float:
    """Return 2 Σ O ln(O/E); both have the same sum, and nothing was observed where nothing is expected."""
    return 2.0 * float(np.sum(special.xlogy(observed, observed / expected)))


def fit_result(
    name: str, observed: NDArray[Any], probabilities: NDArray[np.float64], *, ordered: bool = True
) -> TestResult:
    """Return `fit` as the result of the test ``name``."""
    found = fit(observed, probabilities, ordered=ordered)
    total = int(np.sum(observed))
    if found is None:
        sentence = f"{total} observations leave no two cells that are expected {LEAST_EXPECTED:.0f} times each"
        return not_applicable(name, 1, sentence, {"observations": total})
    statistics = {
        "chi_squared": found.chi_squared,
        "degrees": found.degrees,
        "observations": total,
        "cells": found.cells,
    }
    return TestResult(name, (found.p_value,), statistics=statistics)
