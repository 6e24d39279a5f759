"""The compression estimate for bits, SP 800-90B section 6.3.4: Maurer's statistic over blocks of six bits."""

from math import log2, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.entropy.results import Z_ALPHA, Estimate
from stats_tests.entropy.search import falling_root
from stats_tests.entropy.symbols import Symbols

__all__ = ["compression"]

_NAME: Final = "compression"
_BLOCK_BITS: Final = 6
_VALUES: Final = 1 << _BLOCK_BITS
# The first blocks only fill the dictionary.
_FILLING: Final = 1_000
# From Coron and Naccache, "An accurate evaluation of Maurer's universal test": for blocks of six bits.
_DEVIATION_FACTOR: Final = 0.5907
# Below e to this power a term is nothing beside the others.
_NEGLIGIBLE_LOG: Final = -80.0


def compression(symbols: Symbols) -> Estimate:
    """Estimate from how far back blocks of six bits came before; raises ValueError for anything but bits."""
    symbols.require_binary()
    blocks = len(symbols) // _BLOCK_BITS
    if blocks <= _FILLING + 1:
        return Estimate(_NAME, None, reason=f"needs more than {_FILLING + 1} blocks of 6 bits; there are {blocks}")
    logs = np.log2(_distances(symbols.values[: blocks * _BLOCK_BITS])[_FILLING:].astype(np.float64))
    tested = len(logs)
    mean = float(logs.mean())
    deviation = _DEVIATION_FACTOR * sqrt(max(0.0, float(logs @ logs) / (tested - 1) - mean * mean))
    bound = mean - Z_ALPHA * deviation / sqrt(tested)
    expectation = _Expectation(blocks)
    guess = falling_root(expectation, bound, 1 / _VALUES, 1.0)
    statistics = {"mean": mean, "deviation": deviation, "bound": bound, "p": guess}
    return Estimate(_NAME, -log2(guess) / _BLOCK_BITS + 0.0, statistics)


def _distances(bits: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return for every block how many blocks ago it came the last time; for a first time, its number from 1 on."""
    values = np.packbits(np.pad(bits.reshape(-1, _BLOCK_BITS), ((0, 0), (8 - _BLOCK_BITS, 0))), axis=1)[:, 0]
    order = np.argsort(values, kind="stable")
    before = np.empty_like(order)
    before[1:] = order[:-1]
    before[np.flatnonzero(np.diff(values[order], prepend=np.uint8(0xFF)))] = -1
    distances = np.empty_like(order)
    distances[order] = order - before
    return distances


class _Expectation:
    """The mean of the statistic over ``blocks`` for a source whose likeliest block has probability p, the others equal.

    A block of probability z has gone u steps without coming with z (1 - z)^(u - 1), and longer than its dictionary
    entry is old with (1 - z)^(t - 1); the two sums over t and u of step 7 are one over u, since a term depends on t
    only by how many t it belongs to.
    """

    def __init__(self, blocks: int) -> None:
        steps = np.arange(1, blocks + 1, dtype=np.float64)
        self._logs = np.log2(steps)
        self._tested = blocks - _FILLING
        self._times = np.minimum(blocks - steps, self._tested)
        self._ends = (steps > _FILLING).astype(np.float64)

    def __call__(self, guess: float) -> float:
        other = (1.0 - guess) / (_VALUES - 1)
        return self._mean(guess) + (_VALUES - 1) * self._mean(other)

    def _mean(self, probability: float) -> float:
        if probability in {0.0, 1.0}:
            return 0.0
        fall = np.log1p(-probability)
        count = min(len(self._logs), 2 + int(_NEGLIGIBLE_LOG / fall))
        powers = np.exp(fall * np.arange(count))
        terms = self._logs[:count] * powers * (probability * self._times[:count] + self._ends[:count])
        return probability * float(terms.sum()) / self._tested
