"""2.7 Non-overlapping template matching: how often words that cannot overlap themselves occur."""

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Final

import numpy as np

from stats_tests.bits import Batch
from stats_tests.nist.mode import Mode
from stats_tests.nist.patterns import MAX_PATTERN_BITS, block_pattern_counts
from stats_tests.results import TestResult, not_applicable
from stats_tests.special import chi_squared_tail

__all__ = ["NonOverlappingTemplate", "aperiodic_words", "templates"]

# sts-2.1.2 takes no more templates than there are of nine bits.
_MOST_TEMPLATES: Final = 148
_FEWEST_EXPECTED: Final = 5


@dataclass(frozen=True, slots=True)
class NonOverlappingTemplate:
    """SP 800-22 section 2.7; ``template_bits`` is the publication's m, ``blocks`` its N.

    Only words of which no beginning is also an ending are looked for. Two of their occurrences never overlap, so
    looking on behind each hit, as the publication does, finds exactly as many as looking everywhere: one count of all
    patterns answers for all templates.
    """

    name: ClassVar[str] = "non_overlapping_template"

    template_bits: int = 9
    blocks: int = 8

    def __post_init__(self) -> None:
        if not 2 <= self.template_bits <= MAX_PATTERN_BITS:
            raise ValueError(f"templates have from 2 to {MAX_PATTERN_BITS} bits")
        if self.blocks < 1:
            raise ValueError("there is at least one block")

    @property
    def p_value_count(self) -> int:
        """One for each template."""
        return len(templates(self.template_bits))

    def unsuitable(self, bits: int) -> str | None:
        """Blocks in which a template is expected five times, so that its count is nearly normal.

        The publication sets no bound in bits; with its M > n/100 and N ≤ 100 (2.7.7) this is what χ² needs.
        """
        needed = self.blocks * ((_FEWEST_EXPECTED << self.template_bits) + self.template_bits - 1)
        return f"needs at least {needed} bits for templates of {self.template_bits}" if bits < needed else None

    def run(self, batch: Batch, mode: Mode) -> list[TestResult]:  # noqa: ARG002 - the same in both
        """χ² of the counts in the blocks, for each template in ascending order."""
        m, block_bits = self.template_bits, batch.bits // self.blocks
        mean = (block_bits - m + 1) / 2.0**m
        variance = block_bits * (2.0**-m - (2 * m - 1) * 2.0 ** (-2 * m))
        if mean <= 0 or variance <= 0:
            return [not_applicable(self.name, self.p_value_count, "blocks are too short")] * batch.sequences
        words = np.array(templates(m))
        counts = block_pattern_counts(batch, m, self.blocks, block_bits)[:, :, words]
        chi_squared = ((counts - mean) ** 2).sum(axis=1) / variance
        return [
            TestResult(self.name, tuple(row.tolist()), statistics={"block_bits": block_bits, "mean": mean})
            for row in chi_squared_tail(self.blocks, chi_squared)
        ]


@lru_cache(maxsize=32)
def aperiodic_words(bits: int) -> tuple[int, ...]:
    """Return the words of ``bits`` bits of which no proper beginning is also an ending, ascending."""
    words = np.arange(1 << bits)
    aperiodic = np.ones(len(words), dtype=bool)
    for length in range(1, bits):
        aperiodic &= words >> (bits - length) != words & ((1 << length) - 1)
    return tuple(np.flatnonzero(aperiodic).tolist())


def templates(bits: int) -> tuple[int, ...]:
    """Return the words that are looked for: all of them up to 148, else so many, equally spaced, as sts-2.1.2 takes."""
    words = aperiodic_words(bits)
    return words[:: max(1, len(words) // _MOST_TEMPLATES)][:_MOST_TEMPLATES]
