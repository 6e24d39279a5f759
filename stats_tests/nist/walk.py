"""The random walk of a sequence: partial sums S_k of its bits as ±1, sixteen bits at a time.

Cumulative sums and both excursion tests need it. Where the walk stands between two groups of sixteen bits follows from
their ones; single positions are worked out only where an extreme may be, or near nought.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.bits import Batch

__all__ = ["Walk", "walks"]

_GROUP_BITS: Final = 16
_GROUP_BYTES: Final = _GROUP_BITS // 8


@dataclass(frozen=True, slots=True)
class Walk:
    """The walk of one sequence.

    ``groups`` are its whole groups of sixteen bits, two bytes each; ``before`` is where it stands before each of them;
    ``tail`` the positions after each bit behind the last one; ``end`` where it ends.
    """

    groups: NDArray[np.uint8]
    before: NDArray[np.int32]
    tail: NDArray[np.int32]
    end: int

    def extremes(self) -> tuple[int, int]:
        """Return the lowest and the highest S_k, S_0 = 0 included."""
        lowest = min(0, int(self.tail.min(initial=0)))
        highest = max(0, int(self.tail.max(initial=0)))
        if self.before.size:
            # No group gets further than sixteen from where it begins, so few can hold the extremes.
            high = self._positions(self.before >= self.before.max() - _GROUP_BITS)
            low = self._positions(self.before <= self.before.min() + _GROUP_BITS)
            lowest = min(lowest, int(low.min()))
            highest = max(highest, int(high.max()))
        return lowest, highest

    def near(self, reach: int) -> NDArray[np.int32]:
        """Return S_k for k = 1 … n in order, leaving out groups during which |S_k| ≤ ``reach`` cannot happen."""
        return np.concatenate([self._positions(np.abs(self.before) <= reach + _GROUP_BITS), self.tail])

    def _positions(self, chosen: NDArray[np.bool_]) -> NDArray[np.int32]:
        places = np.flatnonzero(chosen)
        prefixes = np.cumsum(_steps(np.unpackbits(self.groups[places], axis=1)), axis=1, dtype=np.int32)
        return (self.before[places, np.newaxis] + prefixes).reshape(-1)


def walks(batch: Batch) -> list[Walk]:
    """Return the walk of each sequence."""
    if "walks" not in batch.memo:
        batch.memo["walks"] = [_walk(row, batch.bits) for row in batch.packed]
    found: list[Walk] = batch.memo["walks"]
    return found


def _walk(packed: NDArray[np.uint8], bits: int) -> Walk:
    count = bits // _GROUP_BITS
    groups = packed[: count * _GROUP_BYTES].reshape(count, _GROUP_BYTES)
    ones = np.bitwise_count(groups.reshape(-1).view(np.uint16))
    after = np.cumsum(ones, dtype=np.int32)
    after *= 2
    after -= _GROUP_BITS * np.arange(1, count + 1, dtype=np.int32)
    before = np.zeros(count + 1, dtype=np.int32)
    before[1:] = after
    rest = np.unpackbits(packed[count * _GROUP_BYTES :], count=bits % _GROUP_BITS)
    tail = before[-1] + np.cumsum(_steps(rest), dtype=np.int32)
    return Walk(groups, before[:-1], tail, int(tail[-1] if tail.size else before[-1]))


def _steps(bits: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Return bits as ±1. They are signed before they are doubled: an unsigned -1 is 255."""
    return bits.view(np.int8) * np.int8(2) - np.int8(1)
