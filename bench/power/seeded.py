"""Streams of a generator that passes every battery, each begun from a seed of a few bits, or from a shared one."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["all_beginnings", "sessions", "splitmix64"]

Bytes = NDArray[np.uint8]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ALL_AT_ONCE = 1 << 18


def splitmix64(seeds: NDArray[np.uint64], size: int) -> Bytes:
    """Return ``size`` bytes of SplitMix64 for each seed, shape (seeds, size).

    The seed is mixed before it is used, as careful programs do, so that neighbouring seeds have nothing in common.
    """
    words = -(-size // 8)
    states = _mixed(seeds)[:, np.newaxis] + _GOLDEN * np.arange(1, words + 1, dtype=np.uint64)
    return _mixed(states).astype(">u8").view(np.uint8)[:, :size]


def sessions(count: int, size: int, *, seed_bits: int, seed: int = 0) -> Bytes:
    """Return the first ``size`` bytes of ``count`` sessions, each with a seed of ``seed_bits`` bits of its own."""
    random = np.random.Generator(np.random.PCG64DXSM([seed, 0x5E55]))
    return splitmix64(random.integers(0, 1 << seed_bits, count, dtype=np.uint64), size)


def all_beginnings(seed_bits: int, size: int = 16) -> Iterator[Bytes]:
    """Yield what a stream begins with, for all 2^``seed_bits`` seeds in order: what a seed search compares with."""
    for first in range(0, 1 << seed_bits, _ALL_AT_ONCE):
        last = min(first + _ALL_AT_ONCE, 1 << seed_bits)
        yield splitmix64(np.arange(first, last, dtype=np.uint64), size)


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    mixed = (numbers ^ numbers >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ mixed >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return mixed ^ mixed >> np.uint64(31)
