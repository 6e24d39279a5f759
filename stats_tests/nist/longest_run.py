"""2.4 Longest run of ones in a block."""

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.bits import Batch
from stats_tests.nist.mode import Mode
from stats_tests.nist.packing import block_words, shifted_left
from stats_tests.results import TestResult
from stats_tests.special import chi_squared_tail

__all__ = ["LongestRun", "class_probabilities"]

_MINIMUM_BITS: Final = 128


@dataclass(frozen=True, slots=True)
class _Classes:
    """Blocks of ``block_bits`` by their longest run: at most ``first``, each length between, at least ``last``."""

    block_bits: int
    first: int
    last: int
    nist: tuple[float, ...]


# Table of 2.4.2, with the probabilities that sts-2.1.2 has in its source. Those for 8 and 128 bits are right to ten
# places; those for 10,000 bits are printed with four, of which the last two are wrong.
_SMALL: Final = _Classes(8, 1, 4, (0.21484375, 0.3671875, 0.23046875, 0.1875))
_MIDDLE: Final = _Classes(128, 4, 9, (0.1174035788, 0.242955959, 0.249363483, 0.17517706, 0.102701071, 0.112398847))
_LARGE: Final = _Classes(10_000, 10, 16, (0.0882, 0.2092, 0.2483, 0.1933, 0.1208, 0.0675, 0.0727))


@dataclass(frozen=True, slots=True)
class LongestRun:
    """SP 800-22 section 2.4; the block length follows from the length of the sequence."""

    name: ClassVar[str] = "longest_run"
    p_value_count: ClassVar[int] = 1

    def unsuitable(self, bits: int) -> str | None:
        """At least 128 bits (2.4.2)."""
        return f"needs at least {_MINIMUM_BITS} bits" if bits < _MINIMUM_BITS else None

    def run(self, batch: Batch, mode: Mode) -> list[TestResult]:
        """χ² over the classes of blocks."""
        classes = _classes(batch.bits)
        lengths = longest_runs(block_words(batch, classes.block_bits), classes.first, classes.last)
        blocks = lengths.shape[1]
        if mode is Mode.EXACT:
            probabilities = class_probabilities(classes.block_bits, classes.first, classes.last)
        else:
            probabilities = classes.nist
        expected = blocks * np.array(probabilities)
        results = []
        for row in lengths:
            counts = np.bincount(row - classes.first, minlength=len(expected))
            chi_squared = float(np.sum((counts - expected) ** 2 / expected))
            p_value = float(chi_squared_tail(len(expected) - 1, chi_squared))
            statistics = {"block_bits": classes.block_bits, "counts": counts.tolist(), "chi_squared": chi_squared}
            results.append(TestResult(self.name, (p_value,), statistics=statistics))
        return results


def longest_runs(words: NDArray[np.uint64], first: int, last: int) -> NDArray[np.int64]:
    """Return the longest run of ones in each block, clamped to [first, last]: shape (sequences, blocks).

    A bit of ``runs`` says that a run of so many ones begins there. Runs of 2, 4, 8 … come from doubling, and from
    ``first`` on one more at a time.
    """
    runs, length = words, 1
    while length * 2 <= first + 1:
        runs = runs & shifted_left(runs, length)
        length *= 2
    if length < first + 1:
        runs = runs & shifted_left(runs, first + 1 - length)
        length = first + 1
    longest = np.full(words.shape[:-1], first, dtype=np.int64)
    longest += runs.any(axis=-1)
    while length < last:
        runs = runs & shifted_left(words, length)
        length += 1
        longest += runs.any(axis=-1)
    return longest


@lru_cache(maxsize=32)
def class_probabilities(block_bits: int, first: int, last: int) -> tuple[float, ...]:
    """Return the probabilities of the classes in blocks of ``block_bits`` fair bits, by a recurrence without error."""
    at_most = [_no_longer_run(block_bits, length) for length in range(first, last)]
    return (at_most[0], *np.diff(at_most).tolist(), 1.0 - at_most[-1])


def _no_longer_run(bits: int, longest: int) -> float:
    """P(no run of more than ``longest`` ones among ``bits`` fair bits).

    q(n) = q(n-1) - q(n - longest - 2) / 2^(longest+2): a first run that is too long ends at bit n, a zero stands
    before it, and nothing was too long before that zero.
    """
    too_long = longest + 1
    shares = [1.0] * too_long + [1.0 - 0.5**too_long]
    for n in range(too_long + 1, bits + 1):
        shares.append(shares[n - 1] - shares[n - too_long - 1] * 0.5 ** (too_long + 1))
    return shares[bits]


def _classes(bits: int) -> _Classes:
    if bits < 6_272:
        return _SMALL
    return _MIDDLE if bits < 750_000 else _LARGE
