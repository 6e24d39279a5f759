"""Decision diagrams: the value of a line as a graph that reads the reels in a chosen order and stops when it knows.

Two prefixes after which every continuation has the same value share a node, and a node without choices is
its value; so lines end early, and states of whole spins meet. Values are integers that are added up.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

_Value = TypeVar("_Value", bound=Hashable)
Layers = Sequence[Sequence[Sequence[int]]]


@dataclass(frozen=True, slots=True)
class Diagram:
    """``children[node][symbol]`` is a node, or ~index of ``values``; ``start`` likewise.

    The symbols are read in the order ``order`` of the reels. ``usual[node]`` is the most frequent child of a
    node, ``choices[node]`` the symbols that lead elsewhere.
    """

    order: Sequence[int]
    start: int
    children: Sequence[Sequence[int]]
    values: Sequence[int]
    usual: Sequence[int]
    choices: Sequence[frozenset[int]]

    def value(self, symbols: Sequence[int]) -> int:
        """Return the value of a line by its symbols in the order of the reels."""
        node = self.start
        for reel in self.order:
            if node < 0:
                break
            node = self.children[node][symbols[reel]]
        return self.values[~node]


@dataclass(frozen=True, slots=True)
class Layered(Generic[_Value]):
    """An automaton that reads the reels from the first to the last; no two states of a layer do the same.

    ``layers[reel][state][symbol]`` is a state of the next layer, an index of ``values`` after the last.
    """

    layers: Layers
    values: Sequence[_Value]


def layered(layers: Layers, values: Sequence[_Value]) -> Layered[_Value]:
    """Merge the states that no continuation tells apart."""
    distinct = {value: index for index, value in enumerate(dict.fromkeys(values))}
    number = [distinct[value] for value in values]
    merged: list[list[tuple[int, ...]]] = []
    for layer in reversed(layers):
        seen: dict[tuple[int, ...], int] = {}
        number = [seen.setdefault(tuple([number[target] for target in row]), len(seen)) for row in layer]
        merged.append(list(seen))
    return Layered(merged[::-1], list(distinct))


def both_ways(
    left: Layered[_Value], right: Layered[_Value], join: Callable[[_Value, _Value], _Value]
) -> Layered[_Value]:
    """Return two automata joined into one; ``right`` reads the reels from the last to the first.

    A state remembers, for each state in which ``right`` may arrive from the other side, what it will return.
    """
    reels = len(left.layers)
    symbols = range(len(left.layers[0][0]))
    # What ``right`` returns is kept by number, so that any kind of value will do.
    layer: dict[tuple[int, tuple[int, ...]], int] = {(0, tuple(range(len(right.values)))): 0}
    layers = []
    for reel in range(reels):
        arriving = right.layers[reels - 1 - reel]
        following: dict[tuple[int, tuple[int, ...]], int] = {}
        rows = []
        for state, returns in layer:
            row = []
            for symbol in symbols:
                target = (left.layers[reel][state][symbol], tuple([returns[other[symbol]] for other in arriving]))
                row.append(following.setdefault(target, len(following)))
            rows.append(row)
        layers.append(rows)
        layer = following
    return layered(layers, [join(left.values[value], right.values[returns[0]]) for value, returns in layer])


def diagram(automaton: Layered[int], order: Sequence[int]) -> Diagram:
    """Return the automaton as a diagram that reads the reels in ``order``.

    ``order`` grows from one reel to its neighbours: what has been read is always an unbroken row of reels.
    """
    symbols = range(len(automaton.layers[0][0]))
    low = high = order[0]
    # What has been read maps each state before it to a state after it.
    layer: dict[tuple[int, ...], int] = {tuple(range(len(automaton.layers[low]))): 0}
    levels = []
    for reel in order:
        following: dict[tuple[int, ...], int] = {}
        rows = []
        step = automaton.layers[reel]
        for mapping in layer:
            row = []
            for symbol in symbols:
                if reel == high:
                    target = tuple([step[state][symbol] for state in mapping])
                else:
                    target = tuple([mapping[state[symbol]] for state in step])
                row.append(following.setdefault(target, len(following)))
            rows.append(row)
        levels.append(rows)
        layer = following
        low, high = (low, high + 1) if reel == high else (reel, high)
    return _collapsed(order, levels, [automaton.values[end] for (end,) in layer])


def natural_order(reels: int) -> list[int]:
    """Return the order from the first reel to the last."""
    return list(range(reels))


def middle_order(reels: int) -> list[int]:
    """Return the order from the middle reel outwards, in which lines that pay both ways end soonest."""
    middle = reels // 2
    found = [middle]
    for distance in range(1, reels):
        found += [reel for reel in (middle - distance, middle + distance) if 0 <= reel < reels]
    return found


def _collapsed(order: Sequence[int], levels: Layers, ends: Sequence[int]) -> Diagram:
    values = {value: index for index, value in enumerate(dict.fromkeys(ends))}
    number = [~values[value] for value in ends]
    children: list[tuple[int, ...]] = []
    known: dict[tuple[int, ...], int] = {}
    for level in reversed(levels):
        found = []
        for row in level:
            targets = tuple([number[target] for target in row])
            # Only a value ends the line: a node that is the same for every symbol still reads its reel.
            if targets[0] < 0 and len(set(targets)) == 1:
                found.append(targets[0])
                continue
            if targets not in known:
                known[targets] = len(children)
                children.append(targets)
            found.append(known[targets])
        number = found
    usual = [Counter(row).most_common(1)[0][0] for row in children]
    choices = [
        frozenset(symbol for symbol, target in enumerate(row) if target != often)
        for row, often in zip(children, usual, strict=True)
    ]
    return Diagram(list(order), number[0], children, list(values), usual, choices)
