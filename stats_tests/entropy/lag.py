"""The lag prediction estimate, SP 800-90B section 6.3.8."""

from typing import Final

import numpy as np

from stats_tests.entropy.prediction import Scoreboard
from stats_tests.entropy.results import Estimate
from stats_tests.entropy.symbols import Symbols

__all__ = ["lag"]

_NAME: Final = "lag"
_LAGS: Final = 128
_BLOCK: Final = 1 << 13


def lag(symbols: Symbols) -> Estimate:
    """Predict the symbol that came 1, 2, … 128 places before."""
    values = symbols.values
    size = len(values)
    if size < 3:
        return Estimate(_NAME, None, reason=f"needs 3 samples; there are {size}")
    scoreboard = Scoreboard(_LAGS)
    for start in range(1, size, _BLOCK):
        end = min(size, start + _BLOCK)
        hits = np.zeros((_LAGS, end - start), dtype=np.bool_)
        for distance in range(1, _LAGS + 1):
            first = max(start, distance)
            hits[distance - 1, first - start :] = values[first:end] == values[first - distance : max(0, end - distance)]
        scoreboard.feed(hits)
    return scoreboard.believed.estimate(_NAME, size - 1, symbols.alphabet)
