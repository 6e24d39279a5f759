"""Symbols that count wherever they stand: scatter prizes, and awards of feature draws.

While a spin is settled, everything travels in one integer: the prize in whole units in the upper bits, and
below it one field for each counted symbol and one for each program that lines award. Such integers are added
reel by reel and line by line; the fields are wide enough never to run over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from rng_service.games.reels.windows import Reel

Awards = tuple[tuple[str, int], ...]
"""(program, draws), by program; programs without any are left out."""


@dataclass(frozen=True, slots=True)
class CountRule:
    """What the number of one symbol in the window brings; a number that is not listed brings nothing."""

    name: str
    symbol: int
    pays: Mapping[int, int]
    awards: Mapping[str, Mapping[int, int]]


@dataclass(frozen=True, slots=True)
class Counting:
    """The fields of a packed integer. ``pays`` of the rules are in units of the spin.

    ``places`` is the first bit of each rule's field and its width, ``line_places`` those of the programs that
    lines award; ``bits`` is where the prize begins.
    """

    rules: Sequence[CountRule]
    places: Sequence[tuple[int, int]]
    line_places: Mapping[str, tuple[int, int]]
    bits: int
    _read: dict[int, tuple[int, Awards]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def digits(self) -> dict[int, int]:
        """What one of each counted symbol adds."""
        return {rule.symbol: 1 << place for rule, (place, _) in zip(self.rules, self.places, strict=True)}

    def line_awards(self, awards: Mapping[str, int]) -> int:
        """Return what a line adds that awards these draws."""
        return sum(draws << self.line_places[program][0] for program, draws in awards.items())

    def settled(self, packed: int) -> tuple[int, Awards]:
        """Return the prize in units, scatters included, and the awards."""
        low = packed & ((1 << self.bits) - 1)
        found = self._read.get(low)
        if found is None:
            found = self._read[low] = self._fields(low)
        return (packed >> self.bits) + found[0], found[1]

    def _fields(self, low: int) -> tuple[int, Awards]:
        units = 0
        awards: dict[str, int] = {}
        for rule, (place, width) in zip(self.rules, self.places, strict=True):
            count = low >> place & ((1 << width) - 1)
            units += rule.pays.get(count, 0)
            for program, draws in rule.awards.items():
                awards[program] = awards.get(program, 0) + draws.get(count, 0)
        for program, (place, width) in self.line_places.items():
            awards[program] = awards.get(program, 0) + (low >> place & ((1 << width) - 1))
        return units, tuple(sorted((program, draws) for program, draws in awards.items() if draws))

    def highest(self) -> int:
        """Return a bound of what all scatters together pay, in units."""
        return sum(max(rule.pays.values(), default=0) for rule in self.rules)

    def chances(self, position: int, reels: Sequence[Reel]) -> dict[int, Fraction]:
        """Return the probability of each number of the rule's symbol."""
        place, width = self.places[position]
        mask = (1 << width) - 1
        found = {0: Fraction(1)}
        for reel in reels:
            single: dict[int, int] = {}
            for counted, weight in zip(reel.counted, reel.weights, strict=True):
                count = counted >> place & mask
                single[count] = single.get(count, 0) + weight
            following: dict[int, Fraction] = {}
            for count, chance in found.items():
                for more, weight in single.items():
                    following[count + more] = following.get(count + more, Fraction(0)) + chance * Fraction(
                        weight, reel.total
                    )
            found = following
        return found


def counting(rules: Sequence[CountRule], cells: int, line_awards: Mapping[str, int]) -> Counting:
    """Lay out the fields: counts up to ``cells``, draws that lines award up to the sums ``line_awards``."""
    bits = 0
    places = []
    for _ in rules:
        places.append((bits, cells.bit_length()))
        bits += cells.bit_length()
    line_places = {}
    for program, most in sorted(line_awards.items()):
        line_places[program] = (bits, most.bit_length())
        bits += most.bit_length()
    return Counting(rules, places, line_places, bits)
