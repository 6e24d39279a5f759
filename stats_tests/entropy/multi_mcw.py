"""The multi most-common-in-window prediction estimate, SP 800-90B section 6.3.7."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.entropy.prediction import Scoreboard
from stats_tests.entropy.results import Estimate
from stats_tests.entropy.symbols import Symbols

__all__ = ["multi_mcw"]

_NAME: Final = "multi_mcw"
_WINDOWS: Final = (63, 255, 1023, 4095)
# Cells of one table (rounds by symbols) that is in work at a time.
_CELLS: Final = 1 << 18
_MOST_ROUNDS: Final = 1 << 13
_TOGETHER: Final = 32
# Above every place within a block or the longest window before it.
_PLACES: Final = 1 << 14


def multi_mcw(symbols: Symbols) -> Estimate:
    """Predict the commonest of the last 63, 255, 1023 and 4095 symbols, of equals the one seen last."""
    size = len(symbols)
    if size <= _WINDOWS[-1]:
        return Estimate(_NAME, None, reason=f"needs more than {_WINDOWS[-1]} samples; there are {size}")
    scoreboard = Scoreboard(len(_WINDOWS))
    block = min(_MOST_ROUNDS, _CELLS // symbols.alphabet)
    counts = np.zeros((len(_WINDOWS), symbols.alphabet), dtype=np.int32)
    for start in range(0, size, block):
        end = min(size, start + block)
        seen_last = _seen_last(symbols, start, end)
        actual = symbols.values[start:end]
        hits = np.empty((len(_WINDOWS), end - start), dtype=np.bool_)
        for number, window in enumerate(_WINDOWS):
            rows, counts[number] = _window_counts(symbols, window, counts[number], start, end)
            # The greatest count, and of equals the latest place, is one greatest number.
            rows *= _PLACES
            rows += seen_last
            hits[number] = rows.argmax(axis=1) == actual
            hits[number, : max(0, window - start)] = False
        scoreboard.feed(hits[:, max(0, _WINDOWS[0] - start) :])
    return scoreboard.believed.estimate(_NAME, size - _WINDOWS[0], symbols.alphabet)


def _window_counts(
    symbols: Symbols, window: int, counts: NDArray[np.int32], start: int, end: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return how often each symbol stands in the window before each of the rounds, and before ``end``."""
    values = symbols.values
    changes = np.zeros((end - start + 1, symbols.alphabet), dtype=np.int32)
    changes[0] = counts
    rounds = np.arange(1, end - start + 1)
    changes[rounds, values[start:end]] += 1
    leaving = rounds[max(0, window - start) :]
    changes[leaving, values[leaving - 1 + start - window]] -= 1
    _accumulate(np.add, changes)
    return changes[:-1], changes[-1].copy()


def _seen_last(symbols: Symbols, start: int, end: int) -> NDArray[np.int32]:
    """Return the place at which each symbol was seen last before each round, 0 if that is longer ago than a window."""
    origin = max(0, start - _WINDOWS[-1])
    places = np.zeros((end - start, symbols.alphabet), dtype=np.int32)
    before = symbols.values[origin:start]
    places[0, before] = np.arange(1, len(before) + 1)
    rounds = np.arange(1, end - start)
    places[rounds, symbols.values[start : end - 1]] = len(before) + rounds
    _accumulate(np.maximum, places)
    return places


def _accumulate(operation: np.ufunc, rows: NDArray[np.int32]) -> None:
    """Replace each row by what ``operation`` makes of it and all rows before it."""
    if rows.shape[1] < _TOGETHER:
        operation.accumulate(rows, axis=0, out=rows)
        return
    # numpy goes down one column after the other, which is slow for wide rows: go down many stretches side by side.
    whole = len(rows) // _TOGETHER * _TOGETHER
    stretches = rows[:whole].reshape(-1, _TOGETHER, rows.shape[1])
    for row in range(1, _TOGETHER):
        operation(stretches[:, row], stretches[:, row - 1], out=stretches[:, row])
    for number in range(1, len(stretches)):
        operation(stretches[number], stretches[number - 1, -1], out=stretches[number])
    for row in range(max(1, whole), len(rows)):
        operation(rows[row], rows[row - 1], out=rows[row])
