"""2.10 Linear complexity: whether blocks are as hard to make with a feedback register as they should be."""

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from stats_tests.bits import Batch
from stats_tests.linear_complexity import linear_complexities
from stats_tests.nist.mode import Mode
from stats_tests.nist.packing import block_bytes
from stats_tests.results import TestResult, not_applicable
from stats_tests.special import chi_squared_tail

__all__ = ["LinearComplexity"]

_MINIMUM_BITS: Final = 1_000_000
_MINIMUM_BLOCKS: Final = 200
_CENTRE: Final = 3
# Classes T ≤ -2.5, … , T > 2.5 (section 3.10). The first is 1/96; sts-2.1.2 has .01047, and the last with five places.
_EXACT: Final = (1 / 96, 1 / 32, 1 / 8, 1 / 2, 1 / 4, 1 / 16, 1 / 48)
_NIST: Final = (0.01047, 0.03125, 0.125, 0.5, 0.25, 0.0625, 0.020833)


@dataclass(frozen=True, slots=True)
class LinearComplexity:
    """SP 800-22 section 2.10; ``block_bits`` is the publication's M."""

    name: ClassVar[str] = "linear_complexity"
    p_value_count: ClassVar[int] = 1

    block_bits: int = 500

    def __post_init__(self) -> None:
        if self.block_bits < 1:
            raise ValueError("a block has at least one bit")

    def unsuitable(self, bits: int) -> str | None:
        """At least a million bits and 200 blocks (2.10.7)."""
        needed = max(_MINIMUM_BITS, _MINIMUM_BLOCKS * self.block_bits)
        return f"needs at least {needed} bits" if bits < needed else None

    def run(self, batch: Batch, mode: Mode) -> list[TestResult]:
        """χ² over seven classes of blocks by how far their complexity is from its mean."""
        packed = block_bytes(batch, self.block_bits)
        sequences, blocks = packed.shape[:2]
        if blocks == 0:
            return [not_applicable(self.name, 1, "no whole block")] * sequences
        complexities = linear_complexities(packed.reshape(sequences * blocks, -1), self.block_bits)
        classes = self._classes(complexities.reshape(sequences, blocks))
        expected = blocks * np.array(_EXACT if mode is Mode.EXACT else _NIST)
        results = []
        for row in classes:
            counts = np.bincount(row, minlength=len(expected))
            chi_squared = float(np.sum((counts - expected) ** 2 / expected))
            p_value = float(chi_squared_tail(len(expected) - 1, chi_squared))
            statistics = {"counts": counts.tolist(), "chi_squared": chi_squared}
            results.append(TestResult(self.name, (p_value,), statistics=statistics))
        return results

    def _classes(
        self, complexities: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        """Return 0 … 6 for T ≤ -2.5 … T > 2.5.

        T = (-1)^M (L - μ) + 2/9 is a whole number but for μ's last term, which is below 2^-M M: L - M/2 for an even M,
        (M + 1)/2 - L for an odd one. (NIST's program has the sign inside μ wrong; by 1/18, which moves no class.)
        """
        if self.block_bits % 2 == 0:
            distance = complexities - self.block_bits // 2
        else:
            distance = (self.block_bits + 1) // 2 - complexities
        return np.clip(distance + _CENTRE, 0, 2 * _CENTRE)
