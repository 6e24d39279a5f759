"""The exact distribution of a whole spin, without visiting every combination of stops.

A state is what can still matter after some reels. Forward from the first reel, each state carries the totals
won so far with the number of stop combinations that lead there; backward from the last, each state knows the
distribution of what is still to come. They meet in the middle, so that neither side has to carry long
distributions through many states. Totals are packed integers (`counting`), which add up.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Protocol, TypeVar

from rng_service.games.errors import GameError

MAX_WORK = 40_000_000
_State = TypeVar("_State", bound=Hashable)
_Totals = dict[int, int]


class Board(Protocol[_State]):
    """A spin as a process over its reels."""

    @property
    def reels(self) -> int:
        """The number of reels, in the order in which the process reads them."""

    def start(self) -> tuple[_State, int]:
        """Return the state before any reel, and what is won already."""

    def moves(self, position: int, state: _State) -> Sequence[tuple[_State, int, int]]:
        """Return what one more reel can do: (state after it, what it adds to the total, weight)."""


class Budget:
    """The steps that one distribution may take."""

    def __init__(self) -> None:
        self._left = MAX_WORK

    def spend(self, work: int) -> None:
        """Take so many steps; raises GameError when none are left."""
        self._left -= work
        if self._left < 0:
            raise GameError("$", f"the exact distribution of a spin takes more than {MAX_WORK} steps")


def distribution(board: Board[_State]) -> dict[int, int]:
    """Return packed total → weight of the stop combinations.

    Raises GameError when it takes more than 40,000,000 steps, some 20 seconds.
    """
    start, won = board.start()
    budget = Budget()
    states: dict[_State, _Totals] = {start: {won: 1}}
    middle = board.reels // 2 + 1
    for position in range(min(middle, board.reels)):
        states = _after(board, position, states, budget)
    known: list[dict[_State, Mapping[int, int]]] = [{} for _ in range(board.reels + 1)]
    found: _Totals = {}
    for state, totals in states.items():
        coming = _coming(board, min(middle, board.reels), state, known, budget)
        budget.spend(len(totals) * len(coming))
        for total, ways in totals.items():
            for more, weight in coming.items():
                key = total + more
                found[key] = found.get(key, 0) + ways * weight
    return found


def _after(
    board: Board[_State], position: int, states: Mapping[_State, _Totals], budget: Budget
) -> dict[_State, _Totals]:
    found: dict[_State, _Totals] = {}
    for state, totals in states.items():
        moves = board.moves(position, state)
        budget.spend(len(moves) * (len(totals) + 4))
        for target, gain, weight in moves:
            into = found.get(target)
            if into is None:
                into = found[target] = {}
            for total, ways in totals.items():
                key = total + gain
                into[key] = into.get(key, 0) + ways * weight
    return found


def _coming(
    board: Board[_State],
    position: int,
    state: _State,
    known: Sequence[dict[_State, Mapping[int, int]]],
    budget: Budget,
) -> Mapping[int, int]:
    if position == board.reels:
        return {0: 1}
    found = known[position].get(state)
    if found is None:
        totals: _Totals = {}
        moves = board.moves(position, state)
        work = 4 * len(moves)
        beyond = known[position + 1]
        for target, gain, weight in moves:
            coming = beyond.get(target) or _coming(board, position + 1, target, known, budget)
            work += len(coming)
            for more, ways in coming.items():
                key = gain + more
                totals[key] = totals.get(key, 0) + ways * weight
        budget.spend(work)
        found = known[position][state] = totals
    return found
