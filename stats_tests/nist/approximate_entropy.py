"""2.12 Approximate entropy: how much the next bit adds to the m before it."""

from dataclasses import dataclass
from math import log
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from stats_tests.bits import Batch
from stats_tests.nist.mode import Mode
from stats_tests.nist.patterns import MAX_PATTERN_BITS, cyclic_pattern_counts
from stats_tests.results import TestResult
from stats_tests.special import chi_squared_tail

__all__ = ["ApproximateEntropy"]


@dataclass(frozen=True, slots=True)
class ApproximateEntropy:
    """SP 800-22 section 2.12; ``pattern_bits`` is the publication's m."""

    name: ClassVar[str] = "approximate_entropy"
    p_value_count: ClassVar[int] = 1

    pattern_bits: int = 10

    def __post_init__(self) -> None:
        if not 1 <= self.pattern_bits < MAX_PATTERN_BITS:
            raise ValueError(f"patterns have from 1 to {MAX_PATTERN_BITS - 1} bits")

    def unsuitable(self, bits: int) -> str | None:
        """Need m < floor(log2 n) - 5 (2.12.7)."""
        needed = 1 << (self.pattern_bits + 6)
        return f"needs at least {needed} bits for patterns of {self.pattern_bits}" if bits < needed else None

    def run(self, batch: Batch, mode: Mode) -> list[TestResult]:  # noqa: ARG002 - the same in both
        """χ² = 2n (ln 2 - ApEn) with 2^m degrees of freedom."""
        entropy = self._phi(batch, self.pattern_bits) - self._phi(batch, self.pattern_bits + 1)
        chi_squared = 2.0 * batch.bits * (log(2.0) - entropy)
        p_values = chi_squared_tail(2**self.pattern_bits, chi_squared)
        return [
            TestResult(self.name, (float(p_value),), statistics={"apen": float(apen), "chi_squared": float(chi)})
            for p_value, apen, chi in zip(p_values, entropy, chi_squared, strict=True)
        ]

    @staticmethod
    def _phi(batch: Batch, width: int) -> NDArray[np.float64]:
        """φ = Σ π ln π over the patterns that occur."""
        share = cyclic_pattern_counts(batch, width) / batch.bits
        return np.asarray(np.sum(share * np.log(share, out=np.zeros_like(share), where=share > 0), axis=1))
