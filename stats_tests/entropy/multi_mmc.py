"""The multi Markov model with counting (MultiMMC) prediction estimate, SP 800-90B section 6.3.9."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.entropy.contexts import ContextLevel, context_levels, running_best
from stats_tests.entropy.prediction import Scoreboard
from stats_tests.entropy.results import Estimate
from stats_tests.entropy.symbols import Symbols

__all__ = ["multi_mmc"]

_NAME: Final = "multi_mmc"
_DEEPEST: Final = 16
_MOST_PAIRS: Final = 100_000
_FEWEST: Final = _DEEPEST + 2
_BLOCK: Final = 1 << 13


def multi_mmc(symbols: Symbols, *, most_pairs: int = _MOST_PAIRS) -> Estimate:
    """Predict what followed the last 1, 2, … 16 symbols most often; of equally common ones, the greatest symbol.

    Each model learns ``most_pairs`` different pairs of context and follower; then it only counts those it has.
    """
    size = len(symbols)
    if size < _FEWEST:
        return Estimate(_NAME, None, reason=f"needs {_FEWEST} samples; there are {size}")
    # Bit m - 1 stands for the model of depth m: whether it predicted the place, and whether rightly.
    predicted = np.zeros(size, dtype=np.uint16)
    right = np.zeros(size, dtype=np.uint16)
    for level in context_levels(symbols.values, _DEEPEST, first=0):
        best = running_best(level, _learned(level, size, most_pairs))
        said = best > 0
        # One step through memory in disorder, and the rest in order.
        found = np.zeros(size, dtype=np.uint8)
        found[level.places] = said * np.uint8(1) + (said & (best.astype(np.uint8) == level.followers))
        shift = np.uint16(level.depth - 1)
        predicted |= (found > 0).astype(np.uint16) << shift
        right |= (found > 1).astype(np.uint16) << shift
    scoreboard = Scoreboard(_DEEPEST)
    for start in range(2, size, _BLOCK):
        end = min(size, start + _BLOCK)
        scoreboard.feed(_rows(right[start:end]), _rows(predicted[start:end]))
    return scoreboard.believed.estimate(_NAME, size - 2, symbols.alphabet)


def _learned(level: ContextLevel, size: int, most_pairs: int) -> NDArray[np.bool_] | None:
    """Return which followers count: those of pairs that were first seen before the model was full; None for all."""
    repeated = int(np.count_nonzero(~level.fresh_pairs))
    if size - level.depth - repeated <= most_pairs:
        return None
    in_order = level.places[level.by_follower]
    new = np.ones(size, dtype=np.bool_)
    new[: level.depth] = False
    new[in_order[~level.fresh_pairs]] = False
    last = int(np.searchsorted(np.cumsum(new), most_pairs))
    in_time = in_order <= last
    # A pair is learned when its first place was in time: it is the first one of its run.
    first_of = np.maximum.accumulate(np.where(level.fresh_pairs, np.arange(len(in_order)), 0))
    learned = np.empty(len(in_order), dtype=np.bool_)
    learned[level.by_follower] = in_time[first_of]
    return learned


def _rows(bits: NDArray[np.uint16]) -> NDArray[np.bool_]:
    """Return one row a model."""
    numbers = np.arange(_DEEPEST, dtype=np.uint16)[:, np.newaxis]
    rows: NDArray[np.bool_] = (bits >> numbers & np.uint16(1)).astype(np.bool_)
    return rows
