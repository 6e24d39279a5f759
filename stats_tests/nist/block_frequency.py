"""2.2 Frequency within a block: whether each block has as many ones as zeros."""

from dataclasses import dataclass
from typing import ClassVar, Final

from stats_tests.bits import Batch
from stats_tests.nist.mode import Mode
from stats_tests.nist.packing import block_ones
from stats_tests.results import TestResult
from stats_tests.special import chi_squared_tail

__all__ = ["BlockFrequency"]

_MINIMUM_BITS: Final = 100


@dataclass(frozen=True, slots=True)
class BlockFrequency:
    """SP 800-22 section 2.2; ``block_bits`` is the publication's M.

    With the default M = 128 a million bits make 7,812 blocks, more than the text recommends (N < 100): the χ²
    approximation is the better for it, only the power against slow drifts is less.
    """

    name: ClassVar[str] = "block_frequency"
    p_value_count: ClassVar[int] = 1

    block_bits: int = 128

    def __post_init__(self) -> None:
        if self.block_bits < 1:
            raise ValueError("a block has at least one bit")

    def unsuitable(self, bits: int) -> str | None:
        """At least 100 bits (2.2.7), and one block."""
        needed = max(_MINIMUM_BITS, self.block_bits)
        return f"needs at least {needed} bits" if bits < needed else None

    def run(self, batch: Batch, mode: Mode) -> list[TestResult]:  # noqa: ARG002 - the same in both
        """χ² = 4M Σ (π_i - ½)² with as many degrees of freedom as there are blocks."""
        ones = block_ones(batch, self.block_bits)
        # (2 ones - M)² / M is the same summand in integers: nothing is rounded before the one division.
        chi_squared = ((2 * ones - self.block_bits) ** 2).sum(axis=1) / self.block_bits
        p_values = chi_squared_tail(ones.shape[1], chi_squared)
        return [
            TestResult(self.name, (float(p_value),), statistics={"blocks": ones.shape[1], "chi_squared": float(chi)})
            for p_value, chi in zip(p_values, chi_squared, strict=True)
        ]
