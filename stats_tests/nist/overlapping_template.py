"""2.8 Overlapping template matching: how often a run of m ones occurs, overlaps counted."""

from dataclasses import dataclass
from functools import lru_cache
from math import exp, lgamma, log
from typing import ClassVar, Final

import numpy as np

from stats_tests.bits import Batch
from stats_tests.nist.mode import Mode
from stats_tests.nist.packing import block_words, shifted_left
from stats_tests.results import TestResult, not_applicable
from stats_tests.special import chi_squared_tail

__all__ = ["OverlappingTemplate", "approximate_probabilities", "exact_probabilities"]

_MINIMUM_BITS: Final = 1_000_000
_CLASSES: Final = 6


@dataclass(frozen=True, slots=True)
class OverlappingTemplate:
    """SP 800-22 section 2.8; ``template_bits`` ones (m) are looked for in blocks of ``block_bits`` (M).

    The probabilities of 0, 1, … 4, and of at least 5 occurrences: sts-2.1.2 has right ones for the default in its
    source, but overwrites them with an approximation by a compound Poisson law. The exact mode computes them.
    """

    name: ClassVar[str] = "overlapping_template"
    p_value_count: ClassVar[int] = 1

    template_bits: int = 9
    block_bits: int = 1032

    def __post_init__(self) -> None:
        if not 2 <= self.template_bits <= min(63, self.block_bits - _CLASSES + 2):
            raise ValueError("a template has from 2 to 63 bits, and a block has room for five that overlap")

    def unsuitable(self, bits: int) -> str | None:
        """At least a million bits (2.8.7)."""
        return f"needs at least {_MINIMUM_BITS} bits" if bits < _MINIMUM_BITS else None

    def run(self, batch: Batch, mode: Mode) -> list[TestResult]:
        """χ² over the classes of blocks."""
        counts = self._occurrences(batch)
        blocks = counts.shape[1]
        if blocks == 0:
            return [not_applicable(self.name, 1, "no whole block")] * batch.sequences
        law = exact_probabilities if mode is Mode.EXACT else approximate_probabilities
        expected = blocks * np.array(law(self.template_bits, self.block_bits))
        results = []
        for row in counts:
            classes = np.bincount(np.minimum(row, _CLASSES - 1), minlength=_CLASSES)
            chi_squared = float(np.sum((classes - expected) ** 2 / expected))
            p_value = float(chi_squared_tail(_CLASSES - 1, chi_squared))
            statistics = {"counts": classes.tolist(), "chi_squared": chi_squared}
            results.append(TestResult(self.name, (p_value,), statistics=statistics))
        return results

    def _occurrences(self, batch: Batch) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        words = block_words(batch, self.block_bits)
        runs, length = words, 1
        while length < self.template_bits:
            # A bit of `runs` says that so many ones begin there; two runs one behind the other make a longer one.
            step = min(length, self.template_bits - length)
            runs = runs & shifted_left(runs, step)
            length += step
        return np.asarray(np.bitwise_count(runs).sum(axis=2), dtype=np.int64)


@lru_cache(maxsize=32)
def exact_probabilities(template_bits: int, block_bits: int) -> tuple[float, ...]:
    """Return P of 0 … 4 and of at least 5 occurrences in a block of fair bits, by its Markov chain.

    The state is how many ones stand at the end (at most m) and how often m have stood there (at most 5).
    """
    state = np.zeros((template_bits + 1, _CLASSES))
    state[0, 0] = 1.0
    for _ in range(block_bits):
        following = np.zeros_like(state)
        following[0] = state.sum(axis=0) / 2.0
        following[1:-1] = state[:-2] / 2.0
        hit = (state[-2] + state[-1]) / 2.0
        following[-1, 1:] = hit[:-1]
        following[-1, -1] += hit[-1]
        state = following
    return tuple(state.sum(axis=0).tolist())


@lru_cache(maxsize=32)
def approximate_probabilities(template_bits: int, block_bits: int) -> tuple[float, ...]:
    """Return the same as sts-2.1.2 computes it: a compound Poisson law with η = λ/2 (section 3.8)."""
    eta = (block_bits - template_bits + 1) / 2.0**template_bits / 2.0

    def of(count: int) -> float:
        return sum(
            exp(
                -eta
                - count * log(2.0)
                + clumps * log(eta)
                - lgamma(clumps + 1)
                + lgamma(count)
                - lgamma(clumps)
                - lgamma(count - clumps + 1)
            )
            for clumps in range(1, count + 1)
        )

    found = [exp(-eta), *(of(count) for count in range(1, _CLASSES - 1))]
    return (*found, 1.0 - sum(found))
