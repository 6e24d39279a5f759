"""Whole-stream duplicates: 128 bits of a stream that come back anywhere in it."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.results import TestResult, not_applicable

__all__ = ["StreamDuplicates"]

_WINDOW: Final = 16
_STEP: Final = 4
_PART: Final = 1 << 22
_MULTIPLIERS: Final = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))


class StreamDuplicates:
    """Feed it a stream of any length with `update`, in parts of any size; `result` says whether 128 bits came back.

    Windows of 16 bytes begin at every fourth byte. Not all can be kept of a long stream: one is when the leading bits
    of its hash are 0, ever more of them as memory fills up (``most`` windows of 16 bytes). Since equal windows have
    equal hashes, a block that is repeated is noticed as long as a few of its windows are kept: of 10 GB with the
    default every 640th or so, so repeats of some 20 kB are found for certain, and any short period is.

    It keeps at most ``most`` · 16 bytes, and as much again while it sorts.
    """

    name: Final = "duplicates, whole stream"

    def __init__(self, *, most: int = 1 << 22) -> None:
        self._most = most
        self._kept: list[NDArray[np.uint64]] = []
        self._kept_count = 0
        self._zeros = 0
        self._tail = np.empty(0, dtype=np.uint8)
        self._windows = 0
        self._repeated = 0
        self._bytes = 0

    def update(self, data: NDArray[np.uint8]) -> None:
        """Add the next bytes of the stream, one dimension."""
        for first in range(0, len(data), _PART):
            self._add(np.concatenate([self._tail, data[first : first + _PART]]))
        self._bytes += len(data)

    def result(self) -> TestResult:
        """Return the P-value: the chance of any repeat among all windows, at most, if there was one, and 1 if not."""
        if self._windows < 2:
            return not_applicable(self.name, 1, f"needs at least {_WINDOW + _STEP} bytes, and there are {self._bytes}")
        self._sift()
        bound = min(1.0, self._windows * (self._windows - 1) / 2.0**129)
        statistics = {"windows": self._windows, "repeated": self._repeated, "one_kept_of": 1 << self._zeros}
        return TestResult(self.name, (bound if self._repeated else 1.0,), statistics=statistics)

    def _add(self, data: NDArray[np.uint8]) -> None:
        windows = (len(data) - _WINDOW) // _STEP + 1 if len(data) >= _WINDOW else 0
        self._tail = data[windows * _STEP :].copy()
        if not windows:
            return
        self._windows += windows
        aligned = np.ascontiguousarray(data[: (windows - 1) * _STEP + _WINDOW]).view("<u4").astype(np.uint64)
        pairs = aligned[:-1] << np.uint64(32) | aligned[1:]
        keys = np.stack([pairs[:-2], pairs[2:]], axis=1)
        self._kept.append(keys[self._chosen(keys)])
        self._kept_count += len(self._kept[-1])
        if self._kept_count > self._most:
            self._sift()

    def _chosen(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        if self._zeros == 0:
            return np.ones(len(keys), dtype=np.bool_)
        return np.asarray(_hashes(keys) >> np.uint64(64 - self._zeros) == 0, dtype=np.bool_)

    def _sift(self) -> None:
        """Count and drop what is there twice, and keep every second window until there is room again."""
        keys = np.concatenate(self._kept) if self._kept else np.empty((0, 2), dtype=np.uint64)
        keys = keys[np.argsort(_hashes(keys))]
        again = np.zeros(len(keys), dtype=np.bool_)
        again[1:] = (keys[1:] == keys[:-1]).all(axis=1)
        self._repeated += int(np.count_nonzero(again))
        keys = keys[~again]
        while len(keys) > self._most // 2:
            self._zeros += 1
            keys = keys[self._chosen(keys)]
        self._kept = [keys]
        self._kept_count = len(keys)


def _hashes(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a 64-bit hash of each row of two numbers; different rows share one about never."""
    hashed = keys[:, 0] * _MULTIPLIERS[0] ^ keys[:, 1] * _MULTIPLIERS[1]
    hashed ^= hashed >> np.uint64(29)
    hashed *= _MULTIPLIERS[0]
    return hashed
