"""Linear complexity of bit planes: catches every generator whose bits are linear over GF(2), or short counters."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import expm1, log1p
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.linear_complexity import linear_complexities
from stats_tests.results import TestResult
from stats_tests.weakness.words import bit_plane

__all__ = ["BitPlaneComplexity", "LongBitPlaneComplexity", "complexity_at_most", "linear_complexity"]

_PLANES: Final = 64


@dataclass(frozen=True, slots=True)
class BitPlaneComplexity:
    """The lowest linear complexity among the 64 bit planes of 64-bit words, one block of ``bits`` bits of each.

    Bit i of every word is a sequence of its own; of a linear generator with k bits of state its complexity is at most
    k, where half the block's length is expected: 19,937 for a Mersenne Twister against 20,500 with blocks of 41,000
    bits, 128 for xorshift128+ in its lowest bit. Planes of 32-bit words, and every second word of them, are among
    these. The distribution of one complexity is exact; the P-value is that of the lowest of all planes.
    """

    name: ClassVar[str] = "bit-plane linear complexity, all planes"

    bits: int = 2_048

    @property
    def p_value_count(self) -> int:
        """One, for the lowest complexity."""
        return 1

    def unsuitable(self, size: int) -> str | None:
        """A block for each plane."""
        needed = self.bits * _PLANES // 8
        return f"needs at least {needed} bytes, for {self.bits} words of 64 bits" if size < needed else None

    def run(self, data: NDArray[np.uint8]) -> TestResult:
        """The first ``bits`` words."""
        planes = np.stack([bit_plane(data, _PLANES, plane, self.bits) for plane in range(_PLANES)])
        found = linear_complexities(np.packbits(planes, axis=1), self.bits)
        return _lowest(self.name, found.tolist(), range(_PLANES), self.bits)


@dataclass(frozen=True, slots=True)
class LongBitPlaneComplexity:
    """The same with blocks of 41,000 bits of a few planes, for generators with a large state.

    Every plane of a Mersenne Twister has the complexity 19,937, where 20,500 is expected; one would do. The default
    planes are the first and the last bit of 32-bit and of 64-bit words.
    """

    name: ClassVar[str] = "bit-plane linear complexity, long"

    bits: int = 41_000
    planes: tuple[int, ...] = (0, 31, 63)

    @property
    def p_value_count(self) -> int:
        """One, for the lowest complexity."""
        return 1

    def unsuitable(self, size: int) -> str | None:
        """A block for each plane."""
        needed = self.bits * _PLANES // 8
        return f"needs at least {needed} bytes, for {self.bits} words of 64 bits" if size < needed else None

    def run(self, data: NDArray[np.uint8]) -> TestResult:
        """The first ``bits`` words."""
        found = [linear_complexity(bit_plane(data, _PLANES, plane, self.bits)) for plane in self.planes]
        return _lowest(self.name, found, self.planes, self.bits)


def linear_complexity(bits: NDArray[np.uint8]) -> int:
    """Return the linear complexity of ``bits``, 0 and 1, by Berlekamp and Massey on whole polynomials.

    A polynomial is one large integer, bit i the coefficient of x^i. For one long block this beats the bit-sliced
    `linear_complexities`, which is made for thousands of short ones.
    """
    connection = earlier = 1
    complexity = behind = backwards = 0
    for place, bit in enumerate(bits.tolist()):
        backwards = backwards << 1 | bit
        behind += 1
        if (connection & backwards).bit_count() & 1:
            before = connection
            connection ^= earlier << behind
            if 2 * complexity <= place:
                complexity = place + 1 - complexity
                earlier, behind = before, 0
    return complexity


def _lowest(name: str, found: Sequence[int], planes: Sequence[int], bits: int) -> TestResult:
    lowest = min(found)
    one = complexity_at_most(lowest, bits)
    p_value = 1.0 if one >= 1.0 else -expm1(len(found) * log1p(-one))
    statistics = {"lowest": lowest, "expected": bits // 2, "plane": planes[found.index(lowest)]}
    return TestResult(name, (p_value,), statistics=statistics)


def complexity_at_most(complexity: int, bits: int) -> float:
    """Return P(linear complexity of ``bits`` random bits ≤ ``complexity``).

    Of n bits 2^min(2L-1, 2n-2L) sequences have complexity L ≥ 1, and one has 0 (Rueppel, 1986). Up to n/2 they add up
    to (2^(2L+1) + 1) / 3; from there on the rest is what is missing to 1.
    """
    if complexity < 0:
        return 0.0
    if complexity >= bits:
        return 1.0
    if 2 * complexity <= bits:
        # 2^(2L-n) · 2/3 and the single 2^-n / 3; far below the smallest float for a weak plane, which is 0 then.
        return 2.0 ** max(-1080, 2 * complexity - bits) * 2.0 / 3.0 + 2.0 ** max(-1080, -bits) / 3.0
    # Above: Σ_{l > L} 2^(2n-2l) / 2^n = (4^(n-L) - 1) / 3 / 2^n
    return 1.0 - (2.0 ** (bits - 2 * complexity) - 2.0 ** max(-1080, -bits)) / 3.0
