"""Ways: a symbol pays for every choice of one cell on each reel, from the first reel on, in which it stands.

For each paying symbol the ways are the product of its cells on the reels of its run; a wild that stands for it
is a cell too, and counts as often as its multiplier says, because every way through it is multiplied.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from rng_service.games.reels.convolution import distribution
from rng_service.games.reels.spin import Hit
from rng_service.games.reels.windows import Reel
from rng_service.outcome.primitives import Outcome

_Live = tuple[tuple[int, int, int], ...]
"""(symbol's number in the rules, ways so far, prize of the last listed length if this one is not listed)."""
_View = Sequence[tuple[tuple[int, ...], int, int]]


@dataclass(frozen=True, slots=True)
class WayRule:
    """A paying symbol: what each symbol counts for it, and packed prizes for one way by length."""

    name: str
    cells: Mapping[int, int]
    pays: Mapping[int, int]


@dataclass(frozen=True)
class Ways:
    """All ways over ``reels``; in the order ``order``, from the last reel where runs begin on the right."""

    reels: Sequence[Reel]
    rules: Sequence[WayRule]
    order: Sequence[int]
    bits: int
    name: str = "ways"
    _cells: Sequence[Sequence[tuple[int, ...]]] = field(init=False, repr=False, compare=False)
    _pays: Sequence[Sequence[int]] = field(init=False, repr=False, compare=False)
    _first: Sequence[Sequence[tuple[int, int]]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        cells = [
            [
                tuple([sum(rule.cells.get(symbol, 0) for symbol in window) for rule in self.rules])
                for window in self.reels[reel].windows
            ]
            for reel in self.order
        ]
        first = [[(rule, count) for rule, count in enumerate(stop) if count] for stop in cells[0]]
        pays = [[rule.pays.get(length, 0) for length in range(len(self.reels) + 1)] for rule in self.rules]
        object.__setattr__(self, "_cells", cells)
        object.__setattr__(self, "_first", first)
        object.__setattr__(self, "_pays", pays)

    def won(self, outcome: Outcome) -> int:
        """Return what the stops pay, packed."""
        stops = outcome if self.order[0] == 0 else outcome[::-1]
        shown = [cells[stop] for cells, stop in zip(self._cells[1:], stops[1:], strict=True)]
        total = 0
        for rule, ways in self._first[stops[0]]:
            pays = self._pays[rule]
            best = pays[1] * ways
            for length, counts in enumerate(shown, 2):
                count = counts[rule]
                if not count:
                    break
                ways *= count  # noqa: PLW2901 - the ways of this symbol grow reel by reel
                if pays[length]:
                    best = pays[length] * ways
            total += best
        return total

    def totals(self) -> Mapping[int, int]:
        """Return packed total, scatters included → weight of the stops; raises GameError as `convolution`."""
        return distribution(WaysBoard([self.reels[reel] for reel in self.order], self.rules, self._pays))

    def hits(self) -> Sequence[Hit]:
        """Return each symbol and length with the expected number of its ways, among runs that pay this length."""
        found = []
        for number, rule in enumerate(self.rules):
            mean = [Fraction(1)]
            shows = [Fraction(1)]
            for reel, cells in zip((self.reels[reel] for reel in self.order), self._cells, strict=True):
                pairs = list(zip(cells, reel.weights, strict=True))
                mean.append(mean[-1] * Fraction(sum(stop[number] * weight for stop, weight in pairs), reel.total))
                shows.append(Fraction(sum(weight for stop, weight in pairs if stop[number]), reel.total))
            listed = sorted(rule.pays)
            for length, longer in zip(listed, [*listed[1:], None], strict=True):
                goes_on = Fraction(longer is not None)
                for reel_shows in shows[length + 1 : longer + 1] if longer is not None else ():
                    goes_on *= reel_shows
                chance = mean[length] * (1 - goes_on)
                if chance:
                    found.append(Hit(f"{length} {rule.name}", rule.pays[length] >> self.bits, chance))
        return found

    def highest(self) -> int:
        """Return the sum of what each symbol pays at most."""
        total = 0
        for number, rule in enumerate(self.rules):
            ways, best = 1, 0
            for length, cells in enumerate(self._cells, 1):
                ways *= max(stop[number] for stop in cells)
                best = max(best, rule.pays.get(length, 0) * ways)
            total += best
        return total >> self.bits


class WaysBoard:
    """The ways as a process, for `convolution`: a state holds the symbols whose run has not ended."""

    def __init__(self, reels: Sequence[Reel], rules: Sequence[WayRule], pays: Sequence[Sequence[int]]) -> None:
        self.reels = len(reels)
        self._pays = pays
        self._last = [max(rule.pays) for rule in rules]
        self._sights: list[Counter[tuple[tuple[int, ...], int]]] = []
        for reel in reels:
            seen: Counter[tuple[tuple[int, ...], int]] = Counter()
            for (window, counted), weight in reel.shown.items():
                cells = tuple([sum(rule.cells.get(symbol, 0) for symbol in window) for rule in rules])
                seen[cells, counted] += weight
            self._sights.append(seen)
        self._views: dict[tuple[int, tuple[int, ...]], _View] = {}

    def start(self) -> tuple[_Live, int]:
        """Return all symbols, each with one empty way."""
        return tuple([(rule, 1, 0) for rule in range(len(self._pays))]), 0

    def moves(self, position: int, live: _Live) -> Sequence[tuple[_Live, int, int]]:
        """Return the next reel's moves; equal ones are one."""
        found: dict[tuple[_Live, int], int] = {}
        pays, last = self._pays, self._last
        for counts, counted, weight in self._view(position, tuple([rule for rule, _, _ in live])):
            gain = counted
            still = []
            for (rule, ways, kept), count in zip(live, counts, strict=True):
                own = pays[rule][position]
                if not count:
                    gain += own * ways or kept
                    continue
                if position + 1 == last[rule]:
                    gain += pays[rule][position + 1] * ways * count
                    continue
                keep = 0 if pays[rule][position + 1] else own * ways or kept
                still.append((rule, ways * count, keep))
            key = (tuple(still), gain)
            found[key] = found.get(key, 0) + weight
        return [(target, gain, weight) for (target, gain), weight in found.items()]

    def _view(self, position: int, rules: tuple[int, ...]) -> _View:
        """Return the sights as these rules tell them apart: (cells of each rule, counted symbols, weight)."""
        found = self._views.get((position, rules))
        if found is None:
            seen: Counter[tuple[tuple[int, ...], int]] = Counter()
            for (cells, counted), weight in self._sights[position].items():
                seen[tuple([cells[rule] for rule in rules]), counted] += weight
            found = [(counts, counted, weight) for (counts, counted), weight in seen.items()]
            self._views[position, rules] = found
        return found
