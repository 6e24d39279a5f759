"""The best way to play one blackjack hand where every card is put back.

With independent cards nothing but the total matters. Decisions maximise what comes back less what is staked, in stakes
of the hand; of equal ones the first in the order stand, hit, double is taken.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from fractions import Fraction
from operator import itemgetter
from typing import Final, NamedTuple

from rng_service.games.cards.blackjack import ACE, DOUBLE, HIT, STAND, Rules, total_of
from rng_service.games.cards.blackjack_dealer import VALUES, Dealer, Shoe

BUST: Final = 22
NATURAL: Final = 23  # a dealer's natural that nobody looked for before the player decided
_TOTALS: Final = ((7, 10), (8, 10), (9, 10), (10, 10), (5, 6, 10))
_LOST = Fraction(0)


class Total(NamedTuple):
    """The total of a hand; all above 21 are `BUST`."""

    points: int
    soft: bool

    def with_card(self, worth: int) -> "Total":
        """Return the total with one card more."""
        hard = self.points - 10 * self.soft + worth
        soft = (self.soft or worth == ACE) and hard <= 11
        return Total(min(hard + 10 * soft, BUST), soft)


def back(points: int, end: int) -> int:
    """Return what a unit on a total gets back when the dealer ends so."""
    if points == BUST or end == NATURAL:
        return 0
    return 2 if end == BUST or points > end else int(points == end)


class BestHand:
    """A hand against one shown card. With a dealer who peeks, all is about the deals in which there was no natural.

    ``chances`` are those of the values, ``natural`` is the chance of the dealer's natural, and ``ends`` are those of
    the dealer's totals, of `BUST`, and of `NATURAL` where the dealer does not peek.
    """

    def __init__(self, rules: Rules, shoe: Shoe, shown: int) -> None:
        self.rules = rules
        self.chances = {
            worth: Fraction(count, sum(shoe.cards)) for worth, count in zip(VALUES, shoe.cards, strict=True)
        }
        dealer = Dealer(rules, shoe, shown)
        every, naturals = dealer.all_ways(()), dealer.naturals(())
        made = {total_of(hand)[0]: dealer.beats_and_ties(hand)[1] for hand in _TOTALS}
        made[BUST] = every - naturals - sum(made.values())
        if not rules.peek:
            made[NATURAL] = naturals
        self.natural = Fraction(naturals, every)
        self.ends = {end: Fraction(ways, sum(made.values())) for end, ways in made.items() if ways}
        self._standings: dict[int, Fraction] = {}
        self._moves: dict[tuple[Total, bool], tuple[str, Fraction]] = {}
        self._values: dict[Total, Fraction] = {}
        self._finals: dict[Total, Mapping[int, Fraction]] = {}

    def move(self, total: Total, *, double: bool) -> tuple[str, Fraction]:
        """Return the best way to go on with two cards, other than a split, and its value."""
        if (total, double) not in self._moves:
            moves = [(STAND, self.standing(total.points))]
            if total.points < 21:
                moves.append((HIT, self._hitting(total)))
                if double and self.rules.doubles(total.points, soft=total.soft):
                    moves.append((DOUBLE, self._doubling(total)))
            self._moves[total, double] = max(moves, key=itemgetter(1))
        return self._moves[total, double]

    def standing(self, points: int) -> Fraction:
        """Return the value of a hand that stands."""
        if points not in self._standings:
            mean = sum((chance * back(points, end) for end, chance in self.ends.items()), _LOST)
            self._standings[points] = mean - 1
        return self._standings[points]

    def finals(self, total: Total, move: str) -> tuple[int, Mapping[int, Fraction]]:
        """Return what is staked, and the chance of each total at the end, when the hand goes on with ``move``."""
        if move == STAND:
            return 1, {total.points: Fraction(1)}
        if move == HIT:
            return 1, self._hit(total)
        drawn: defaultdict[int, Fraction] = defaultdict(Fraction)
        for more, chance in self._next(total):
            drawn[more.points] += chance
        return 2, drawn

    def _next(self, total: Total) -> Iterator[tuple[Total, Fraction]]:
        return ((total.with_card(worth), chance) for worth, chance in self.chances.items())

    def _hitting(self, total: Total) -> Fraction:
        return sum((chance * self._value(more) for more, chance in self._next(total)), _LOST)

    def _doubling(self, total: Total) -> Fraction:
        return 2 * sum((chance * self.standing(more.points) for more, chance in self._next(total)), _LOST)

    def _value(self, total: Total) -> Fraction:
        """Return the value of a hand that may only be hit or stand."""
        if total not in self._values:
            standing = self.standing(total.points)
            self._values[total] = standing if total.points >= 21 else max(standing, self._hitting(total))
        return self._values[total]

    def _hit(self, total: Total) -> Mapping[int, Fraction]:
        """Return the totals that a hand comes to when it is hit now, and then hit or stand as is best."""
        if total not in self._finals:
            found: defaultdict[int, Fraction] = defaultdict(Fraction)
            for more, chance in self._next(total):
                stands = more.points >= 21 or self.standing(more.points) == self._value(more)
                for points, weight in ({more.points: Fraction(1)} if stands else self._hit(more)).items():
                    found[points] += chance * weight
            self._finals[total] = found
        return self._finals[total]
