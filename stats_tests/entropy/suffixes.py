"""All suffixes of a sequence in order, and how much each shares with the one before it.

Prefix doubling (Manber and Myers), begun with as many symbols as a 64-bit word holds, so that random samples are
nearly in order after one sort. Common prefixes are compared word by word at the few places where they may be long
("irreducible" ones, Kärkkäinen, Manzini and Puglisi 2009), whose lengths add up to n log n at most; the others follow.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["common_prefixes", "suffix_order"]

_WORD_BITS: Final = 64


def common_prefixes(values: NDArray[np.uint8], alphabet: int) -> NDArray[np.int32]:
    """Return for each suffix in order, but the first, how many symbols it shares with the one before: n - 1 lengths."""
    words, in_word = _words(values, alphabet)
    order = suffix_order(words, in_word)
    before = np.full(len(order), -1, dtype=np.int32)
    before[order[1:]] = order[:-1]
    lengths = _by_place(values, words, _symbol_bits(alphabet), before)
    shared: NDArray[np.int32] = lengths[order[1:]]
    return shared


def _words(values: NDArray[np.uint8], alphabet: int) -> tuple[NDArray[np.uint64], int]:
    """Return what follows at each place as a number, noughts behind the end, and how many symbols it holds."""
    bits = _symbol_bits(alphabet)
    in_word = 1
    words = values.astype(np.uint64)
    while 2 * in_word * bits <= _WORD_BITS:
        shifted = np.zeros_like(words)
        shifted[:-in_word] = words[in_word:]
        words = words << np.uint64(in_word * bits) | shifted
        in_word *= 2
    return words, in_word


def suffix_order(words: NDArray[np.uint64], in_word: int) -> NDArray[np.int32]:
    """Return where the suffixes begin, in the order of the suffixes, from the first ``in_word`` symbols of each.

    A suffix that ends comes before one that goes on.
    """
    size = len(words)
    order = np.argsort(words).astype(np.int32)
    fresh = np.ones(size, dtype=np.bool_)
    fresh[1:] = words[order[1:]] != words[order[:-1]]
    starts = np.arange(size, dtype=np.int32)
    # The rank of a suffix is where its group of equals begins.
    rank = np.empty(size, dtype=np.int32)
    rank[order] = np.maximum.accumulate(np.where(fresh, starts, 0))
    distance = in_word
    tied = _ties(fresh)
    while tied.size:
        places = order[tied].astype(np.int64)
        ahead = places + distance
        # Behind the end the shorter suffix is the smaller one; all these are below every rank.
        second = np.where(ahead < size, rank[np.minimum(ahead, size - 1)], size - 1 - ahead)
        first = rank[places].astype(np.int64)
        keys = first * (2 * size + distance) + second + size + distance
        by_key = np.argsort(keys, kind="stable")
        keys = keys[by_key]
        order[tied] = places[by_key]
        fresh[tied[1:]] |= keys[1:] != keys[:-1]
        group = np.maximum.accumulate(np.where(fresh[tied], tied, 0))
        rank[order[tied]] = group
        distance *= 2
        tied = tied[_in_ties(fresh[tied])]
    return order


def _ties(fresh: NDArray[np.bool_]) -> NDArray[np.int32]:
    return np.flatnonzero(_in_ties(fresh)).astype(np.int32)


def _in_ties(fresh: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which places belong to a group of two or more; a group begins where ``fresh``."""
    alone = fresh.copy()
    alone[:-1] &= fresh[1:]
    found: NDArray[np.bool_] = ~alone
    return found


def _symbol_bits(alphabet: int) -> int:
    return (alphabet - 1).bit_length()


def _by_place(
    values: NDArray[np.uint8], words: NDArray[np.uint64], bits: int, before: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Return the lengths by where the suffix begins; ``before`` names its neighbour in order, -1 for the first."""
    size = len(values)
    # What holds of a suffix and its neighbour holds of both without their first symbol, where the symbols before them
    # are equal: the length is one less. Only the others are compared.
    irreducible = (before < 1) | (values[np.arange(size) - 1] != values[before - 1])
    irreducible[0] = True
    places = np.flatnonzero(irreducible & (before >= 0))
    lengths = np.zeros(size, dtype=np.int64)
    lengths[places] = _compare(words, bits, places, before[places].astype(np.int64))
    # A reducible length is that of the irreducible one before it less the distance: place + length is carried on.
    ends = np.where(irreducible, np.arange(size) + lengths, 0)
    found = np.maximum.accumulate(ends) - np.arange(size)
    return found.astype(np.int32)


def _compare(
    words: NDArray[np.uint64], bits: int, left: NDArray[np.int64], right: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return how many symbols of ``bits`` bits are equal from ``left`` and from ``right`` on."""
    size = len(words)
    in_word = 1 << (_WORD_BITS // bits).bit_length() - 1
    unused = _WORD_BITS - in_word * bits
    most = size - np.maximum(left, right)
    lengths = np.zeros(len(left), dtype=np.int64)
    going = np.arange(len(left))
    while going.size:
        at = lengths[going]
        different = words[left[going] + at] ^ words[right[going] + at]
        same = (_leading_zeros(different) - unused) // bits
        lengths[going] = np.minimum(at + same, most[going])
        going = going[(different == 0) & (lengths[going] < most[going])]
    return lengths


def _leading_zeros(words: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return how many of the 64 bits are nought before the first that is not; 64 for nought."""
    zeros: NDArray[np.int64] = (words == 0).astype(np.int64)
    rest = words.copy()
    for step in (32, 16, 8, 4, 2, 1):
        empty = rest >> np.uint64(_WORD_BITS - step) == 0
        zeros[empty] += step
        rest[empty] <<= np.uint64(step)
    return zeros
