"""Ranks of large matrices over GF(2): the bits of linear generators, and of planes of words, depend on each other."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stats_tests.results import TestResult
from stats_tests.weakness.words import bit_plane

__all__ = ["MatrixRank", "deficiency_law", "rank"]


@dataclass(frozen=True, slots=True)
class MatrixRank:
    """How much is missing to full rank in ``matrices`` square matrices of ``size`` rows.

    Two streams of bits are looked at: all bits as they come, and only the last bit of each byte order's 64-bit word
    (bits 7 and 63 of the stream's words). The number of missing ranks is added over the matrices and held against its
    exact distribution, upwards only: a lack of rank is what linear dependence makes.
    """

    size: int = 512
    matrices: int = 4

    @property
    def name(self) -> str:
        """The name, with the size."""
        return f"matrix ranks, {self.size} rows"

    @property
    def p_value_count(self) -> int:
        """All bits; plane 63 (the lowest bit of big-endian words); plane 7 (of little-endian ones)."""
        return 3

    def unsuitable(self, size: int) -> str | None:
        """A matrix of all bits; planes need 64 times as much."""
        needed = self.size * self.size // 8
        return f"needs at least {needed} bytes, for one matrix" if size < needed else None

    def run(self, data: NDArray[np.uint8]) -> TestResult:
        """All bits, plane 63, plane 7; planes are None where there are too few words."""
        cells = self.size * self.size
        p_values: list[float | None] = [self._judge(data[: self.matrices * cells // 8])]
        for plane in (63, 7):
            matrices = min(self.matrices, len(data) // 8 // cells)
            if matrices == 0:
                p_values.append(None)
                continue
            bits = bit_plane(data, 64, plane, matrices * cells)
            p_values.append(self._judge(np.packbits(bits)))
        reason = f"planes need {cells * 8} bytes, and there are {len(data)}" if None in p_values else None
        return TestResult(self.name, tuple(p_values), reason)

    def _judge(self, packed: NDArray[np.uint8]) -> float:
        width = self.size // 8
        matrices = len(packed) // (width * self.size)
        rows = packed[: matrices * width * self.size].reshape(matrices, self.size, width)
        missing = sum(self.size - rank(matrix) for matrix in rows)
        law = np.ones(1)
        for _ in range(matrices):
            law = np.convolve(law, deficiency_law(self.size))
        return min(1.0, float(law[missing:].sum()))


def rank(matrix: NDArray[np.uint8]) -> int:
    """Return the rank over GF(2) of ``matrix``, shape (rows, bytes); the number of bytes is a multiple of 8.

    Each row in turn is taken off all rows below it that have its first bit set.
    """
    rows: NDArray[np.uint64] = np.array(matrix, dtype=np.uint8, order="C").view(np.uint64)
    found = 0
    for index in range(len(rows)):
        pivot = rows[index]
        filled = np.flatnonzero(pivot)
        if not len(filled):
            continue
        found += 1
        word = int(filled[0])
        bit = np.uint64(int(pivot[word]) & -int(pivot[word]))
        below: NDArray[Any] = rows[index + 1 :]
        hit = below[:, word] & bit != 0
        below[hit] ^= pivot
    return found


@lru_cache(maxsize=16)
def deficiency_law(size: int) -> NDArray[np.float64]:
    """Return P(rank = size - d), d = 0 … 40, of a random square matrix: 2^(-d²) Π (…), to below 1e-300."""
    law = np.zeros(min(size, 40) + 1)
    for missing in range(len(law)):
        logarithm = -float(missing * missing) * np.log(2.0)
        for i in range(size - missing):
            logarithm += 2.0 * np.log1p(-(2.0 ** (i - size))) - np.log1p(-(2.0 ** (i - (size - missing))))
        law[missing] = np.exp(logarithm) if logarithm > -700.0 else 0.0
    return law
