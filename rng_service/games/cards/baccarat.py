"""Punto banco: the fixed drawing rules, and the exact chances of every result from a shoe without replacement.

A result is (winner, the winner's total, the number of the winner's cards); a tie has the shared total and 0 cards.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import combinations_with_replacement
from math import perm
from typing import Final, NamedTuple

from rng_service.games.cards.deck import DECK, rank

CARDS: Final = 6  # a hand of each side, and a third card for both
PLAYER, BANKER, TIE = "player", "banker", "tie"
_VALUES: Final = 10


class Result(NamedTuple):
    """How a coup ends."""

    winner: str
    total: int
    cards: int


def value(card: int) -> int:
    """Return the value of a card: the ace 1, pips as they stand, tens and pictures 0."""
    points = rank(card) + 1
    return points if points < _VALUES else 0


def banker_draws(banker: int, third: int | None) -> bool:
    """Return whether the banker, with two cards of total ``banker``, takes a third.

    ``third`` is the value of the player's third card, None when the player stood.
    """
    if third is None:
        return banker <= 5
    match banker:
        case 3:
            return third != 8
        case 4:
            return 2 <= third <= 7
        case 5:
            return 4 <= third <= 7
        case 6:
            return 6 <= third <= 7
    return banker <= 2


def play(values: Sequence[int]) -> Result:
    """Return the result of a coup; ``values`` are those of six cards in the order dealt.

    First and third go to the player, second and fourth to the banker, then third cards as they are needed.
    """
    player, banker = (values[0] + values[2]) % 10, (values[1] + values[3]) % 10
    player_cards = banker_cards = 2
    if max(player, banker) < 8:
        drawn = iter(values[4:])
        third: int | None = None
        if player <= 5:
            third = next(drawn)
            player, player_cards = (player + third) % 10, 3
        if banker_draws(banker, third):
            banker, banker_cards = (banker + next(drawn)) % 10, 3
    if player == banker:
        return Result(TIE, player, 0)
    return Result(PLAYER, player, player_cards) if player > banker else Result(BANKER, banker, banker_cards)


@lru_cache(maxsize=64)
def result_chances(decks: int) -> Mapping[Result, Fraction]:
    """Return the exact chance of every result that a shoe of ``decks`` decks can give."""
    return shoe_chances((16 * decks, *[4 * decks] * 9))


def shoe_chances(shoe: tuple[int, ...]) -> Mapping[Result, Fraction]:
    """Return the exact chance of every result; ``shoe`` has the number of cards of each value 0 … 9, six or more."""
    ways: Counter[Result] = Counter()
    for player, player_ways, left in _pairs(shoe):
        for banker, banker_ways, rest in _pairs(left):
            for result, third_ways in _thirds(player, banker, rest):
                ways[result] += player_ways * banker_ways * third_ways
    total = perm(sum(shoe), CARDS)
    return {result: Fraction(count, total) for result, count in sorted(ways.items()) if count}


def _pairs(shoe: tuple[int, ...]) -> Iterator[tuple[tuple[int, int], int, tuple[int, ...]]]:
    """Yield each pair of values, the ordered ways to draw it, and what is left."""
    for one, other in combinations_with_replacement(range(_VALUES), 2):
        ways = shoe[one] * (shoe[one] - 1) if one == other else 2 * shoe[one] * shoe[other]
        if ways:
            left = list(shoe)
            left[one] -= 1
            left[other] -= 1
            yield (one, other), ways, tuple(left)


def _thirds(player: tuple[int, int], banker: tuple[int, int], rest: tuple[int, ...]) -> Iterator[tuple[Result, int]]:
    """Yield the results of a coup with these pairs, with the ordered ways to draw the two cards behind them."""
    cards = sum(rest)
    start = (player[0], banker[0], player[1], banker[1])
    player_total, banker_total = sum(player) % 10, sum(banker) % 10
    natural = max(player_total, banker_total) >= 8
    if natural or (player_total > 5 and not banker_draws(banker_total, None)):
        yield play(start), cards * (cards - 1)
    elif player_total > 5:
        for third, count in enumerate(rest):
            yield play((*start, third)), count * (cards - 1)
    else:
        for third, count in enumerate(rest):
            if not banker_draws(banker_total, third):
                yield play((*start, third)), count * (cards - 1)
                continue
            for last, others in enumerate(rest):
                yield play((*start, third, last)), count * (others - (last == third))


def pair_chances(decks: int) -> tuple[Fraction, Fraction]:
    """Return the chance of a pair of ranks in one given hand, and that of a pair in either of the two."""
    cards, alike = DECK * decks, 4 * decks
    one = Fraction(alike - 1, cards - 1)
    # Behind a pair: another of the same rank, or one of the other twelve.
    both = one * Fraction(perm(alike - 2, 2) + 12 * perm(alike, 2), perm(cards - 2, 2))
    return one, 2 * one - both
