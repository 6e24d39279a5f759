"""The longest repeated substring (LRS) estimate, SP 800-90B section 6.3.6."""

from typing import Final

import numpy as np

from stats_tests.entropy.results import Estimate, bounded
from stats_tests.entropy.symbols import Symbols
from stats_tests.entropy.t_tuple import short_tuples

__all__ = ["longest_repeat"]

_NAME: Final = "lrs"


def longest_repeat(symbols: Symbols) -> Estimate:
    """Estimate from how many pairs of tuples are equal, for lengths above those of `t_tuple`."""
    counts = symbols.tuple_counts
    shortest, longest = short_tuples(counts) + 1, counts.longest
    if longest < shortest:
        return Estimate(_NAME, None, reason="no tuple comes twice that is longer than those that come often")
    lengths = np.arange(shortest, longest + 1)
    places = len(symbols) - lengths + 1
    shares = counts.pairs[shortest:] / (places * (places - 1) // 2)
    guess = float((shares ** (1.0 / lengths)).max())
    return bounded(_NAME, guess, len(symbols), u=shortest, v=longest)
