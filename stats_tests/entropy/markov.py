"""The Markov estimate for bits, SP 800-90B section 6.3.3."""

from math import log2
from typing import Final

import numpy as np

from stats_tests.entropy.results import Estimate
from stats_tests.entropy.symbols import Symbols

__all__ = ["markov"]

_NAME: Final = "markov"
# The likeliest run of so many bits is looked for.
_LENGTH: Final = 128


def markov(symbols: Symbols) -> Estimate:
    """Estimate from the likeliest of six sequences of 128 bits of a chain of first order; raises ValueError for others.

    They go round the three loops of two states (00…, 11…, 0101…) after at most one step. A path that leaves its loop
    with the last step may be a little likelier; the publication does not look at it, so neither do we.
    """
    symbols.require_binary()
    bits = symbols.values
    pairs = np.bincount(bits[:-1] * np.uint8(2) + bits[1:], minlength=4).reshape(2, 2)
    ones = int(np.count_nonzero(bits))
    first = (_cost(len(bits) - ones, len(bits)), _cost(ones, len(bits)))
    step = [[_cost(int(count), int(row.sum())) for count in row] for row in pairs]
    rounds = _LENGTH - 1
    sequences = [
        first[0] + rounds * step[0][0],
        first[1] + rounds * step[1][1],
        first[0] + step[0][1] + (rounds - 1) * step[1][1],
        first[1] + step[1][0] + (rounds - 1) * step[0][0],
        first[0] + (rounds // 2 + 1) * step[0][1] + rounds // 2 * step[1][0],
        first[1] + (rounds // 2 + 1) * step[1][0] + rounds // 2 * step[0][1],
    ]
    cheapest = min(sequences)
    return Estimate(_NAME, min(1.0, cheapest / _LENGTH) + 0.0, {"log2_p": -cheapest})


def _cost(count: int, total: int) -> float:
    """Return -log2 of a share; a sequence with a step that never came is no candidate."""
    return -log2(count / total) if count else float("inf")
