"""Runs: how long values keep rising, or falling, or stay on one side of the middle."""

from dataclasses import dataclass
from math import log
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.gaming.cells import LEAST_EXPECTED, fit
from stats_tests.gaming.lists import PublishedList
from stats_tests.gaming.values import Values
from stats_tests.results import TestResult, not_applicable

__all__ = ["RunsAboveBelow", "RunsUpDown", "geometric_probabilities", "rising_run_lengths", "rising_tail"]

_LONGEST: Final = 12
_LISTS: Final = (PublishedList.GLI_2020, PublishedList.FIFTEEN)


@dataclass(frozen=True, slots=True)
class RunsUpDown:
    """Lengths of strictly rising and strictly falling runs.

    The value that ends a run is left out and the next run begins behind it, which makes the lengths independent
    (Knuth 3.3.2, exercise 14). P(length ≥ r) is the probability of r values in strict order, the elementary symmetric
    polynomial e_r of the probabilities: exact with ties and with weights.
    """

    name: ClassVar[str] = "runs up and down"
    lists: ClassVar[tuple[PublishedList, ...]] = _LISTS

    def run(self, sequence: Values) -> TestResult:
        """Two P-values: up, down."""
        tail = rising_tail(sequence.probabilities)
        probabilities = np.maximum(tail[:-1] - tail[1:], 0.0)
        ends = (sequence.values[1:] <= sequence.values[:-1], sequence.values[1:] >= sequence.values[:-1])
        found = []
        for broken in ends:
            lengths = np.minimum(rising_run_lengths(broken), _LONGEST)
            found.append(_judge(lengths, probabilities))
        return _of_two(self.name, found, "runs", len(sequence))


@dataclass(frozen=True, slots=True)
class RunsAboveBelow:
    """Lengths of runs on either side of the value nearest to the median; both are geometric, exactly."""

    name: ClassVar[str] = "runs above and below"
    lists: ClassVar[tuple[PublishedList, ...]] = _LISTS

    def run(self, sequence: Values) -> TestResult:
        """Two P-values: above, below."""
        if sequence.alphabet < 2:
            return not_applicable(self.name, 2, "there is only one value")
        threshold = int(np.argmin(np.abs(sequence.cumulative[:-1] - 0.5)))
        above = sequence.values > threshold
        share = 1.0 - float(sequence.cumulative[threshold])
        changes = np.flatnonzero(above[1:] != above[:-1]) + 1
        # The last run is cut off by the end of the data, so it says nothing.
        lengths = np.diff(changes, prepend=0)
        sides = above[changes - 1]
        found = []
        for side, stay in ((True, share), (False, 1.0 - share)):
            runs = lengths[sides == side]
            probabilities = geometric_probabilities(1.0 - stay, len(runs))
            found.append(_judge(np.minimum(runs, len(probabilities)), probabilities))
        return _of_two(self.name, found, "runs", len(sequence))


def rising_tail(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return e_1 … e_12 and 0: P(r values rise strictly), by Newton's identities from the power sums."""
    sums = [float(np.sum(probabilities**power)) for power in range(1, _LONGEST + 1)]
    found = [1.0]
    for degree in range(1, _LONGEST + 1):
        terms = (found[degree - i] * sums[i - 1] * (-1) ** (i - 1) for i in range(1, degree + 1))
        value = sum(terms) / degree
        # With fewer than ``degree`` values the polynomial is 0, and what is left here is rounding.
        found.append(value if value > 1e-15 and degree <= len(probabilities) else 0.0)
    return np.array([*found[1:], 0.0])


def rising_run_lengths(broken: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the lengths of the runs; ``broken[i]`` says that value i + 1 does not continue the run of value i.

    Of breaks that follow each other directly every second one falls on the first value of a run, and ends nothing.
    """
    breaks = np.flatnonzero(broken) + 1
    if not len(breaks):
        return np.empty(0, dtype=np.int64)
    fresh = np.diff(breaks, prepend=-1) != 1
    place = np.arange(len(breaks))
    in_row = place - np.maximum.accumulate(np.where(fresh, place, 0))
    ends = breaks[in_row % 2 == 0]
    starts = np.concatenate([[0], ends[:-1] + 1])
    return np.asarray(ends - starts, dtype=np.int64)


def geometric_probabilities(end: float, observations: int) -> NDArray[np.float64]:
    """Return P(1), P(2), …, and P(≥ the last), where each step ends with probability ``end``.

    As many as are worth telling apart for so many observations.
    """
    if not 0.0 < end < 1.0:
        return np.ones(1)
    reached = log(max(observations, 1) / LEAST_EXPECTED) if observations > LEAST_EXPECTED else 0.0
    cells = max(1, min(100_000, int(reached / -log(1.0 - end)) + 1))
    lengths = np.arange(cells)
    return np.append(end * (1.0 - end) ** lengths, (1.0 - end) ** cells)


def _judge(lengths: NDArray[Any], probabilities: NDArray[np.float64]) -> Any:
    counts = np.bincount(lengths, minlength=len(probabilities) + 1)[1:]
    return fit(counts, probabilities)


def _of_two(name: str, found: list[Any], what: str, values: int) -> TestResult:
    p_values = tuple(None if one is None else one.p_value for one in found)
    statistics = {"chi_squared": [None if one is None else one.chi_squared for one in found]}
    if None in p_values:
        return TestResult(name, p_values, f"{values} values give too few {what}", statistics)
    return TestResult(name, p_values, statistics=statistics)
