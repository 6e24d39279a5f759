"""The exact distribution of a whole spin, all lines together, without visiting every combination of stops.

Reel by reel, from the left: a state is what can still matter (the lines whose run has not ended, with their
automaton states and the rows still to come; the scatters seen; what the ended lines have won), with the
number of stop combinations that lead to it. Most lines end by the third reel, so the states stay few where
the combinations run into the tens of millions.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from rng_service.games.errors import GameError
from rng_service.games.reels.paylines import LineAutomaton

Window = tuple[int, ...]
_Live = tuple[tuple[tuple[int, ...], int], ...]
_State = tuple[_Live, int, int]
MAX_STATES = 2_000_000


def ticket_prizes(
    windows: Sequence[Sequence[Window]],
    lines: Sequence[tuple[int, ...]],
    automaton: LineAutomaton,
    scatters_in: Callable[[Window], int],
    scatter_prizes: Sequence[int],
) -> dict[int, int]:
    """Return total prize → number of stop combinations; arguments as for `LinesBet`.

    Raises GameError when more than 2,000,000 states would have to be kept.
    """
    states: dict[_State, int] = {(tuple(sorted((line, 0) for line in lines)), 0, 0): 1}
    for reel in windows:
        shown = [(window, count, scatters_in(window)) for window, count in Counter(reel).items()]
        states = _after_reel(states, shown, automaton)
    totals: dict[int, int] = {}
    for (live, scatters, won), ways in states.items():
        total = won + scatter_prizes[scatters] + sum(automaton.prize[state] for _, state in live)
        totals[total] = totals.get(total, 0) + ways
    return totals


def _after_reel(
    states: dict[_State, int], shown: Sequence[tuple[Window, int, int]], automaton: LineAutomaton
) -> dict[_State, int]:
    next_state, prize = automaton.next_state, automaton.prize
    found: dict[_State, int] = {}
    for (live, scatters, won), ways in states.items():
        # The rows to come are cut once a state, not once a window.
        moves = [(rows[0], rows[1:], next_state[state], prize[state]) for rows, state in live]
        for window, count, more in shown:
            total = won
            still = []
            for row, rest, following, stopped in moves:
                target = following[window[row]]
                if target < 0:
                    total += stopped
                else:
                    still.append((rest, target))
            still.sort()
            key = (tuple(still), scatters + more, total)
            found[key] = found.get(key, 0) + ways * count
        if len(found) > MAX_STATES:
            raise GameError("$", f"the exact distribution of a spin takes more than {MAX_STATES} states")
    return found
