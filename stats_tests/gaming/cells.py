"""Counts in cells against their probabilities.

The rule for cells that are expected too seldom, everywhere in this battery: **neighbouring cells are put together until
each is expected at least 25 times** (cells without an order are sorted by expectation first). With 25 the χ² tail is
right within a few per cent where decisions are made; the textbook's 5 is not, at P-values of 1e-5. When only two cells
are left the exact binomial distribution is used.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.discrete import binomial_two_sided
from stats_tests.results import TestResult, not_applicable
from stats_tests.special import chi_squared_tail

__all__ = ["LEAST_EXPECTED", "Fit", "fit", "fit_result", "pooled"]

LEAST_EXPECTED: Final = 25.0


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
        p_value = float(chi_squared_tail(len(counts) - 1, chi_squared))
    return Fit(p_value, chi_squared, len(counts) - 1, len(counts))


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
