"""The exact returns of fixed blackjack strategies that never split.

A strategy decides by the total of its own hand and by the card that the dealer shows. So the player's hands are
multisets of values, each with the number of orders in which the strategy comes to it; beside each one the dealer's are
counted exactly.

Splitting is left out: the return of a split follows from that of one hand, but not the joint distribution of two hands
against one dealer, and a published theory has a distribution.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Final

from rng_service.games.cards.blackjack import Rules, is_natural, total_of
from rng_service.games.cards.blackjack_dealer import VALUES, Dealer, Hand, Shoe, grown_hands

# The dealer's card by the letter's place in a row of a strategy: 2 to 10, then the ace.
SHOWN: Final = (2, 3, 4, 5, 6, 7, 8, 9, 10, 1)
HARD_TOTALS: Final = range(4, 21)
SOFT_TOTALS: Final = range(12, 21)
LETTERS: Final = "HSDdR"  # hit, stand, double or hit, double or stand, surrender or hit
_HIT, _STOOD, _DOUBLED, _SURRENDERED = "hit", "stood", "doubled", "surrendered"
_LOST = Fraction(0)


@dataclass(frozen=True, slots=True)
class Table:
    """A strategy's letters: by total, then by the card shown, as `SHOWN` orders them."""

    hard: tuple[str, ...]
    soft: tuple[str, ...]

    def letter(self, total: int, shown: int, *, soft: bool) -> str:
        """Return the letter for a total below 21."""
        row = self.soft[total - SOFT_TOTALS[0]] if soft else self.hard[total - HARD_TOTALS[0]]
        return row[SHOWN.index(shown)]


@lru_cache(maxsize=16)
def returns(rules: Rules, shoe: Shoe, tables: tuple[Table, ...]) -> tuple[Mapping[tuple[Fraction, int], Fraction], ...]:
    """Return for each strategy the chance of each (returned, staked), both in stakes of the draw."""
    found: list[defaultdict[tuple[Fraction, int], Fraction]] = [defaultdict(Fraction) for _ in tables]
    for shown in VALUES:
        dealer = Dealer(rules, shoe, shown)
        for table, chances in zip(tables, found, strict=True):
            for result, chance in _against(rules, dealer, table).items():
                chances[result] += chance
    return tuple(dict(chances) for chances in found)


def _against(rules: Rules, dealer: Dealer, table: Table) -> dict[tuple[Fraction, int], Fraction]:
    """Return the chance of each (returned, staked) of one strategy where the dealer shows a card."""
    ways: defaultdict[tuple[int, Fraction, int], int] = defaultdict(int)
    pairs: dict[Hand, int] = {
        (one, other): 1 if one == other else 2 for one in VALUES for other in VALUES if one <= other
    }
    for pair, orders in pairs.items():
        deals, natural = orders * dealer.ways(pair), dealer.naturals(pair)
        if is_natural(*pair):
            ways[2, Fraction(1), 1] += deals * natural
            ways[2, rules.blackjack_pays, 1] += deals * (dealer.all_ways(pair) - natural)
        elif rules.peek:
            # Nothing is decided against a natural.
            ways[2, _LOST, 1] += deals * natural
    for (hand, last), orders in _player_hands(rules, dealer.shown, table, pairs).items():
        deals = orders * dealer.ways(hand)
        total, staked = total_of(hand)[0], 2 if last == _DOUBLED else 1
        natural = dealer.naturals(hand)
        if not rules.peek:
            ways[len(hand), _LOST, staked] += deals * natural
        if total > 21:
            ways[len(hand), _LOST, staked] += deals * (dealer.all_ways(hand) - natural)
        elif last == _SURRENDERED:
            ways[2, Fraction(1, 2), 1] += deals * (dealer.all_ways(hand) - natural)
        else:
            beats, ties = dealer.beats_and_ties(hand)
            ways[len(hand), _LOST, staked] += deals * beats
            ways[len(hand), Fraction(staked), staked] += deals * ties
            ways[len(hand), Fraction(2 * staked), staked] += deals * (dealer.all_ways(hand) - natural - beats - ties)
    found: defaultdict[tuple[Fraction, int], Fraction] = defaultdict(Fraction)
    for (cards, returned, staked), count in ways.items():
        if count:
            found[returned, staked] += Fraction(count, dealer.denominator(cards))
    return found


def _player_hands(rules: Rules, shown: int, table: Table, pairs: Mapping[Hand, int]) -> Mapping[tuple[Hand, str], int]:
    """Return the hands that a strategy ends with, and how it ended them → the orders of cards that lead there."""
    ended: Counter[tuple[Hand, str]] = Counter()
    hands = Counter({pair: orders for pair, orders in pairs.items() if not is_natural(*pair)})
    while hands:
        grown: Counter[Hand] = Counter()
        for hand, orders in hands.items():
            move = _move(rules, shown, table, hand)
            if move == _HIT:
                for longer in grown_hands(hand):
                    grown[longer] += orders
            elif move == _DOUBLED:
                for longer in grown_hands(hand):
                    ended[longer, _DOUBLED] += orders
            else:
                ended[hand, move] += orders
        hands = grown
    return ended


def _move(rules: Rules, shown: int, table: Table, hand: Hand) -> str:
    total, soft = total_of(hand)
    if total >= 21:
        return _STOOD
    letter = table.letter(total, shown, soft=soft)
    if len(hand) == 2:
        if letter in "Dd" and rules.doubles(total, soft=soft):
            return _DOUBLED
        if letter == "R" and rules.surrender:
            return _SURRENDERED
    return _STOOD if letter in "Sd" else _HIT
