"""All paylines of a spin: settled by walking them together, known exactly line by line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from math import prod
from operator import add
from typing import Any

from rng_service.games.reels.convolution import distribution
from rng_service.games.reels.diagram import Diagram, both_ways, diagram, layered, middle_order, natural_order
from rng_service.games.reels.paylines import LineAutomaton, LineResult, LineRules, higher, line_automaton, line_chances
from rng_service.games.reels.spin import Hit
from rng_service.games.reels.tickets import LineBoard
from rng_service.games.reels.windows import Reel
from rng_service.outcome.primitives import Outcome

DIRECTIONS = ("left", "right", "both", "either", "any")
_Branches = Sequence[tuple[int, int, Any]]
"""(row, number of lines that read it, their branches on the next reel)."""


@dataclass(frozen=True)
class Lines:
    """``lines`` (a row for each reel) that all follow ``rules``; ``bits`` is where a packed prize begins.

    Raises GameError for rules that `line_automaton` cannot take.
    """

    reels: Sequence[Reel]
    lines: Sequence[tuple[int, ...]]
    rules: LineRules
    direction: str
    bits: int
    name: str = "lines"
    _windows: Sequence[Sequence[tuple[int, ...]]] = field(init=False, repr=False, compare=False)
    _branches: _Branches = field(init=False, repr=False, compare=False)
    _diagram: Diagram = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_diagram", self._ordered(self._order))
        object.__setattr__(self, "_windows", [self.reels[reel].windows for reel in self._order])
        object.__setattr__(self, "_branches", _branches([[line[reel] for reel in self._order] for line in self.lines]))

    @property
    def _order(self) -> list[int]:
        # What pays from the right alone is what pays from the left on the reels read backwards.
        order = natural_order(len(self.reels))
        return order[::-1] if self.direction == "right" else order

    @cached_property
    def _passes(self) -> Sequence[tuple[LineAutomaton, Sequence[int]]]:
        """Return what is won apart and added up, with the order in which each reads the reels."""
        order, backwards = self._order, self._order[::-1]
        if self.direction == "any":
            return [(line_automaton(self.rules, anywhere=True), order)]
        left = line_automaton(self.rules)
        if self.direction == "both":
            return [(left, order), (line_automaton(self.rules, whole=False), backwards)]
        if self.direction == "either":
            right = line_automaton(self.rules, whole=False)
            joined = both_ways(layered(left.layers, left.results), layered(right.layers, right.results), higher)
            return [(LineAutomaton(joined.layers, joined.values), order)]
        return [(left, order)]

    def _ordered(self, order: Sequence[int]) -> Diagram:
        parts = [
            layered(automaton.layers, [self._packed(result) for result in automaton.results])
            for automaton, _ in self._passes
        ]
        whole = parts[0] if len(parts) == 1 else both_ways(parts[0], parts[1], add)
        return diagram(whole, natural_order(len(self.reels)) if self.direction == "right" else order)

    def _packed(self, result: LineResult) -> int:
        return (result.won.prize << self.bits) + result.awards

    def won(self, outcome: Outcome) -> int:
        """Return what the stops pay and award, packed; lines are walked together for as long as they agree."""
        stops = outcome if self.direction != "right" else outcome[::-1]
        children, values = self._diagram.children, self._diagram.values
        start = self._diagram.start
        if start < 0:
            return values[~start] * len(self.lines)
        total = 0
        live: list[tuple[int, _Branches]] = [(start, self._branches)]
        for windows, stop in zip(self._windows, stops, strict=True):
            window = windows[stop]
            still = []
            for node, branches in live:
                row_of = children[node]
                for row, size, rest in branches:
                    target = row_of[window[row]]
                    if target >= 0:
                        still.append((target, rest))
                    elif value := values[~target]:
                        total += value * size
            if not still:
                break
            live = still
        return total

    def value(self, symbols: Sequence[int]) -> int:
        """Return the prize in units of a line that shows these symbols, from the first reel to the last."""
        return self._diagram.value(symbols if self.direction != "right" else symbols[::-1]) >> self.bits

    def totals(self) -> Mapping[int, int]:
        """Return packed total, scatters included → weight of the stops; raises GameError as `convolution`."""
        if self.direction not in {"left", "right"}:
            # Read from the middle, where lines that do not only pay from one side end soonest.
            board = LineBoard(self.reels, self.lines, self._ordered(middle_order(len(self.reels))))
        else:
            reels = [self.reels[reel] for reel in self._order]
            board = LineBoard(reels, [tuple(line[reel] for reel in self._order) for line in self.lines], self._diagram)
        return distribution(board)

    def hits(self) -> Sequence[Hit]:
        """Return each prize with the expected number of lines that win it in one spin."""
        stops = prod(reel.total for reel in self.reels)
        found: dict[tuple[int, int, int, int], int] = {}
        for automaton, order in self._passes:
            for result, ways in self._chances(automaton, order).items():
                won = result.won
                if won.prize:
                    key = (-won.order, won.length, won.multiplied, won.prize)
                    found[key] = found.get(key, 0) + ways
        return [
            Hit(self._label(rule, length, multiplied), prize, Fraction(ways, stops))
            for (rule, length, multiplied, prize), ways in sorted(found.items())
        ]

    def _chances(self, automaton: LineAutomaton, order: Sequence[int]) -> Mapping[LineResult, int]:
        symbols = [[reel.symbols_on(row) for row in range(reel.rows)] for reel in self.reels]
        # Rows of a reel that show the same symbols equally often need no pass of their own.
        alike = [[rows.index(row) for row in rows] for rows in symbols]
        paths: dict[tuple[int, ...], int] = {}
        for line in self.lines:
            path = tuple(alike[reel][line[reel]] for reel in order)
            paths[path] = paths.get(path, 0) + 1
        found: dict[LineResult, int] = {}
        for path, number in paths.items():
            shown = [symbols[reel][row] for reel, row in zip(order, path, strict=True)]
            for result, ways in line_chances(automaton, shown).items():
                found[result] = found.get(result, 0) + number * ways
        return found

    def _label(self, rule: int, length: int, multiplied: int) -> str:
        runs = len(self.rules.rules)
        if rule >= runs:
            return f"{length} {self.rules.numbers[rule - runs].name} on the line"
        name = f"{length} {self.rules.rules[rule].name}"
        return name if multiplied == 1 else f"{name}, wild x{multiplied}"

    def highest(self) -> int:
        """Return the largest prize of a line, for all of them."""
        return max((value >> self.bits for value in self._diagram.values), default=0) * len(self.lines)


def _branches(lines: Sequence[Sequence[int]]) -> _Branches:
    rows: dict[int, list[Sequence[int]]] = {}
    for line in lines:
        rows.setdefault(line[0], []).append(line[1:])
    return [(row, len(rest), _branches(rest) if rest[0] else ()) for row, rest in sorted(rows.items())]
