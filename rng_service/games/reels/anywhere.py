"""Pays anywhere: a symbol pays by how many cells of the window show it or a wild for it, wherever they stand.

The joint distribution of many numbers of symbols has far too many states. But few symbols can win at once, and with
g the prize of a symbol by its number N,

    product over s of z^g(N_s) = sum over sets A of symbols of the product over A of (z^g(N_s) - 1),

where a term is not 0 only if every symbol of A wins. So the distribution is a signed sum over the sets of symbols
that can win together, and for each only their own numbers are followed, reel by reel.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from rng_service.games.reels.convolution import Budget
from rng_service.games.reels.spin import Hit
from rng_service.games.reels.windows import Reel
from rng_service.outcome.primitives import Outcome

_Numbers = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NumberPays:
    """A paying symbol: the symbols that count for it, and packed prizes by the number of cells."""

    name: str
    counting: frozenset[int]
    pays: Mapping[int, int]


@dataclass(frozen=True)
class Anywhere:
    """All symbols that pay anywhere; ``bits`` is where a packed prize begins."""

    reels: Sequence[Reel]
    rules: Sequence[NumberPays]
    bits: int
    name: str = "anywhere"
    _width: int = field(init=False, repr=False, compare=False)
    _counts: Sequence[Sequence[int]] = field(init=False, repr=False, compare=False)
    _pays: Sequence[tuple[int, Sequence[int]]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        cells = sum(reel.rows for reel in self.reels)
        # The numbers of all symbols travel in one integer, a field of this many bits for each.
        width = cells.bit_length()
        counts = [
            [
                sum(self._cells(rule, window) << width * place for place, rule in enumerate(self.rules))
                for window in windows
            ]
            for windows in (reel.windows for reel in self.reels)
        ]
        pays = [
            (width * place, [rule.pays.get(number, 0) for number in range(cells + 1)])
            for place, rule in enumerate(self.rules)
        ]
        object.__setattr__(self, "_width", width)
        object.__setattr__(self, "_counts", counts)
        object.__setattr__(self, "_pays", pays)

    @staticmethod
    def _cells(rule: NumberPays, window: Sequence[int]) -> int:
        return sum(symbol in rule.counting for symbol in window)

    def won(self, outcome: Outcome) -> int:
        """Return what the stops pay, packed."""
        numbers = 0
        for counts, stop in zip(self._counts, outcome, strict=True):
            numbers += counts[stop]
        mask = (1 << self._width) - 1
        return sum([pays[numbers >> place & mask] for place, pays in self._pays])

    def totals(self) -> Mapping[int, int]:
        """Return packed total, scatters included → weight of the stops; raises GameError as `convolution`."""
        budget = Budget()
        found: dict[int, int] = {}
        self._add_sets(found, (), budget)
        return {total: ways for total, ways in found.items() if ways}

    def _add_sets(self, found: dict[int, int], chosen: tuple[int, ...], budget: Budget) -> None:
        """Add the term of ``chosen`` and of every larger set that begins with it."""
        ends = self._together(chosen, budget)
        if not ends:
            return
        for (numbers, counted), ways in ends.items():
            terms = [(counted, ways)]
            for rule, number in zip(chosen, numbers, strict=True):
                prize = self.rules[rule].pays[number]
                terms = [*((total, -sign) for total, sign in terms), *((total + prize, sign) for total, sign in terms)]
            budget.spend(len(terms))
            for total, signed in terms:
                found[total] = found.get(total, 0) + signed
        for rule in range(chosen[-1] + 1 if chosen else 0, len(self.rules)):
            self._add_sets(found, (*chosen, rule), budget)

    def _together(self, chosen: Sequence[int], budget: Budget) -> dict[tuple[_Numbers, int], int]:
        """Return (numbers of these symbols, counted symbols) → weight, where each of them wins."""
        rules = [self.rules[rule] for rule in chosen]
        most = [self._most_after[rule] for rule in chosen]
        least = [min(rule.pays) for rule in rules]
        states: dict[tuple[_Numbers, int], int] = {((0,) * len(rules), 0): 1}
        for position, reel in enumerate(self.reels):
            shown: dict[tuple[_Numbers, int], int] = {}
            for (window, counted), weight in reel.shown.items():
                key = (tuple([self._cells(rule, window) for rule in rules]), counted)
                shown[key] = shown.get(key, 0) + weight
            needed = [low - after[position] for low, after in zip(least, most, strict=True)]
            budget.spend(len(states) * len(shown))
            following: dict[tuple[_Numbers, int], int] = {}
            for (numbers, seen), ways in states.items():
                for (more, counted), weight in shown.items():
                    sums = tuple([number + add for number, add in zip(numbers, more, strict=True)])
                    if all(number >= low for number, low in zip(sums, needed, strict=True)):
                        key = (sums, seen + counted)
                        following[key] = following.get(key, 0) + ways * weight
            states = following
        return {
            (numbers, counted): ways
            for (numbers, counted), ways in states.items()
            if all(number in rule.pays for number, rule in zip(numbers, rules, strict=True))
        }

    @cached_property
    def _most_after(self) -> Sequence[Sequence[int]]:
        """Return for each rule how many cells the reels after each position can still add."""
        found = []
        for rule in self.rules:
            left = [0]
            for reel in reversed(self.reels[1:]):
                left.append(left[-1] + max(self._cells(rule, window) for window in reel.windows))
            found.append(left[::-1])
        return found

    def hits(self) -> Sequence[Hit]:
        """Return each symbol and number that pays, with its probability."""
        found = []
        for rule in self.rules:
            chances = {0: Fraction(1)}
            for reel in self.reels:
                following: dict[int, Fraction] = {}
                for window, weight in zip(reel.windows, reel.weights, strict=True):
                    more, chance = self._cells(rule, window), Fraction(weight, reel.total)
                    for number, before in chances.items():
                        following[number + more] = following.get(number + more, Fraction(0)) + before * chance
                chances = following
            found += [
                Hit(f"{number} {rule.name}", rule.pays[number] >> self.bits, chance)
                for number, chance in sorted(chances.items())
                if number in rule.pays and chance
            ]
        return found

    def highest(self) -> int:
        """Return the sum of the highest prizes of all symbols."""
        return sum(max(rule.pays.values()) for rule in self.rules) >> self.bits
