"""What a blackjack dealer makes of a shown card, counted over every order in which the shoe can give the cards.

Whether the dealer goes on depends on which cards there are and not on their order. So a dealer's hand is a multiset of
values with the number of orders in which it can come about, and its chance beside given cards of the player is a
product of falling factorials: every removed card counts. With cards that are put back these are plain powers.
"""

from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from math import perm
from operator import mul
from typing import Final

from rng_service.games.cards.blackjack import Rules, is_natural, total_of

VALUES: Final = range(1, 11)
_NATURAL_HOLE: Final = {1: 10, 10: 1}
# No hand below 21 has more cards of a value, with the shown one: 21 aces, and the one that makes it more.
_MOST_GONE: Final = 24

Hand = tuple[int, ...]
"""The values of a hand, ascending."""


@dataclass(frozen=True, slots=True)
class Shoe:
    """How many cards of each value from 1 to 10 there are, and whether a drawn card is put back.

    A shoe that is not put back has the cards of the longest player's and the longest dealer's hand together; 52 do.
    """

    cards: tuple[int, ...]
    put_back: bool = False

    def of_value(self, worth: int, gone: int) -> int:
        """Return how many cards of a value are left when ``gone`` were drawn."""
        count = self.cards[worth - 1]
        return count if self.put_back else max(count - gone, 0)

    def orders(self, first: int, count: int) -> int:
        """Return the ways to draw ``count`` cards when ``first`` cards are gone."""
        cards = sum(self.cards)
        return cards**count if self.put_back else perm(max(cards - first, 0), count)


@dataclass(frozen=True, slots=True)
class _Ends:
    """The dealer's hands of one total and length: the place of all cards but the last, its key, and the orders."""

    total: int
    length: int
    before: Sequence[int]
    keys: Sequence[int]
    orders: Sequence[int]


class Dealer:
    """What a dealer makes of one shown card, whichever cards the player has.

    Ways are counted over as many cards as the dealer's longest hand takes, so that they can be added up.
    """

    def __init__(self, rules: Rules, shoe: Shoe, shown: int) -> None:
        self.shown = shown
        self.shoe = shoe
        finals = _dealer_hands(rules, shown)
        self._longest = max(map(len, finals))
        # `Shoe.of_value`, to be taken in slices that begin with the cards that are gone.
        self._left = [[shoe.of_value(worth, gone) for gone in range(_MOST_GONE + self._longest)] for worth in VALUES]
        # The product over the cards of a hand is that of the hand before its last card, times the cards left for that.
        self._beginnings, places = self._tree(finals)
        groups: defaultdict[tuple[int, int], list[tuple[int, int, int]]] = defaultdict(list)
        for drawn, orders in finals.items():
            total = total_of((shown, *drawn))[0]
            # Dealers above 21 are what is left: they are most of the hands.
            if total <= 21:
                groups[total, len(drawn)].append((places[drawn[:-1]], self._key(drawn), orders))
        self._groups = [_Ends(*end, *map(list, zip(*leaves, strict=True))) for end, leaves in sorted(groups.items())]
        # Asked hundreds of thousands of times for a few dozen numbers of cards.
        self._orders = cache(shoe.orders)
        self._known: dict[tuple[int, Hand], tuple[int, int]] = {}

    def _tree(self, finals: Iterable[Hand]) -> tuple[list[tuple[int, int]], dict[Hand, int]]:
        """Return the proper beginnings of these hands, (place of the one before, key of its last card), and places."""
        nodes: list[tuple[int, int]] = []
        places: dict[Hand, int] = {(): 0}
        for drawn in finals:
            for length in range(1, len(drawn)):
                beginning = drawn[:length]
                if beginning not in places:
                    nodes.append((places[beginning[:-1]], self._key(beginning)))
                    places[beginning] = len(nodes)
        return nodes, places

    def _key(self, drawn: Hand) -> int:
        """Return where `_count` keeps the number of cards left for the last card of a hand."""
        return (drawn[-1] - 1) * self._longest + drawn[:-1].count(drawn[-1])

    def denominator(self, cards: int) -> int:
        """Return the ways to deal a player's hand of so many cards, the shown card, and the longest dealer's hand."""
        return self._orders(0, cards + 1 + self._longest)

    def ways(self, player: Hand) -> int:
        """Return the ways to deal these cards, in one order, and the shown card."""
        held = Counter(player)
        ways = self.shoe.of_value(self.shown, held[self.shown])
        for worth, count in held.items():
            for gone in range(count):
                ways *= self.shoe.of_value(worth, gone)
        return ways

    def all_ways(self, player: Hand) -> int:
        """Return the ways to deal the dealer's cards beside these."""
        return self._orders(len(player) + 1, self._longest)

    def naturals(self, player: Hand) -> int:
        """Return those of `all_ways` that begin with a natural."""
        hole = _NATURAL_HOLE.get(self.shown)
        if hole is None:
            return 0
        return self.shoe.of_value(hole, player.count(hole)) * self._orders(len(player) + 2, self._longest - 1)

    def beats_and_ties(self, player: Hand) -> tuple[int, int]:
        """Return those of `all_ways` in which the dealer, without a natural, has more than the player, and as much."""
        # What was put back is not missing.
        own, missing = total_of(player)[0], () if self.shoe.put_back else player
        known = self._known.get((own, missing))
        if known is None:
            known = self._known[own, missing] = self._count(own, missing)
        return known

    def _count(self, own: int, player: Hand) -> tuple[int, int]:
        gone = Counter((*player, self.shown))
        left: list[int] = []
        for worth, row in zip(VALUES, self._left, strict=True):
            left += row[gone[worth] : gone[worth] + self._longest]
        products = [1]
        add = products.append
        for before, key in self._beginnings:
            add(products[before] * left[key])
        found = [0, 0]
        for end in self._groups:
            if end.total >= own:
                last = map(mul, map(products.__getitem__, end.before), map(left.__getitem__, end.keys))
                rest = self._orders(len(player) + 1 + end.length, self._longest - end.length)
                found[end.total == own] += sum(map(mul, last, end.orders)) * rest
        return found[0], found[1]


def _dealer_hands(rules: Rules, shown: int) -> dict[Hand, int]:
    """Return the cards that a dealer without a natural draws to the shown one → the orders in which they can come."""
    ended: dict[Hand, int] = {}
    hands: Counter[Hand] = Counter({(worth,): 1 for worth in VALUES})
    while hands:
        more: Counter[Hand] = Counter()
        for drawn, orders in hands.items():
            total, soft = total_of((shown, *drawn))
            if rules.dealer_draws(total, soft=soft):
                for longer in grown_hands(drawn):
                    more[longer] += orders
            elif len(drawn) > 1 or not is_natural(shown, *drawn):
                ended[drawn] = orders
        hands = more
    return ended


def grown_hands(hand: Hand) -> Iterator[Hand]:
    """Yield a hand with one card more, of each value."""
    for worth in VALUES:
        place = bisect(hand, worth)
        yield (*hand[:place], worth, *hand[place:])
