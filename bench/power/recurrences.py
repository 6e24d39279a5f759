"""Recurrences a hundred times faster than one step after the other: many places of one sequence at once.

What comes out is the very sequence of the generator, from its first word on, in order.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["multiplicative", "multiplied_and_added", "xorshift"]

Words = NDArray[np.uint64]
State = tuple[NDArray[np.unsignedinteger[Any]], ...]

_LANES = 1 << 14


def multiplied_and_added(count: int, *, multiplier: int, increment: int, bits: int, seed: int) -> Words:
    """Return x_1 … x_count of x ← multiplier · x + increment mod 2^bits, bits ≤ 64, from x_0 = ``seed``."""
    mask = (1 << bits) - 1
    factors, sums = np.empty(_LANES, dtype=np.uint64), np.empty(_LANES, dtype=np.uint64)
    factor, total = 1, 0
    for lane in range(_LANES):
        factor, total = factor * multiplier & mask, (total * multiplier + increment) & mask
        factors[lane], sums[lane] = factor, total
    found = np.empty(-(-count // _LANES) * _LANES, dtype=np.uint64)
    state = np.uint64(seed)
    for first in range(0, count, _LANES):
        # Products wrap at 2^64, which a modulus of 2^bits divides.
        part = (factors * state + sums) & np.uint64(mask)
        found[first : first + _LANES] = part
        state = part[-1]
    return found[:count]


def multiplicative(count: int, *, multiplier: int, modulus: int, seed: int) -> Words:
    """Return x_1 … x_count of x ← multiplier · x mod ``modulus`` < 2^32, from x_0 = ``seed``."""
    factors = np.empty(_LANES, dtype=np.uint64)
    factor = 1
    for lane in range(_LANES):
        factor = factor * multiplier % modulus
        factors[lane] = factor
    found = np.empty(-(-count // _LANES) * _LANES, dtype=np.uint64)
    state = np.uint64(seed)
    for first in range(0, count, _LANES):
        part = factors * state % np.uint64(modulus)
        found[first : first + _LANES] = part
        state = part[-1]
    return found[:count]


def xorshift(
    count: int, *, step: Callable[[State], State], output: Callable[[State], Words], seed: tuple[int, ...]
) -> Words:
    """Return ``count`` outputs of a generator whose state of 64-bit words is linear over GF(2).

    The sequence is cut into lanes that run beside each other. Where a lane begins follows from where the one before
    begins: a linear map, known from what it does to each single bit of the state.
    """
    lanes = 2_048
    length = -(-count // lanes)
    places = 64 * len(seed)
    basis = tuple(
        np.array([1 << place % 64 if place // 64 == word else 0 for place in range(places)], dtype=np.uint64)
        for word in range(len(seed))
    )
    for _ in range(length):
        basis = step(basis)
    columns = np.stack(basis, axis=1)
    starts = np.empty((lanes, len(seed)), dtype=np.uint64)
    state = np.array(seed, dtype=np.uint64)
    for lane in range(lanes):
        starts[lane] = state
        set_bits = np.unpackbits(state.astype("<u8").view(np.uint8), bitorder="little").astype(np.bool_)
        state = np.bitwise_xor.reduce(columns[set_bits], axis=0)
    running: State = tuple(starts[:, word].copy() for word in range(len(seed)))
    found = np.empty((length, lanes), dtype=np.uint64)
    for row in range(length):
        found[row] = output(running)
        running = step(running)
    return np.ascontiguousarray(found.T).reshape(-1)[:count]
