"""Ones in each bit plane: catches single bits that are stuck, biased or forgotten, which all bits together hide."""

from dataclasses import dataclass
from math import expm1, log1p
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.discrete import binomial_two_sided
from stats_tests.results import TestResult

__all__ = ["BitPlaneFrequency", "ones_in_planes"]

_WORD_BITS: Final = (1, 8, 16, 32, 64)
_PLANES: Final = 64
_BYTES: Final = _PLANES // 8


@dataclass(frozen=True, slots=True)
class BitPlaneFrequency:
    """How often bit i of a word is 1, for words of 8, 16, 32 and 64 bits; for words of 1 bit, how many ones there are.

    A bit that is stuck at 1 in one word of a thousand makes 0.05 % too many ones in its plane and a sixty-fourth of
    that in all bits. Planes of one word size are independent and their counts binomial, so the law is exact: each
    P-value is that of the most extreme plane, 1 - (1 - p)^w.
    """

    name: ClassVar[str] = "bit-plane frequency"

    @property
    def p_value_count(self) -> int:
        """One for each size of words: 1 (all bits), 8, 16, 32, 64 bits."""
        return len(_WORD_BITS)

    def unsuitable(self, size: int) -> str | None:
        """As many words as SP 800-22 wants bits."""
        return f"needs at least {100 * _BYTES} bytes, for 100 words of 64 bits" if size < 100 * _BYTES else None

    def run(self, data: NDArray[np.uint8]) -> TestResult:
        """All whole words of 64 bits."""
        rows = len(data) // _BYTES
        ones = ones_in_planes(data)
        p_values = []
        extremes = {}
        for width in _WORD_BITS:
            trials = rows * (_PLANES // width)
            counts = ones.reshape(-1, width).sum(axis=0)
            plane = int(np.argmax(np.abs(2 * counts - trials)))
            one = binomial_two_sided(int(counts[plane]), trials, 0.5)
            p_values.append(1.0 if one >= 1.0 else -expm1(width * log1p(-one)))
            extremes[f"words of {width}"] = {"plane": plane, "ones": int(counts[plane]), "trials": trials}
        return TestResult(self.name, tuple(p_values), statistics=extremes)


def ones_in_planes(data: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return how often each of the 64 bits of all whole 64-bit words is 1; plane 0 is the first bit of the stream."""
    rows = data[: len(data) // _BYTES * _BYTES].reshape(-1, _BYTES)
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, np.newaxis], axis=1).astype(np.int64)
    return np.concatenate([np.bincount(column, minlength=256) @ bits for column in rows.T])
