"""2.9 Maurer's universal statistical test: how far back each block of L bits last occurred."""

from dataclasses import dataclass
from math import sqrt
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.bits import Batch
from stats_tests.nist.mode import Mode
from stats_tests.nist.packing import words_of_three_bytes
from stats_tests.results import TestResult, not_applicable
from stats_tests.special import erfc

__all__ = ["Universal", "standard_block_bits"]

# Table of 2.9.4: from how many bits on which block length.
_BLOCK_BITS: Final = (
    (387_840, 6),
    (904_960, 7),
    (2_068_480, 8),
    (4_654_080, 9),
    (10_342_400, 10),
    (22_753_280, 11),
    (49_643_520, 12),
)
_MINIMUM_BITS: Final = _BLOCK_BITS[0][0]
# Expected value and variance of log2 of a distance, for L = 1 … 16 (table of 2.9.4).
_EXPECTED: Final = (
    0.7326495, 1.5374383, 2.4016068, 3.3112247, 4.2534266, 5.2177052, 6.1962507, 7.1836656,
    8.1764248, 9.1723243, 10.170032, 11.168765, 12.168070, 13.167693, 14.167488, 15.167379,
)  # fmt: skip
_VARIANCE: Final = (
    0.690, 1.338, 1.901, 2.358, 2.705, 2.954, 3.125, 3.238,
    3.311, 3.356, 3.384, 3.401, 3.410, 3.416, 3.419, 3.421,
)  # fmt: skip
# So many distances below 2^26 make a product that a float holds: one logarithm for all of them.
_FACTORS: Final = 32


@dataclass(frozen=True, slots=True)
class Universal:
    """SP 800-22 section 2.9; ``block_bits`` is the publication's L, ``initial_blocks`` its Q.

    By default L follows from the length of the sequence, and Q = 10 · 2^L.
    """

    name: ClassVar[str] = "universal"
    p_value_count: ClassVar[int] = 1

    block_bits: int | None = None
    initial_blocks: int | None = None

    def __post_init__(self) -> None:
        if self.block_bits is not None and not 2 <= self.block_bits <= len(_EXPECTED):
            raise ValueError(f"a block has from 2 to {len(_EXPECTED)} bits")

    def unsuitable(self, bits: int) -> str | None:
        """At least 387,840 bits, or for a block length of one's own 1,010 · 2^L blocks of it (2.9.7)."""
        needed = _MINIMUM_BITS if self.block_bits is None else 1_010 * 2**self.block_bits * self.block_bits
        return f"needs at least {needed} bits" if bits < needed else None

    def run(self, batch: Batch, mode: Mode) -> list[TestResult]:  # noqa: ARG002 - the same in both
        """P = erfc(|f_n - expected| / (√2 deviation)), f_n the mean log2 of the distances."""
        width = standard_block_bits(batch.bits) if self.block_bits is None else self.block_bits
        initial = 10 * 2**width if self.initial_blocks is None else self.initial_blocks
        tested = batch.bits // width - initial
        if tested <= 0:
            return [not_applicable(self.name, 1, "no block behind the initial ones")] * batch.sequences
        factor = 0.7 - 0.8 / width + (4.0 + 32.0 / width) * tested ** (-3.0 / width) / 15.0
        sigma = factor * sqrt(_VARIANCE[width - 1] / tested)
        results = []
        for blocks in _blocks(batch, width, initial + tested):
            initialising = _sum_of_logarithms(blocks[:initial], 2**width)
            mean = (_sum_of_logarithms(blocks, 2**width) - initialising) / tested
            p_value = float(erfc(abs(mean - _EXPECTED[width - 1]) / (sqrt(2.0) * sigma)))
            statistics = {"block_bits": width, "initial_blocks": initial, "mean": mean, "sigma": sigma}
            results.append(TestResult(self.name, (p_value,), statistics=statistics))
        return results


def standard_block_bits(bits: int) -> int:
    """Return L for a sequence of ``bits`` bits; 6 also for those that are too short."""
    return max((width for least, width in _BLOCK_BITS if bits >= least), default=6)


def _blocks(batch: Batch, width: int, count: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Return the first ``count`` blocks of ``width`` ≤ 16 bits as numbers: shape (sequences, count)."""
    padded = np.zeros((batch.sequences, batch.packed.shape[1] + 2), dtype=np.uint8)
    padded[:, :-2] = batch.packed
    words = words_of_three_bytes(padded)
    blocks = np.empty((batch.sequences, count), dtype=np.uint8 if width <= 8 else np.uint16)
    # Every eighth block begins at the same bit of a byte, ``width`` bytes further on.
    for first in range(min(8, count)):
        byte, bit = divmod(first * width, 8)
        part = blocks[:, first::8]
        np.right_shift(
            words[:, byte::width][:, : part.shape[1]], np.uint32(24 - width - bit), out=part, casting="unsafe"
        )
    blocks &= blocks.dtype.type((1 << width) - 1)
    return blocks


def _sum_of_logarithms(blocks: NDArray[np.uint8] | NDArray[np.uint16], values: int) -> float:
    """Σ log2 of the distance of each block to its last occurrence; ``values`` is 2^L.

    A value that never occurred before counts as having occurred before the first block, as in the publication's table
    of zeros.
    """
    # In an order by value that keeps the order of places, each block stands behind its last occurrence. Numbers of 8
    # and 16 bits are sorted by radix.
    order = np.argsort(blocks, kind="stable")
    distances = np.ones(-(-len(order) // _FACTORS) * _FACTORS)
    np.subtract(order[1:], order[:-1], out=distances[1 : len(order)])
    counts = np.bincount(blocks, minlength=values)
    firsts = (np.cumsum(counts) - counts)[counts > 0]
    distances[firsts] = order[firsts] + 1
    return float(np.sum(np.log2(distances.reshape(_FACTORS, -1).prod(axis=0))))
