"""2.11 Serial: whether all patterns of m bits occur equally often."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from stats_tests.bits import Batch
from stats_tests.nist.mode import Mode
from stats_tests.nist.patterns import MAX_PATTERN_BITS, cyclic_pattern_counts
from stats_tests.results import TestResult
from stats_tests.special import chi_squared_tail

__all__ = ["Serial"]


@dataclass(frozen=True, slots=True)
class Serial:
    """SP 800-22 section 2.11; ``pattern_bits`` is the publication's m."""

    name: ClassVar[str] = "serial"
    p_value_count: ClassVar[int] = 2

    pattern_bits: int = 16

    def __post_init__(self) -> None:
        if not 2 <= self.pattern_bits <= MAX_PATTERN_BITS:
            raise ValueError(f"patterns have from 2 to {MAX_PATTERN_BITS} bits")

    def unsuitable(self, bits: int) -> str | None:
        """Need m < floor(log2 n) - 2 (2.11.7)."""
        needed = 1 << (self.pattern_bits + 3)
        return f"needs at least {needed} bits for patterns of {self.pattern_bits}" if bits < needed else None

    def run(self, batch: Batch, mode: Mode) -> list[TestResult]:  # noqa: ARG002 - the same in both
        """First and second difference of ψ²_m, ψ²_(m-1), ψ²_(m-2), each against its χ²."""
        m = self.pattern_bits
        psi, psi_1, psi_2 = (self._psi_squared(batch, width) for width in (m, m - 1, m - 2))
        first = psi - psi_1
        second = psi - 2.0 * psi_1 + psi_2
        tails = zip(chi_squared_tail(2 ** (m - 1), first), chi_squared_tail(2 ** (m - 2), second), strict=True)
        return [
            TestResult(self.name, (float(one), float(two)), statistics={"del1": float(a), "del2": float(b)})
            for (one, two), a, b in zip(tails, first, second, strict=True)
        ]

    @staticmethod
    def _psi_squared(batch: Batch, width: int) -> NDArray[np.float64]:
        """ψ² = 2^m/n Σ count² - n, nought for patterns without bits."""
        if width == 0:
            return np.zeros(batch.sequences)
        squares = (cyclic_pattern_counts(batch, width) ** 2).sum(axis=1)
        return np.asarray(squares * (2.0**width / batch.bits) - batch.bits)
