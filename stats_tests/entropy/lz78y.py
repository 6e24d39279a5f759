"""The LZ78Y prediction estimate, SP 800-90B section 6.3.10."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.entropy.contexts import context_levels, running_best
from stats_tests.entropy.prediction import Predictions
from stats_tests.entropy.results import Estimate
from stats_tests.entropy.symbols import Symbols

__all__ = ["lz78y"]

_NAME: Final = "lz78y"
_LONGEST: Final = 16
_MOST_CONTEXTS: Final = 65_536
_FEWEST: Final = _LONGEST + 3


def lz78y(symbols: Symbols, *, most_contexts: int = _MOST_CONTEXTS) -> Estimate:
    """Predict the commonest follower of any of the last 1 … 16 symbols that are in the dictionary.

    Of equally common ones that of the longest context, and of one context the greatest symbol. The dictionary takes in
    ``most_contexts``, 16 or more, of all lengths together; those it has go on learning.
    """
    size = len(symbols)
    if size < _FEWEST:
        return Estimate(_NAME, None, reason=f"needs {_FEWEST} samples; there are {size}")
    full_at, shortest = _filled(symbols.values, most_contexts)
    # The best count · 256 + symbol of all contexts before each place.
    best = np.zeros(size, dtype=np.int64)
    for level in context_levels(symbols.values, _LONGEST, first=_LONGEST):
        last = full_at if level.depth >= shortest else full_at - 1
        first_of = np.maximum.accumulate(np.where(level.fresh, np.arange(len(level.places)), 0))
        found = running_best(level)
        found[level.places[first_of] > last] = 0
        known = best[level.places]
        better = (found > 0) & (found >> 8 >= known >> 8)
        best[level.places[better]] = found[better]
    came_true = (best > 0) & (best.astype(np.uint8) == symbols.values)
    believed = Predictions()
    believed.feed(came_true[_LONGEST + 1 :])
    return believed.estimate(_NAME, size - _LONGEST - 1, symbols.alphabet)


def _filled(values: NDArray[np.uint8], most_contexts: int) -> tuple[int, int]:
    """Return the last place whose contexts are taken in, and the length of the shortest one that still is there.

    At each place the longest context is taken in first.
    """
    size = len(values)
    end = 2 * most_contexts
    while True:
        # Most samples fill the dictionary soon, so it is looked for in a beginning, then in a longer one.
        part = values[:end]
        new = np.ones((len(part), _LONGEST), dtype=np.bool_)
        new[:_LONGEST] = False
        for level in context_levels(part, _LONGEST, first=_LONGEST):
            new[level.places[~level.fresh], _LONGEST - level.depth] = False
        total = np.cumsum(np.count_nonzero(new, axis=1))
        if total[-1] > most_contexts:
            at = int(np.searchsorted(total, most_contexts))
            before = int(total[at - 1])
            taken = np.flatnonzero(new[at])[most_contexts - before - 1]
            return at, _LONGEST - int(taken)
        if end >= size:
            return size, 1
        end *= 8
