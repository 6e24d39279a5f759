"""How often each pattern of m bits occurs, at every position of a sequence or inside its blocks.

A window of 16 bits that begins inside a byte lies in 24 bits: three bytes make the eight windows that begin in the
first. Counts of shorter patterns come from those of longer ones by adding up over the last bits, so that one count of
sixteen bits, made block by block, answers non-overlapping templates (9 bits in eight blocks), approximate entropy (10
and 11 bits) and serial (14, 15, 16 bits).
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
# The eight windows of so many bytes, as 64-bit numbers for counting, stay within the second-level cache.
_CHUNK_BYTES: Final = 1 << 14


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
        ring = np.zeros((batch.sequences, 1 << MAX_PATTERN_BITS), dtype=np.int64)
        begun = np.zeros((batch.sequences, _BLOCKS, 1 << _BLOCK_PATTERN_BITS), dtype=np.int64)
        for sequence, packed in enumerate(batch.packed):
            words = words_of_three_bytes(np.concatenate([packed, packed[:2]]))
            for block, part in enumerate(np.array_split(words, _BLOCKS)):
                counts = _count_windows_of(part)
                ring[sequence] += counts
                begun[sequence, block] = counts.reshape(1 << _BLOCK_PATTERN_BITS, -1).sum(axis=1)
        batch.memo["pattern census"] = _Census(ring, begun)
    census: _Census = batch.memo["pattern census"]
    return census


def _count_windows_of(words: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Count the windows of 16 bits that begin in the first byte of each word of 24 bits."""
    counts = np.empty(0, dtype=np.int64)
    for first in range(0, len(words), _CHUNK_BYTES):
        chunk = words[first : first + _CHUNK_BYTES]
        windows = np.empty((8, len(chunk)), dtype=np.uint16)
        for shift in range(8):
            np.right_shift(chunk, np.uint32(8 - shift), out=windows[shift], casting="unsafe")
        counted = np.bincount(windows.reshape(-1), minlength=1 << MAX_PATTERN_BITS)
        counts = counts + counted if first else counted
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
