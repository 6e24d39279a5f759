"""How often each pattern of m bits occurs, at every position of a sequence or inside its blocks.

Counts of shorter patterns come from those of longer ones by adding up over the bits left out, so that two counts
answer four tests: one of 16 bits for serial (14, 15, 16 bits) and approximate entropy (10 and 11 bits), one of 10 bits
in each of eight blocks for non-overlapping templates (9 bits).

Neither is counted at every place. A window of 17 bits at every second place holds two of 16, one of 13 bits at every
fourth place holds four of 10; adding up is cheaper than counting. All windows that begin in a byte lie in 24 bits.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.bits import Batch
from stats_tests.nist.packing import words_of_three_bytes

__all__ = ["MAX_PATTERN_BITS", "block_pattern_counts", "cyclic_pattern_counts"]

MAX_PATTERN_BITS: Final = 16
_BLOCKS: Final = 8
_BLOCK_PATTERN_BITS: Final = 10
# Shorter sequences are counted directly: 2^16 counters would cost more than they save.
_CENSUS_BITS: Final = 1 << MAX_PATTERN_BITS
# Windows are made and counted for so many bytes at a time, which bounds the memory: 16 bytes for each of them.
_CHUNK_BYTES: Final = 1 << 17
# Places between windows: for patterns of 16 bits, and of 10.
_RING_STEP: Final = 2
_BLOCK_STEP: Final = 4


@dataclass(frozen=True, slots=True)
class _Census:
    """``ring``: counts of all patterns of 16 bits of the sequence as a ring, shape (sequences, 2^16).

    ``begun``: counts of patterns of 10 bits that begin in each of eight equal blocks of bytes, and may reach into what
    follows, shape (sequences, 8, 2^10).
    """

    ring: NDArray[np.int64]
    begun: NDArray[np.int64]


def cyclic_pattern_counts(batch: Batch, width: int) -> NDArray[np.int64]:
    """Return the counts of all patterns of ``width`` bits (1 … 16) at all n positions, the sequence taken as a ring.

    Shape (sequences, 2^width); pattern i is the number that its bits spell, the first bit the highest.
    """
    if not 1 <= width <= MAX_PATTERN_BITS:
        raise ValueError(f"patterns have from 1 to {MAX_PATTERN_BITS} bits, not {width}")
    if batch.bits % 8 == 0 and batch.bits >= _CENSUS_BITS:
        return _shortened(_census(batch).ring, width)
    # np.resize repeats, so even a sequence shorter than the pattern is a ring.
    rings = [np.resize(bits, batch.bits + width - 1) for bits in batch.unpacked]
    return np.stack([_count(_windows(ring, width), width) for ring in rings])


def block_pattern_counts(batch: Batch, width: int, blocks: int, block_bits: int) -> NDArray[np.int64]:
    """Return the counts of all patterns of ``width`` bits that lie inside each of the first ``blocks`` blocks.

    Shape (sequences, blocks, 2^width).
    """
    fits = blocks == _BLOCKS and block_bits % 8 == 0 and block_bits * _BLOCKS == batch.bits
    if not fits or batch.bits < _CENSUS_BITS or width > _BLOCK_PATTERN_BITS:
        shape = (batch.sequences, blocks, block_bits)
        pieces = batch.unpacked[:, : blocks * block_bits].reshape(shape)
        return np.stack([[_count(_windows(bits, width), width) for bits in row] for row in pieces])
    counts = _shortened(_census(batch).begun, width)
    if width == _BLOCK_PATTERN_BITS:
        counts = counts.copy()  # the census is not ours to change
    for sequence, bits in enumerate(batch.packed):
        for block in range(blocks):
            # What begins in the last bits of a block reaches out of it. These bits, and as many from behind it:
            last = (block + 1) * block_bits // 8
            around = np.unpackbits(np.take(bits, range(last - 2, last + 2), mode="wrap"))
            counts[sequence, block] -= _count(_windows(around[17 - width : 15 + width], width), width)
    return counts


def _census(batch: Batch) -> _Census:
    if "pattern census" not in batch.memo:
        ring = np.empty((batch.sequences, 1 << MAX_PATTERN_BITS), dtype=np.int64)
        begun = np.empty((batch.sequences, _BLOCKS, 1 << _BLOCK_PATTERN_BITS), dtype=np.int64)
        for sequence, packed in enumerate(batch.packed):
            words = words_of_three_bytes(np.concatenate([packed, packed[:2]]))
            ring[sequence] = _at_every_place(_count_windows_of(words, MAX_PATTERN_BITS, _RING_STEP), _RING_STEP)
            for block, part in enumerate(np.array_split(words, _BLOCKS)):
                counts = _count_windows_of(part, _BLOCK_PATTERN_BITS, _BLOCK_STEP)
                begun[sequence, block] = _at_every_place(counts, _BLOCK_STEP)
        batch.memo["pattern census"] = _Census(ring, begun)
    census: _Census = batch.memo["pattern census"]
    return census


def _count_windows_of(words: NDArray[np.uint32], width: int, step: int) -> NDArray[np.int64]:
    """Count the windows of ``width`` + ``step`` - 1 bits that begin at bits 0, ``step``, 2 · ``step`` … of each byte.

    ``words`` holds each byte and the next two as 24 bits, the first byte highest.
    """
    window = width + step - 1
    counts = np.zeros(1 << window, dtype=np.int64)
    for first in range(0, len(words), _CHUNK_BYTES):
        chunk = words[first : first + _CHUNK_BYTES]
        windows = np.empty((8 // step, len(chunk)), dtype=np.uint32)
        for index in range(8 // step):
            np.right_shift(chunk, np.uint32(24 - window - index * step), out=windows[index])
        windows &= np.uint32((1 << window) - 1)
        counts += np.bincount(windows.reshape(-1), minlength=1 << window)
    return counts


def _at_every_place(counts: NDArray[np.int64], step: int) -> NDArray[np.int64]:
    """Return counts of windows at every place from those of windows ``step`` - 1 bits longer at every ``step``-th.

    Half the distance at a time: without its last, and without its first ``step`` / 2 bits a window is one of the two
    that begin in it. Along the last axis; ``step`` is a power of two.
    """
    while step > 1:
        step //= 2
        without_last, without_first = counts, counts
        for _ in range(step):
            without_last = without_last[..., ::2] + without_last[..., 1::2]
            half = without_first.shape[-1] // 2
            without_first = without_first[..., :half] + without_first[..., half:]
        counts = without_last + without_first
    return counts


def _shortened(counts: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    """Return the counts of patterns of ``width`` bits from those of longer ones, along the last axis."""
    while counts.shape[-1] > 1 << width:
        counts = counts[..., ::2] + counts[..., 1::2]
    return counts


def _windows(bits: NDArray[np.uint8], width: int) -> NDArray[np.uint32]:
    """Return the windows that begin at each bit of an unpacked sequence and end in it."""
    positions = max(0, len(bits) - width + 1)
    windows = np.zeros(positions, dtype=np.uint32)
    for offset in range(width):
        windows <<= np.uint32(1)
        windows |= bits[offset : offset + positions]
    return windows


def _count(windows: NDArray[np.uint32], width: int) -> NDArray[np.int64]:
    return np.bincount(windows, minlength=1 << width)
