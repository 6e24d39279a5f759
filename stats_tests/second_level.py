"""What many sequences say together about one P-value: SP 800-22 section 4.2, as NIST does it and exactly.

Column i of every sequence's results is one question. Over the sequences its P-values should be uniform, a hundredth of
them should be below 0.01, and none should be absurdly small.
"""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from math import expm1, log1p, sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.kolmogorov_smirnov import kolmogorov_smirnov_tail
from stats_tests.multiple import Hypothesis
from stats_tests.results import SequenceResult
from stats_tests.special import binomial_at_most, chi_squared_tail

__all__ = [
    "ALPHA",
    "GROUP_SEQUENCES",
    "Column",
    "SecondLevel",
    "far_out",
    "nist_least_passes",
    "nist_uniformity",
    "smallest_of",
    "uniformity",
]

ALPHA: Final = 0.01
# NIST asks for so many sequences before it looks at uniformity.
LEAST_SEQUENCES: Final = 55
# P-values of shorter sequences take too few values for their distribution to be judged.
LEAST_BITS: Final = 100_000
# P-values are approximations. Over more sequences than this the difference, not the source, would be what is found
# (Haramoto and Matsumoto, for the published constants). Longer runs are judged in groups, which also bounds memory.
GROUP_SEQUENCES: Final = 1_000
_BINS: Final = 10
# Far out the approximations of the first level are too small, most of all where rare events are counted: random
# excursions, whose rarest class is expected five times, and visits to a state nine steps away. A P-value of 1e-10
# there has a true probability of up to 4e-7, one of 1e-20 up to 2e-11. This power of P is above all of them.
_FAR_OUT_FACTOR: Final = 1.0 / 28.0
_FAR_OUT_POWER: Final = 0.45
_NIST_UNIFORM: Final = 1e-4


@dataclass(frozen=True, slots=True)
class Column:
    """One P-value of one test over the sequences of a group to which it applied.

    ``passed`` counts P-values of at least 0.01. ``nist_least_passes`` and ``nist_uniformity`` are what NIST's report
    judges by; the other three are exact P-values: ``proportion_p`` for so few passes or fewer, ``uniformity_p`` by
    Kolmogorov and Smirnov, ``smallest_p`` for a smallest P-value as small as ``smallest``, taken for what it is worth
    (`far_out`). None: too few sequences, or too short ones.
    """

    test: str
    index: int
    first_sequence: int
    sequences: int
    passed: int
    smallest: float | None
    nist_least_passes: int
    nist_uniformity: float | None
    proportion_p: float | None
    uniformity_p: float | None
    smallest_p: float | None

    @property
    def label(self) -> str:
        """Name the column in reports."""
        place = f" from sequence {self.first_sequence}" if self.first_sequence else ""
        return f"{self.test}[{self.index}]{place}"

    @property
    def nist_flags(self) -> tuple[str, ...]:
        """What NIST's report would mark with an asterisk: information, not a verdict."""
        flags = []
        if self.sequences and self.passed < self.nist_least_passes:
            flags.append("proportion")
        if self.nist_uniformity is not None and self.nist_uniformity < _NIST_UNIFORM:
            flags.append("uniformity")
        return tuple(flags)

    def hypotheses(self) -> list[Hypothesis]:
        """Return the exact P-values, for a verdict."""
        found = (("proportion", self.proportion_p), ("uniformity", self.uniformity_p), ("smallest", self.smallest_p))
        return [Hypothesis(f"{self.label} {what}", p_value) for what, p_value in found if p_value is not None]

    def as_json(self) -> dict[str, Any]:
        """Return one item of ``second_level`` of `stats run --json`."""
        return {
            "test": self.test,
            "index": self.index,
            "first_sequence": self.first_sequence,
            "sequences": self.sequences,
            "passed": self.passed,
            "proportion": self.passed / self.sequences if self.sequences else None,
            "smallest": self.smallest,
            "exact": {
                "proportion_p": self.proportion_p,
                "uniformity_p": self.uniformity_p,
                "smallest_p": self.smallest_p,
            },
            "nist": {
                "least_passes": self.nist_least_passes,
                "uniformity_p": self.nist_uniformity,
                "flags": list(self.nist_flags),
            },
        }


class SecondLevel:
    """Collects the results of sequences and says what they say together.

    ``as_nist`` takes NIST's own arithmetic for the two NIST figures: bounds and expected counts in whole numbers.
    Holds at most `GROUP_SEQUENCES` P-values a column, whatever the number of sequences.
    """

    def __init__(self, *, as_nist: bool = False, group_sequences: int = GROUP_SEQUENCES) -> None:
        self._as_nist = as_nist
        self._group_sequences = group_sequences
        self._done: list[Column] = []
        self._columns: dict[tuple[str, int], array[float]] = {}
        self._in_group = 0
        self._bits = 0
        self.sequences = 0

    def add(self, results: Iterable[SequenceResult]) -> None:
        """Add the results of further sequences, in order."""
        for result in results:
            if self._in_group == self._group_sequences:
                self._done.extend(self._judge())
                self._columns.clear()
                self._in_group = 0
            for test in result.tests:
                for index, p_value in enumerate(test.p_values):
                    column = self._columns.setdefault((test.name, index), array("d"))
                    if p_value is not None:
                        column.append(p_value)
            self._bits = result.bits
            self._in_group += 1
            self.sequences += 1

    def columns(self) -> list[Column]:
        """Return every column of every group, in the order of tests."""
        return [*self._done, *self._judge()]

    def hypotheses(self) -> list[Hypothesis]:
        """Return every exact P-value of the second level, for a family-wise verdict."""
        return [hypothesis for column in self.columns() for hypothesis in column.hypotheses()]

    def _judge(self) -> list[Column]:
        first = self.sequences - self._in_group
        return [self._column(test, index, first, np.array(kept)) for (test, index), kept in self._columns.items()]

    def _column(self, test: str, index: int, first: int, p_values: NDArray[np.float64]) -> Column:
        count = len(p_values)
        passed = int(np.count_nonzero(p_values >= ALPHA))
        smallest = float(p_values.min()) if count else None
        enough = count >= LEAST_SEQUENCES
        judged = enough and self._bits >= LEAST_BITS
        return Column(
            test=test,
            index=index,
            first_sequence=first,
            sequences=count,
            passed=passed,
            smallest=smallest,
            nist_least_passes=nist_least_passes(count, as_program=self._as_nist),
            nist_uniformity=nist_uniformity(p_values, as_program=self._as_nist) if enough else None,
            proportion_p=binomial_at_most(passed, count, 1.0 - ALPHA) if judged else None,
            uniformity_p=uniformity(p_values) if judged else None,
            smallest_p=None if smallest is None else smallest_of(far_out(smallest), count),
        )


def nist_least_passes(sequences: int, *, as_program: bool) -> int:
    """Return how many of ``sequences`` must pass: p - 3 √(p (1 - p) / s) of them, p = 0.99 (4.2.1).

    The text's bound is rounded up, NIST's program rounds it down: 97 against 96 of 100, which a perfect source misses
    in 1.8 % against 0.3 % of all columns.
    """
    if sequences == 0:
        return 0
    share = 1.0 - ALPHA
    bound = (share - 3.0 * sqrt(share * ALPHA / sequences)) * sequences
    return max(0, int(np.floor(bound)) if as_program else int(np.ceil(bound)))


def nist_uniformity(p_values: NDArray[np.float64], *, as_program: bool) -> float:
    """Return P_T of ten bins (4.2.2); NIST's program expects s // 10 in each, also where s is no multiple of 10."""
    counts = np.bincount(np.minimum((p_values * _BINS).astype(np.int64), _BINS - 1), minlength=_BINS)
    expected = len(p_values) // _BINS if as_program else len(p_values) / _BINS
    return float(chi_squared_tail(_BINS - 1, float(np.sum((counts - expected) ** 2)) / expected))


def uniformity(p_values: NDArray[np.float64]) -> float:
    """Return the exact P-value of the two-sided Kolmogorov-Smirnov distance to the uniform distribution."""
    ordered = np.sort(p_values)
    steps = np.arange(len(ordered) + 1) / len(ordered)
    distance = float(max(np.max(steps[1:] - ordered), np.max(ordered - steps[:-1])))
    return kolmogorov_smirnov_tail(distance, len(ordered))


def far_out(p_value: float) -> float:
    """Return a bound of the true probability of a first-level P-value as small as ``p_value``: max(p, p^0.45 / 28).

    P-values above 0.0024 stay what they are, 1e-4 becomes 6e-4, 1e-10 becomes 1.1e-6, and 0 stays 0.
    """
    return max(p_value, _FAR_OUT_FACTOR * float(p_value**_FAR_OUT_POWER))


def smallest_of(smallest: float, count: int) -> float:
    """Return P(the smallest of ``count`` independent P-values ≤ ``smallest``) = 1 - (1 - p)^count (Šidák)."""
    return 1.0 if smallest >= 1.0 else min(1.0, -expm1(count * log1p(-smallest)))
