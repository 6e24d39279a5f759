"""How one payline pays: a small automaton over the symbols from the leftmost reel to the right.

A line pays the highest prize, over all paying symbols s, for the run of s and wilds that begins on the first
reel; a run counts for every length up to its own. Because wilds stand for any paying symbol, a leading run of
wilds counts for all of them. A state is (symbol of the run or none yet, its length, the wilds that lead it).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ENDED = -1
_State = tuple[int | None, int, int]


@dataclass(frozen=True, slots=True)
class LineAutomaton:
    """``next_state[state][symbol]`` or ENDED, ``prize[state]`` when the run stops there; state 0 starts."""

    next_state: Sequence[Sequence[int]]
    prize: Sequence[int]

    def pays(self, symbols: Sequence[int]) -> int:
        """Return the prize of one line."""
        state = 0
        for symbol in symbols:
            following = self.next_state[state][symbol]
            if following == ENDED:
                break
            state = following
        return self.prize[state]


def line_automaton(symbols: int, reels: int, wild: int | None, pays: Mapping[int, Mapping[int, int]]) -> LineAutomaton:
    """Build the automaton for symbols 0 … ``symbols`` - 1 and ``pays[symbol][length]`` in integer units."""
    best = {symbol: _running_best(row, reels) for symbol, row in pays.items()}
    any_best = [max((row[length] for row in best.values()), default=0) for length in range(reels + 1)]

    def prize(state: _State) -> int:
        symbol, length, wilds = state
        # The wilds in front count for every symbol, the run itself only for its own.
        own = best[symbol][length] if symbol in best else 0
        return max(own, any_best[wilds])

    def step(state: _State, drawn: int) -> _State | None:
        symbol, length, wilds = state
        if drawn == wild:
            return (symbol, length + 1, wilds + (symbol is None))
        # A symbol without prizes, the scatter among them, ends the run like any stranger.
        if drawn in pays and (symbol is None or drawn == symbol):
            return (drawn, length + 1, wilds)
        return None

    start: _State = (None, 0, 0)
    numbers = {start: 0}
    queue = [start]
    table: list[list[int]] = []
    for state in queue:  # the list grows while it is walked: breadth first
        row = []
        for drawn in range(symbols):
            following = step(state, drawn)
            if following is None or following[1] > reels:
                row.append(ENDED)
                continue
            if following not in numbers:
                numbers[following] = len(queue)
                queue.append(following)
            row.append(numbers[following])
        table.append(row)
    return LineAutomaton(table, [prize(state) for state in queue])


def _running_best(row: Mapping[int, int], reels: int) -> list[int]:
    found = [0]
    for length in range(1, reels + 1):
        found.append(max(found[-1], row.get(length, 0)))
    return found
