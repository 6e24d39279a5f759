"""Bits in machine words: blocks of a sequence as rows of 64-bit words, the first bit of a block the highest of its row.

Rows end in zero bits, so that a pattern of ones never reaches across the end of a block.
"""

import numpy as np
from numpy.typing import NDArray

from stats_tests.bits import Batch

__all__ = ["block_bytes", "block_ones", "block_words", "shifted_left", "words_of_three_bytes"]


def block_bytes(batch: Batch, block_bits: int) -> NDArray[np.uint8]:
    """Return the whole blocks of each sequence, packed: shape (sequences, blocks, ceil(block_bits / 8))."""
    blocks = batch.bits // block_bits
    if block_bits % 8 == 0:
        width = block_bits // 8
        return batch.packed[:, : blocks * width].reshape(batch.sequences, blocks, width)
    bits = batch.unpacked[:, : blocks * block_bits].reshape(batch.sequences, blocks, block_bits)
    return np.packbits(bits, axis=2)


def block_ones(batch: Batch, block_bits: int) -> NDArray[np.int64]:
    """Return the number of ones in the whole blocks of each sequence: shape (sequences, blocks)."""
    packed = block_bytes(batch, block_bits)
    if packed.shape[2] % 8 == 0:
        # The order of bytes does not matter for counting.
        packed_words = np.ascontiguousarray(packed).view(np.uint64)
        return np.asarray(np.bitwise_count(packed_words).sum(axis=2), dtype=np.int64)
    return np.asarray(np.bitwise_count(packed).sum(axis=2), dtype=np.int64)


def block_words(batch: Batch, block_bits: int) -> NDArray[np.uint64]:
    """Return the whole blocks of each sequence: shape (sequences, blocks, ceil(block_bits / 64))."""
    packed = block_bytes(batch, block_bits)
    width = packed.shape[2]
    padded = np.zeros((*packed.shape[:2], -(-width // 8) * 8), dtype=np.uint8)
    padded[:, :, :width] = packed
    return padded.view(">u8").astype(np.uint64)


def shifted_left(words: NDArray[np.uint64], distance: int) -> NDArray[np.uint64]:
    """Return rows in which bit i is what bit i + ``distance`` was (0 < distance < 64); zeros come in at the end."""
    shifted = words << np.uint64(distance)
    shifted[..., :-1] |= words[..., 1:] >> np.uint64(64 - distance)
    return shifted


def words_of_three_bytes(data: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return, for each byte but the last two, it and the next two as a number of 24 bits, along the last axis."""
    words = data[..., :-2].astype(np.uint32)
    words <<= np.uint32(8)
    words |= data[..., 1:-1]
    words <<= np.uint32(8)
    words |= data[..., 2:]
    return words
