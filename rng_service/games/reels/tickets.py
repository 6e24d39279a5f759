"""All paylines of a spin as a process over the reels, for `convolution`.

A state holds the lines that have not ended: for each node of the diagram the bag of the rows that its lines
have still to read. Lines with the same symbols so far and the same rows to come are one entry with a count,
and a window matters only in the symbols that some line is waiting for, on the rows where it is read.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

from rng_service.games.reels.diagram import Diagram
from rng_service.games.reels.windows import Reel

Live = tuple[tuple[int, int], ...]
"""(node of the diagram, number of the bag of its lines), ascending."""
_Rows = tuple[int, ...]
_HIDDEN = -1


class _Bags:
    """Multisets of rows to come, each under one number; a bag splits by the row that is read next."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[_Rows, ...], int] = {}
        self._lines: list[tuple[_Rows, ...]] = []
        self._parts: list[Sequence[tuple[int, int, int]] | None] = []
        self._unions: dict[tuple[int, int], int] = {}

    def number(self, lines: Iterable[_Rows]) -> int:
        key = tuple(sorted(lines))
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self._lines)
            self._lines.append(key)
            self._parts.append(None)
        return found

    def parts(self, bag: int) -> Sequence[tuple[int, int, int]]:
        """Return (row read next, bag of the lines that read it, their number)."""
        found = self._parts[bag]
        if found is None:
            found = self._parts[bag] = [
                (row, self.number(rest), len(rest))
                for row, rest in (
                    (row, [line[1:] for line in lines])
                    for row, lines in groupby(self._lines[bag], key=lambda line: line[0])
                )
            ]
        return found

    def union(self, one: int, other: int) -> int:
        key = (one, other)
        found = self._unions.get(key)
        if found is None:
            found = self._unions[key] = self.number(self._lines[one] + self._lines[other])
        return found


class LineBoard:
    """The lines (a row for each reel, in the reels' own order) over the windows of ``reels``."""

    def __init__(self, reels: Sequence[Reel], lines: Sequence[_Rows], diagram: Diagram) -> None:
        self.reels = len(reels)
        self._shown = [reels[reel].shown for reel in diagram.order]
        self._lines = [tuple(line[reel] for reel in diagram.order) for line in lines]
        self._diagram = diagram
        self._bags = _Bags()
        self._views: dict[tuple[int, frozenset[int], frozenset[int]], Sequence[tuple[_Rows, int, int]]] = {}

    def start(self) -> tuple[Live, int]:
        """Return all lines at the start of the diagram; where it has no choices they are won."""
        start = self._diagram.start
        if start < 0:
            return (), self._diagram.values[~start] * len(self._lines)
        return ((start, self._bags.number(self._lines)),), 0

    def moves(self, position: int, live: Live) -> Sequence[tuple[Live, int, int]]:
        """Return the next reel's moves; equal ones are one."""
        diagram, bags = self._diagram, self._bags
        children, values, usual = diagram.children, diagram.values, diagram.usual
        read = [(children[node], usual[node], bags.parts(bag)) for node, bag in live]
        waiting = frozenset().union(*(diagram.choices[node] for node, _ in live))
        rows = frozenset(row for _, _, parts in read for row, _, _ in parts)
        found: dict[tuple[Live, int], int] = {}
        for window, counted, weight in self._view(position, waiting, rows):
            gain = counted
            still: dict[int, int] = {}
            for row_of, often, parts in read:
                for row, bag, size in parts:
                    symbol = window[row]
                    target = often if symbol == _HIDDEN else row_of[symbol]
                    if target < 0:
                        if value := values[~target]:
                            gain += value * size
                    elif target in still:
                        still[target] = bags.union(still[target], bag)
                    else:
                        still[target] = bag
            key = (tuple(sorted(still.items())) if len(still) > 1 else tuple(still.items()), gain)
            found[key] = found.get(key, 0) + weight
        return [(target, gain, weight) for (target, gain), weight in found.items()]

    def _view(self, position: int, waiting: frozenset[int], rows: frozenset[int]) -> Sequence[tuple[_Rows, int, int]]:
        """Return the windows with everything hidden that nobody waits for: (symbols, counted symbols, weight)."""
        key = (position, waiting, rows)
        found = self._views.get(key)
        if found is None:
            seen: Counter[tuple[_Rows, int]] = Counter()
            for (window, counted), weight in self._shown[position].items():
                shown = tuple(
                    [symbol if symbol in waiting and row in rows else _HIDDEN for row, symbol in enumerate(window)]
                )
                seen[shown, counted] += weight
            found = self._views[key] = [(window, counted, weight) for (window, counted), weight in seen.items()]
        return found
