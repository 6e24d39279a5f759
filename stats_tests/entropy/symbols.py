"""Samples as the estimators take them: symbols 0 … k - 1, or the bits that the samples are written with.

Both are made as NIST's tool makes them for an initial estimate (its option -i): the width is that of the largest
sample unless it is given, symbols that never occur are left out of the alphabet, and the bit string is that of the
samples before that, the most significant bit of each first.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from stats_tests.entropy.tuple_counts import TupleCounts, count_tuples
from stats_tests.errors import InputError

__all__ = ["Symbols", "bit_string", "read_samples", "symbol_bits_of", "symbols_of"]

_MOST_BITS = 8


@dataclass(frozen=True)
class Symbols:
    """``values`` in the order of sampling, all below ``alphabet``, which is at least 2."""

    values: NDArray[np.uint8]
    alphabet: int

    def __post_init__(self) -> None:
        if self.values.dtype != np.uint8 or self.values.ndim != 1:
            raise ValueError("symbols are a one-dimensional array of bytes")
        if not 2 <= self.alphabet <= 1 << _MOST_BITS or len(self.values) < 2 or self.values.max() >= self.alphabet:
            raise ValueError(f"expected two samples or more, of 2 to 256 symbols; found an alphabet of {self.alphabet}")

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def tuple_counts(self) -> TupleCounts:
        """How often the tuples of each length come: two estimators need it."""
        return count_tuples(self.values, self.alphabet)

    def require_binary(self) -> None:
        """Raise ValueError unless these are bits: some estimators have no other form."""
        if self.alphabet != 2:
            raise ValueError(f"this estimator takes bits, not {self.alphabet} symbols")


def symbol_bits_of(samples: bytes) -> int:
    """Return how many bits the largest sample has, 1 at least."""
    return max(1, max(samples, default=0).bit_length())


def read_samples(samples: bytes, symbol_bits: int) -> NDArray[np.uint8]:
    """Return one sample for each byte.

    Raises InputError, with the place, when one does not fit into ``symbol_bits``; ValueError for a width that is not
    1 … 8.
    """
    if not 1 <= symbol_bits <= _MOST_BITS:
        raise ValueError(f"a symbol has 1 to 8 bits, not {symbol_bits}")
    values = np.frombuffer(samples, dtype=np.uint8)
    if values.size and values.max() >> symbol_bits:
        place = int(np.argmax(values >> symbol_bits > 0))
        raise InputError(
            f"sample {place} is {values[place]:#04x}, which has more than {symbol_bits} bits: expected one symbol in"
            " the low bits of each byte"
        )
    return values


def symbols_of(samples: NDArray[np.uint8]) -> Symbols:
    """Return the samples with an alphabet that has no gaps. Raises ValueError when they are all the same."""
    present = np.bincount(samples, minlength=1 << _MOST_BITS) > 0
    smaller = (np.cumsum(present) - 1).astype(np.uint8)
    return Symbols(smaller[samples], int(present.sum()))


def bit_string(samples: NDArray[np.uint8], symbol_bits: int) -> Symbols:
    """Return the ``symbol_bits`` low bits of every sample, the most significant first."""
    bits = np.unpackbits(samples[:, np.newaxis], axis=1)[:, _MOST_BITS - symbol_bits :]
    return Symbols(np.ascontiguousarray(bits).reshape(-1), 2)
