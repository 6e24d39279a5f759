"""Berlekamp-Massey over GF(2) for thousands of blocks at once: the lengths of their shortest feedback registers.

The blocks are bit-sliced: row j holds bit j of all blocks, 64 of them in a word, so that one operation on rows works
on all blocks. What differs between blocks, whether the polynomial changes and whether the register grows, are masks.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["linear_complexities"]

# So many blocks at a time: their rows of 2 KiB, times some 250 rows, times four arrays, stay within a second-level
# cache, and are long enough that the cost of a call does not matter.
_LANES: Final = 16_384
# Rows are worked on in groups: a mask that is repeated as often makes the inner loops longer.
_GROUP: Final = 8
_ONES: Final = np.uint64(0xFFFFFFFFFFFFFFFF)


def linear_complexities(blocks: NDArray[np.uint8], bits: int) -> NDArray[np.int64]:
    """Return the linear complexity of each row of ``blocks``, shape (blocks, ceil(bits / 8)), first bit highest."""
    parts = [
        _complexities(_bit_sliced(blocks[first : first + _LANES], bits))[: len(blocks[first : first + _LANES])]
        for first in range(0, len(blocks), _LANES)
    ]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def _bit_sliced(blocks: NDArray[np.uint8], bits: int) -> NDArray[np.uint64]:
    """Turn rows of blocks into rows of bits: shape (bits, ceil(blocks / 64)); block i is bit i % 64 of word i / 64.

    Squares of eight blocks by eight bits are turned in 64-bit words, in three exchanges of ever larger parts.
    """
    count, width = blocks.shape
    padded = np.zeros((-(-count // 64) * 64, width), dtype=np.uint8)
    padded[:count] = blocks
    square = np.ascontiguousarray(padded.reshape(-1, 8, width).transpose(2, 0, 1)).view("<u8")[..., 0]
    for distance, mask in ((7, 0x00AA00AA00AA00AA), (14, 0x0000CCCC0000CCCC), (28, 0x00000000F0F0F0F0)):
        part = square >> np.uint64(distance)
        part ^= square
        part &= np.uint64(mask)
        square ^= part
        part <<= np.uint64(distance)
        square ^= part
    # Byte c of a word now holds the bits of value 2^c, and the first bit of a byte is its highest.
    turned = square.view(np.uint8).reshape(width, -1, 8)[:, :, ::-1].transpose(0, 2, 1)
    rows = np.ascontiguousarray(turned).reshape(width * 8, -1)[:bits]
    return rows.view("<u8").astype(np.uint64, copy=False)


def _complexities(rows: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Run Berlekamp-Massey on bit-sliced blocks: rows of shape (bits, words) give words · 64 complexities.

    With C the connection polynomial, B the one before its last growth (times the power of x that is due), L the
    complexity after n bits, one step is: d = Σ C_i s_(n-i); C += d·B; and where d = 1 and 2L ≤ n: B = the old C,
    L = n + 1 - L. Instead of L each block keeps e = n - 2L, for which growing means e → -e - 1, its complement.
    """
    bits, words = rows.shape
    capacity = -(-(bits + 1) // _GROUP) * _GROUP
    # All rows lie one behind the other, so that a number of rows is one long row.
    backwards = np.zeros((capacity + _GROUP) * words, dtype=np.uint64)  # from last to first: no row to reverse later
    backwards[: bits * words] = rows[::-1].reshape(-1)
    polynomial = np.zeros(capacity * words, dtype=np.uint64)
    polynomial[:words] = _ONES
    # Multiplying B by x moves where it begins: one row down in a long array, zeros below.
    earlier = np.zeros((bits + capacity) * words, dtype=np.uint64)
    earlier[bits * words : (bits + 1) * words] = _ONES
    scratch = np.empty(capacity * words, dtype=np.uint64)
    repeated = np.empty((2, _GROUP, words), dtype=np.uint64)
    difference = np.zeros(words * 64, dtype=np.int16 if bits < 1 << 14 else np.int32)
    group = _GROUP * words
    active = group  # what holds the largest polynomial, in words
    for step in range(bits):
        products = scratch[:active]
        first = (bits - 1 - step) * words
        np.bitwise_and(polynomial[:active], backwards[first : first + active], out=products)
        sums = np.bitwise_xor.reduce(products.reshape(-1, group), axis=0).reshape(_GROUP, words)
        discrepancy = np.bitwise_xor.reduce(sums, axis=0)

        grows = np.packbits(difference >= 0, bitorder="little").view("<u8").astype(np.uint64, copy=False)
        grows &= discrepancy
        # Where the register grows, e → ~e, which is (e xor -1); elsewhere e → e + 1.
        chosen = np.unpackbits(grows.view(np.uint8), bitorder="little").astype(difference.dtype)
        np.negative(chosen, out=chosen)
        difference ^= chosen
        difference += chosen
        difference += 1
        complexity = (step + 1 - int(difference.min())) // 2

        active = -(-(complexity + 1) // _GROUP) * group
        repeated[0] = discrepancy
        repeated[1] = grows
        # B, too, has now moved to row bits - 1 - step of its array.
        _exchange(polynomial[:active], earlier[first : first + active], repeated, scratch[:active])
    complexities: NDArray[np.int64] = (bits - difference.astype(np.int64)) // 2
    return complexities


def _exchange(
    polynomial: NDArray[np.uint64], earlier: NDArray[np.uint64], masks: NDArray[np.uint64], scratch: NDArray[np.uint64]
) -> None:
    """C += d·B; then, where the register grows, B = the old C, which is what C now is plus B."""
    discrepancy, grows = masks.reshape(2, -1)
    _masked(earlier, discrepancy, scratch)
    polynomial ^= scratch
    _masked(polynomial, grows, scratch)
    earlier ^= scratch


def _masked(rows: NDArray[np.uint64], mask: NDArray[np.uint64], out: NDArray[np.uint64]) -> None:
    """Take ``mask`` to every row. As bytes, because numpy repeats a row of bytes a third faster than one of words."""
    octets = mask.view(np.uint8)
    width = len(octets)
    np.bitwise_and(rows.view(np.uint8).reshape(-1, width), octets, out=out.view(np.uint8).reshape(-1, width))
