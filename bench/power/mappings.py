"""Outcomes as faulty games make them out of good bits, and counts of outcomes where single ones would be too many."""

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats  # type: ignore[import-untyped]

__all__ = [
    "POCKETS",
    "Rows",
    "decks_of",
    "draws_needed",
    "naive_shuffles",
    "off_by_one_wheel",
    "one_too_many_wheel",
    "random_comparator_shuffles",
    "remainders",
    "sattolo_shuffles",
    "shares_of_remainders",
    "slot_shares",
    "wheel_of",
]

Rows = NDArray[np.integer[Any]]

POCKETS = 37
# A small slot: five kinds of result, of which the third has a weight that is half a per cent too large.
SLOT_WEIGHTS = (400, 250, 200, 100, 50)
FAULTY_PLACE = 2
FAULTY_FACTOR = 1.005


def wheel_of(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Map bytes to pockets as the service does: six bits of each byte, and again while they are 37 or more."""
    six = data & np.uint8(0x3F)
    return six[six < POCKETS][:, np.newaxis]


def decks_of(data: NDArray[np.uint8], cards: int) -> NDArray[np.uint8]:
    """Map bytes to shuffled decks: the cards in the order of 64-bit keys, of which two are equal about never."""
    keys = data[: len(data) // (8 * cards) * 8 * cards].view(np.uint64).reshape(-1, cards)
    return np.argsort(keys, axis=1).astype(np.uint8)


def remainders(count: int, seed: int, *, bound: int) -> Rows:
    """A byte modulo ``bound``."""
    return _random(seed).integers(0, 256, (count, 1)) % bound


def shares_of_remainders(bits: int, bound: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the stated and the real probabilities of an integer of ``bits`` bits modulo ``bound``."""
    whole, rest = divmod(1 << bits, bound)
    real = np.array([(whole + (value < rest)) / 2.0**bits for value in range(bound)])
    return np.full(bound, 1.0 / bound), real


def slot_shares() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the stated and the real probabilities of the slot with one weight that is off by half a per cent."""
    stated = np.array(SLOT_WEIGHTS, dtype=np.float64)
    real = stated.copy()
    real[FAULTY_PLACE] *= FAULTY_FACTOR
    return stated / stated.sum(), real / real.sum()


def draws_needed(
    shares: tuple[NDArray[np.float64], NDArray[np.float64]], *, level: float = 1e-6, power: float = 0.99
) -> float:
    """Return how many outcomes χ² needs to reject at ``level`` with that ``power``: non-central χ², as it is large."""
    stated, real = shares
    degrees = len(stated) - 1
    bound = stats.chi2.isf(level, degrees)
    distance = optimize.brentq(lambda found: stats.ncx2.sf(bound, degrees, found) - power, 1.0, 1e4)
    return float(distance / np.sum((real - stated) ** 2 / stated))


def off_by_one_wheel(count: int, seed: int) -> Rows:
    """The last pocket never comes."""
    return _random(seed).integers(0, POCKETS - 1, (count, 1))


def one_too_many_wheel(count: int, seed: int) -> Rows:
    """A pocket comes that is not there."""
    return _random(seed).integers(0, POCKETS + 1, (count, 1))


def naive_shuffles(count: int, seed: int, *, cards: int = 52) -> Rows:
    """Every card changes places with any card: cards^cards ways over cards! orders."""
    random, rows, every = _random(seed), _decks(count, cards), np.arange(count)
    for place in range(cards):
        _swap(rows, every, place, random.integers(0, cards, count))
    return rows


def sattolo_shuffles(count: int, seed: int, *, cards: int = 52) -> Rows:
    """Every card changes places with a lower one, never with itself: no card stays where it was, one cycle each."""
    random, rows, every = _random(seed), _decks(count, cards), np.arange(count)
    for place in range(cards - 1, 0, -1):
        _swap(rows, every, place, random.integers(0, place, count))
    return rows


def random_comparator_shuffles(count: int, seed: int, *, cards: int = 52) -> Rows:
    """Sorted with a comparison that tosses a coin, as web pages have been found to do."""
    random = _random(seed)
    # A sort of 52 cards asks at most some 250 times; coins are taken from one long row.
    coins = iter(random.integers(0, 2, count * 400).tolist())
    key = functools.cmp_to_key(lambda _left, _right: 1 - 2 * next(coins))
    return np.array([sorted(range(cards), key=key) for _ in range(count)], dtype=np.uint8)


def _decks(count: int, cards: int) -> NDArray[np.uint8]:
    return np.tile(np.arange(cards, dtype=np.uint8), (count, 1))


def _swap(rows: NDArray[np.uint8], every: NDArray[np.int64], place: int, other: NDArray[np.int64]) -> None:
    rows[every, place], rows[every, other] = rows[every, other], rows[every, place].copy()


def _random(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))
