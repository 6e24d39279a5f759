"""The exact optimum of five-card draw poker: every deal, every hold, every replacement.

What a hand is worth depends on its ranks, and on whether it is of one suit. So the worth of all hands that contain some
given cards splits in two: a part that depends on the given ranks alone, and, when the given cards are of one suit, what
their flushes add to it (cards that are wild go with every suit). With these two tables, filled from hands of five down
to none, inclusion and exclusion over the discarded cards gives the worth of all draws to a hold exactly: draws contain
the held cards and none of the discarded.

Deals that differ by an exchange of suits are worth the same; 134,459 of the 2,598,960 are left (Burnside), and for most
of them all but a few holds take their worth from the table of ranks alone.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from itertools import combinations, combinations_with_replacement, product
from math import comb, lcm
from typing import Final

from rng_service.games.cards.poker_hands import hand_names

DEALS: Final = comb(52, 5)
HOLDS: Final = 32  # bit i of a hold says that card i of the deal, in order of rank, is kept
_HELD: Final = [hold.bit_count() for hold in range(HOLDS)]
# All draws to a hold of k cards are comb(47, 5 - k); with these factors their sums get one denominator.
_COMMON: Final = lcm(*(comb(47, drawn) for drawn in range(6)))
_FACTOR: Final = [_COMMON // comb(47, 5 - held) for held in range(6)]
# Of equal holds the one that keeps the most cards is played, then the one that keeps the higher ranks, ace lowest.
_PREFERENCE: Final = sorted(range(HOLDS), key=lambda hold: (_HELD[hold], hold), reverse=True)
_PLACES: Final = [[place for place in range(5) if hold >> place & 1] for hold in range(HOLDS)]
# Counts of hands are carried side by side in one integer, this many bits each; none passes DEALS * _COMMON < 2^45.
_FIELD: Final = 64

Worth = Callable[[Sequence[int], bool], int]
"""What five ranks are worth, of one suit or not."""


def _subsets(mask: int) -> list[int]:
    """Return the subsets of a set of bits; subset i has the bits of ``mask`` that the bits of i count off."""
    found = [0]
    for bit in range(mask.bit_length()):
        if mask >> bit & 1:
            found += [subset | 1 << bit for subset in found]
    return found


_SUBSETS: Final = [_subsets(hold) for hold in range(HOLDS)]
_TRANSFORMS: Final = {
    1 << cards: [
        (subset, subset | 1 << card) for card in range(cards) for subset in range(1 << cards) if not subset >> card & 1
    ]
    for cards in range(6)
}


@dataclass(frozen=True, slots=True)
class Optimum:
    """What the best holds return: the sum over all deals for one unit, and the chance of each paid hand."""

    returned: Fraction
    chances: Mapping[str, Fraction]


@lru_cache(maxsize=16)
def optimum(pays: tuple[tuple[str, Fraction], ...], lowest_pair: str, wild: int | None = None) -> Optimum:
    """Return the optimum of a paytable, (name of the hand, multiplier) in any order, for pairs from ``lowest_pair``.

    Cards of the rank ``wild`` stand for any card.
    """
    prizes = dict(pays)
    unit = lcm(*(prize.denominator for prize in prizes.values()))
    places = {name: place for place, name in enumerate(prizes)}

    def listed(ranks: Sequence[int], suited: bool) -> str | None:
        names = hand_names(ranks, suited=suited, lowest_pair=lowest_pair, wild=wild)
        return next((name for name in names if name in prizes), None)

    def money(ranks: Sequence[int], suited: bool) -> int:
        name = listed(ranks, suited)
        return int(prizes[name] * unit) if name else 0

    def tally(ranks: Sequence[int], suited: bool) -> int:
        name = listed(ranks, suited)
        return 1 << _FIELD * places[name] if name else 0

    earned, counted = _play(_Tables(money, wild), _Tables(tally, wild), wild)
    total = DEALS * _COMMON
    chances = {name: Fraction(counted >> _FIELD * place & (1 << _FIELD) - 1, total) for name, place in places.items()}
    return Optimum(Fraction(earned, total * unit), chances)


class _Tables:
    """The worth of all draws to every hold, each times the factor of its number of cards, in the two parts."""

    def __init__(self, worth: Worth, wild: int | None) -> None:
        self._by_ranks = _by_ranks(worth)
        flushes = _by_flushes(worth, wild)
        self._flushes = {
            ranks: _excluded([flushes[_taken(ranks, places)] for places in _PLACES[: 1 << len(ranks)]])
            for ranks in flushes
        }

    def by_ranks(self, ranks: tuple[int, ...]) -> list[int]:
        """Return the part of the ranks for each hold of a deal."""
        known = self._by_ranks
        return _excluded([known[_taken(ranks, places)] for places in _PLACES])

    def by_flushes(self, ranks: tuple[int, ...], suited: int) -> list[tuple[int, int]]:
        """Return what the flushes of one suit add, as (hold, worth); ``suited`` holds all cards that go with it."""
        return list(zip(_SUBSETS[suited], self._flushes[_taken(ranks, _PLACES[suited])], strict=True))

    def by_flush(self, ranks: tuple[int, ...], suited: int, hold: int) -> int:
        """Return what the flushes of one suit add to one hold of cards that all go with it."""
        return self._flushes[_taken(ranks, _PLACES[suited])][_SUBSETS[suited].index(hold)]


def _play(money: _Tables, tally: _Tables, wild: int | None) -> tuple[int, int]:
    """Return the worth of the best holds of all deals, and the hands that they make."""
    earned = counted = 0
    for ranks in _rank_sets(5):
        parts = money.by_ranks(ranks)
        different = tuple(dict.fromkeys(ranks))
        suitless = different.index(wild) if wild in different else None
        groups, patterns = _suit_patterns(tuple([ranks.count(rank) for rank in different]), suitless)
        flushes = {suited: money.by_flushes(ranks, suited) for suited in groups}
        made = tally.by_ranks(ranks)
        for suits, deals in patterns:
            worth = parts.copy()
            for suited in suits:
                for hold, more in flushes[suited]:
                    worth[hold] += more
            best = max(worth)
            earned += deals * best
            played = worth.index(best)
            if best in worth[played + 1 :]:
                played = next(hold for hold in _PREFERENCE if worth[hold] == best)
            hands = made[played]
            for suited in suits:
                if not played & ~suited:
                    hands += tally.by_flush(ranks, suited, played)
            counted += deals * hands
    return earned, counted


def _taken(ranks: tuple[int, ...], places: Sequence[int]) -> tuple[int, ...]:
    return tuple([ranks[place] for place in places])


def _rank_sets(cards: int) -> Iterator[tuple[int, ...]]:
    """Yield the multisets of so many ranks, ascending, that a deck with four cards of each can give."""
    return (ranks for ranks in combinations_with_replacement(range(13), cards) if cards < 5 or ranks[0] != ranks[4])


def _by_ranks(worth: Worth) -> dict[tuple[int, ...], int]:
    """Return, for every multiset of at most five ranks, the worth of all hands with such cards, flushes apart.

    Summed over one card more, each hand is met once for each card that it has beyond the given ones.
    """
    known = {ranks: worth(ranks, False) for ranks in _rank_sets(5)}
    for given in range(4, -1, -1):
        for ranks in _rank_sets(given):
            more = [(4 - ranks.count(rank), rank) for rank in range(13)]
            total = sum(left * known[tuple(sorted((*ranks, rank)))] for left, rank in more if left)
            known[ranks] = total // (5 - given)
    return known


def _by_flushes(worth: Worth, wild: int | None) -> dict[tuple[int, ...], int]:
    """Return, for at most five ranks, what the hands add in which these and the other cards are of one given suit.

    Wild cards go with every suit, however many there are; there is one card of any other rank.
    """
    known: dict[tuple[int, ...], int] = {}
    for given in range(5, -1, -1):
        for ranks in _rank_sets(given):
            more = [(4 if rank == wild else 1) - ranks.count(rank) for rank in range(13)]
            if min(more) < 0:
                continue
            if given == 5:
                known[ranks] = worth(ranks, True) - worth(ranks, False)
            else:
                total = sum(left * known[tuple(sorted((*ranks, rank)))] for rank, left in enumerate(more) if left)
                known[ranks] = total // (5 - given)
    return known


def _excluded(row: list[int]) -> list[int]:
    """Turn the worth of all hands with the held cards into that of those without the others, times the factor.

    ``row`` has a value for each subset of some cards, as `_subsets` orders them: inclusion and exclusion is the Möbius
    transform over the supersets.
    """
    for subset, superset in _TRANSFORMS[len(row)]:
        row[subset] -= row[superset]
    return [value * _FACTOR[subset.bit_count()] for subset, value in enumerate(row)]


@cache
def _suit_patterns(shape: tuple[int, ...], suitless: int | None) -> tuple[list[int], list[tuple[tuple[int, ...], int]]]:
    """Return the ways to suit a deal, up to an exchange of suits: its four suits, and how many deals it stands for.

    ``shape`` has the number of cards of each rank; cards of one rank have different suits. A suit is the hold of all
    cards that go with it: its own, and those of the rank at ``suitless``. The first list has every suit that occurs.
    """
    counted: Counter[tuple[int, ...]] = Counter()
    for chosen in product(*(combinations(range(4), count) for count in shape)):
        suits = [0, 0, 0, 0]
        place = 0
        for rank, cards in enumerate(chosen):
            for suit in cards:
                for with_suit in range(4) if rank == suitless else (suit,):
                    suits[with_suit] |= 1 << place
                place += 1
        counted[tuple(sorted(suits))] += 1
    return sorted({suited for suits in counted for suited in suits}), list(counted.items())
