"""Words and bit planes out of bytes."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["bit_plane", "words"]

Order = Literal["big", "little"]


def words(data: NDArray[np.uint8], bits: int, order: Order) -> NDArray[np.unsignedinteger[Any]]:
    """Return ``data`` as words of 32 or 64 ``bits``; bytes behind the last whole word are left out."""
    size = bits // 8
    whole = np.ascontiguousarray(data[: len(data) // size * size])
    return whole.view(f"{'>' if order == 'big' else '<'}u{size}").astype(f"u{size}", copy=False)


def bit_plane(data: NDArray[np.uint8], word_bits: int, plane: int, count: int) -> NDArray[np.uint8]:
    """Return bit ``plane`` of each of the first ``count`` words, as 0 and 1; plane 0 is the first bit of the stream.

    Which byte of a word a bit lies in depends on the order of bytes, but all bits of a word are planes of the stream.
    """
    place, shift = plane // 8, 7 - plane % 8
    return data[place : count * word_bits // 8 : word_bits // 8] >> np.uint8(shift) & np.uint8(1)
