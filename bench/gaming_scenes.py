"""Fair outcomes of five kinds of games, for the benchmark and for the calibration of the gaming battery."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stats_tests.gaming import (
    OutcomeShape,
    Permutation,
    Stops,
    Uniform,
    Weighted,
    WithoutReplacement,
)

__all__ = ["SCENES", "Scene"]

# Prizes of a wheel as they are sold: one rare field, many common ones.
WHEEL = (1,) * 30 + (3,) * 10 + (6,) * 7 + (12,) * 4 + (24,)
JACKPOT = (100_000, 20_000, 3_000, 200, 10, 1)
_DECKS_AT_ONCE = 20_000

Rows = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Scene:
    """A shape, and ``make(rng, count)``, which gives ``count`` fair outcomes of it."""

    shape: OutcomeShape
    make: Callable[[np.random.Generator, int], Rows]


def _uniform(n: int, count: int = 1) -> Scene:
    return Scene(OutcomeShape((Uniform(n, count),)), lambda rng, rows: rng.integers(0, n, (rows, count)))


def _weighted(weights: tuple[int, ...]) -> Scene:
    cumulative = np.cumsum(weights)

    def make(rng: np.random.Generator, rows: int) -> Rows:
        found = np.searchsorted(cumulative, rng.integers(0, cumulative[-1], rows), side="right")
        return np.asarray(found[:, np.newaxis])

    return Scene(OutcomeShape((Weighted(weights),)), make)


def _reels(lengths: tuple[int, ...]) -> Scene:
    def make(rng: np.random.Generator, rows: int) -> Rows:
        return np.stack([rng.integers(0, length, rows) for length in lengths], axis=1)

    return Scene(OutcomeShape((Stops(lengths),)), make)


def _deal(n: int, m: int) -> Scene:
    part = Permutation(n) if m == n else WithoutReplacement(n, m)
    return Scene(OutcomeShape((part,)), lambda rng, rows: _dealt(rng, rows, n, m))


def _dealt(rng: np.random.Generator, rows: int, n: int, m: int) -> Rows:
    parts = []
    for first in range(0, rows, _DECKS_AT_ONCE):
        decks = np.tile(np.arange(n, dtype=np.uint8), (min(_DECKS_AT_ONCE, rows - first), 1))
        parts.append(rng.permuted(decks, axis=1)[:, :m])
    return np.concatenate(parts)


SCENES: dict[str, Scene] = {
    "dice": _uniform(6),
    "coin": _uniform(2),
    "roulette": _uniform(37),
    "large range": _uniform(10**9 + 7),
    "wheel": _weighted(WHEEL),
    "jackpot": _weighted(JACKPOT),
    "three dice": _uniform(6, 3),
    "five reels": _reels((60, 60, 60, 60, 60)),
    "lottery": _deal(49, 6),
    "keno": _deal(80, 20),
    "52 cards": _deal(52, 52),
}
