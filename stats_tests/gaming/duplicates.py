"""Duplicates: outcomes equal to the one before, and stretches of outcomes that come back."""

from dataclasses import dataclass
from math import ceil, exp, log, sqrt
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.discrete import binomial_two_sided, poisson_two_sided
from stats_tests.gaming.lists import PublishedList
from stats_tests.gaming.outcomes import Outcomes, scramble
from stats_tests.gaming.shape import Part, Permutation, Stops, Uniform, Weighted, WithoutReplacement
from stats_tests.results import TestResult
from stats_tests.special import erfc

__all__ = ["EqualNeighbours", "RepeatedStretches", "coincidence", "stretches"]

_LISTS: Final = (PublishedList.GLI_2020,)
_NORMAL_FROM: Final = 100.0
# A stretch is so long that one that comes back by chance is expected this often among all pairs, at most.
_CHANCE: Final = 1e-9


@dataclass(frozen=True, slots=True)
class EqualNeighbours:
    """How many outcomes equal the one before: binomial when all are equally likely, else with its exact variance."""

    name: ClassVar[str] = "duplicates: neighbours"
    lists: ClassVar[tuple[PublishedList, ...]] = _LISTS

    def run(self, outcomes: Outcomes) -> TestResult:
        """One P-value; None where not even half a pair is expected in all and none is there."""
        marks = outcomes.fingerprints
        pairs = outcomes.count - 1
        equal = int(np.count_nonzero(marks[1:] == marks[:-1]))
        two, three = coincidence(outcomes.shape.parts, 2), coincidence(outcomes.shape.parts, 3)
        expected = pairs * two
        statistics = {"equal": equal, "expected": expected, "pairs": pairs}
        if expected < 0.5 and equal == 0:
            return TestResult(
                self.name, (None,), f"{pairs} pairs are too few for an equal one to be missed", statistics
            )
        # Three neighbours share their middle one: the two coincidences are independent only under equal probabilities.
        shared = three - two * two
        if shared <= 1e-9 * two:
            p_value = binomial_two_sided(equal, pairs, two)
        elif expected < _NORMAL_FROM:
            p_value = poisson_two_sided(equal, expected)
        else:
            variance = pairs * (two - two * two) + 2 * (pairs - 1) * shared
            if variance <= 0.0:
                return TestResult(self.name, (None,), "there is only one outcome", statistics)
            p_value = float(erfc(abs(equal - expected) / sqrt(2.0 * variance)))
        return TestResult(self.name, (p_value,), statistics=statistics)


def coincidence(parts: tuple[Part, ...], times: int) -> float:
    """Return the probability that ``times`` independent outcomes are all equal."""
    product = 1.0
    for part in parts:
        match part:
            case Uniform(n, count):
                product *= float(n) ** (-(times - 1) * count)
            case Weighted(weights, count):
                shares = np.array(weights, dtype=np.float64)
                shares /= shares.sum()
                product *= float(np.sum(shares**times)) ** count
            case WithoutReplacement() | Permutation():
                product *= exp(-(times - 1) * part.least_surprise)
            case Stops():
                product *= coincidence(part.reels, times)
    return product


@dataclass(frozen=True, slots=True)
class RepeatedStretches:
    """Whether any stretch of outcomes comes back anywhere: a repeated block, a short period, a seed used twice.

    Stretches begin at every outcome. Two of them are equal with at most p^w, p the probability of the likeliest
    outcome and w their length, also where they overlap; w is chosen so that among all pairs 1e-9 are expected. So the
    P-value is this bound, times 1, if there is one, and 1 if there is none: it says nothing in between.
    """

    name: ClassVar[str] = "duplicates: stretches"
    lists: ClassVar[tuple[PublishedList, ...]] = (PublishedList.GLI_2020, PublishedList.ADDITIONAL)

    def run(self, outcomes: Outcomes) -> TestResult:
        """One P-value."""
        count = outcomes.count
        surprise = outcomes.shape.least_surprise
        pairs = count * (count - 1) / 2.0
        if surprise <= 0.0 or count < 2:
            return TestResult(self.name, (None,), "there is only one outcome")
        length = max(1, ceil((log(max(pairs, 1.0)) - log(_CHANCE)) / surprise))
        if length > count // 4:
            return TestResult(self.name, (None,), f"stretches would have {length} outcomes, and there are {count}")
        marks = np.sort(stretches(outcomes.fingerprints, length))
        repeated = int(np.count_nonzero(marks[1:] == marks[:-1]))
        # The marks are 64 bits: equal ones by chance count as well.
        bound = min(1.0, pairs * (exp(-length * surprise) + 2.0**-64))
        statistics = {"repeated": repeated, "length": length}
        return TestResult(self.name, (bound if repeated else 1.0,), statistics=statistics)


def stretches(marks: NDArray[np.uint64], length: int) -> NDArray[Any]:
    """Return a 64-bit number for each stretch of ``length`` marks, made by doubling: a stretch is two shorter ones."""
    current, covered = marks.copy(), 1
    while covered < length:
        step = min(covered, length - covered)
        joined = current[:-step].copy()
        scramble(joined)
        joined ^= current[step:]
        scramble(joined)
        current, covered = joined, covered + step
    return current
