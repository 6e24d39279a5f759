"""Five cards as poker hands, each under all the names that a paytable may list it by, the most precise first."""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Final

from rng_service.games.cards.deck import ACE, RANKS, rank, suit

PAIR: Final = "pair"
HANDS: Final = (
    "royal-flush",
    "four-wilds",
    "wild-royal-flush",
    "five-of-a-kind",
    "straight-flush",
    "four-aces-with-2-to-4",
    "four-2-to-4-with-a-to-4",
    "four-aces",
    "four-2-to-4",
    "four-5-to-k",
    "four-of-a-kind",
    "full-house",
    "flush",
    "straight",
    "three-of-a-kind",
    "two-pair",
    PAIR,
)
# Pairs are ranked with the ace above the king.
PAIR_RANKS: Final = (*RANKS[1:], RANKS[0])
_BROADWAY: Final = (0, 9, 10, 11, 12)
_LOW: Final = frozenset((1, 2, 3))
# Only hands with wild cards have these names.
WILD_HANDS: Final = ("four-wilds", "wild-royal-flush", "five-of-a-kind")
_STRAIGHTS: Final = (frozenset(_BROADWAY), *(frozenset(range(low, low + 5)) for low in range(9)))


def hand_names(ranks: Sequence[int], *, suited: bool, lowest_pair: str, wild: int | None = None) -> tuple[str, ...]:
    """Return the names of the hand that five ranks make, none when it is worth nothing.

    ``suited`` says that all, wild cards apart, are of one suit; a lone pair counts from the rank ``lowest_pair`` up,
    the ace highest. Cards of the rank ``wild`` stand for whatever makes the best hand.
    """
    if wild in ranks:
        return _with_wilds(tuple(sorted(rank for rank in ranks if rank != wild)), lowest_pair, suited=suited)
    if suited:
        return _suited(tuple(sorted(ranks)))
    return _by_ranks(tuple(sorted(ranks)), lowest_pair)


def hand_names_of(cards: Sequence[int], lowest_pair: str, wild: int | None = None) -> tuple[str, ...]:
    """Return the names of the hand that five cards of one deck make; as `hand_names`."""
    suited = len({suit(card) for card in cards if rank(card) != wild}) == 1
    return hand_names([rank(card) for card in cards], suited=suited, lowest_pair=lowest_pair, wild=wild)


@cache
def _suited(ranks: tuple[int, ...]) -> tuple[str, ...]:
    if not _is_straight(ranks):
        return ("flush",)
    return ("royal-flush", "straight-flush") if ranks == _BROADWAY else ("straight-flush",)


@cache
def _by_ranks(ranks: tuple[int, ...], lowest_pair: str) -> tuple[str, ...]:
    most = Counter(ranks).most_common()
    match [count for _, count in most]:
        case [4, 1]:
            return _four(most[0][0], most[1][0])
        case [3, 2]:
            return ("full-house",)
        case [3, 1, 1]:
            return ("three-of-a-kind",)
        case [2, 2, 1]:
            return ("two-pair",)
        case [2, 1, 1, 1]:
            high = PAIR_RANKS.index(RANKS[most[0][0]]) >= PAIR_RANKS.index(lowest_pair)
            return (PAIR,) if high else ()
        case _:
            return ("straight",) if _is_straight(ranks) else ()


@cache
def _with_wilds(others: tuple[int, ...], lowest_pair: str, *, suited: bool) -> tuple[str, ...]:
    """Name a hand whose other cards, at least one and at most four, are these."""
    wilds = 5 - len(others)
    alike = wilds + max(Counter(others).values())
    straight = len(set(others)) == len(others) and any(run.issuperset(others) for run in _STRAIGHTS)
    if wilds == 4:
        return ("four-wilds", "five-of-a-kind", "four-of-a-kind")
    if suited and straight and _STRAIGHTS[0].issuperset(others):
        return ("wild-royal-flush", "straight-flush")
    if alike == 5:
        return ("five-of-a-kind", "four-of-a-kind")
    if suited and straight:
        return ("straight-flush",)
    if alike == 4:
        return ("four-of-a-kind",)
    if len(set(others)) == 2:
        return ("full-house",)
    if suited or straight:
        return ("flush",) if suited else ("straight",)
    if alike == 3:
        return ("three-of-a-kind",)
    highest = max(PAIR_RANKS.index(RANKS[other]) for other in others)
    return (PAIR,) if highest >= PAIR_RANKS.index(lowest_pair) else ()


def _four(four: int, kicker: int) -> tuple[str, ...]:
    if four == ACE:
        names = ("four-aces-with-2-to-4", "four-aces") if kicker in _LOW else ("four-aces",)
    elif four in _LOW:
        low_kicker = kicker == ACE or kicker in _LOW
        names = ("four-2-to-4-with-a-to-4", "four-2-to-4") if low_kicker else ("four-2-to-4",)
    else:
        names = ("four-5-to-k",)
    return (*names, "four-of-a-kind")


def _is_straight(ranks: tuple[int, ...]) -> bool:
    """Return whether five ranks in ascending order, ace first, are consecutive; the ace also stands above the king."""
    return ranks == _BROADWAY or (len(set(ranks)) == 5 and ranks[4] - ranks[0] == 4)
