"""For each symbol what followed the same 1, 2, 3 … symbols until then: the model behind two predictors.

A context of depth m is the m symbols in front of a place. Places are sorted by context, those of one context by time,
and one more symbol of depth is one more pass of a radix sort. So what followed a context so far is a running count
along an array, and nothing is looked up symbol by symbol.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["ContextLevel", "context_levels", "running_best"]

_SYMBOLS: Final = 256


@dataclass(frozen=True)
class ContextLevel:
    """The places that have a context of ``depth`` symbols in front of them, in the order of contexts, then of time.

    ``places`` are indices into the sequence; ``fresh`` marks where another context begins. A place whose context comes
    nowhere else is left out, where that was seen at a smaller depth. ``followers`` are the symbols at the places.
    ``by_follower`` is the stable order by symbol, and in that order ``fresh_pairs`` marks where another context or
    symbol begins.
    """

    depth: int
    places: NDArray[np.int32]
    fresh: NDArray[np.bool_]
    followers: NDArray[np.uint8]
    by_follower: NDArray[np.intp]
    fresh_pairs: NDArray[np.bool_]

    @cached_property
    def groups(self) -> NDArray[np.int32]:
        """The number of the context of each place."""
        return np.cumsum(self.fresh, dtype=np.int32)


def context_levels(values: NDArray[np.uint8], deepest: int, first: int) -> Iterator[ContextLevel]:
    """Yield the levels of depth 1 … ``deepest``, which know nothing of what stands before the place ``first``.

    Places before ``first`` are there, and mean nothing.
    """
    size = len(values)
    places = np.arange(size, dtype=np.int32)
    fresh = np.zeros(size, dtype=np.bool_)
    fresh[0] = True
    for depth in range(deepest + 1):
        level = _level(values, depth, places, fresh)
        if depth:
            yield level if depth >= first else _from(first, level)
        # What follows a place is the newest symbol of the context of the next one.
        places = level.places[level.by_follower] + np.int32(1)
        fresh = level.fresh_pairs
        places, fresh = _without_last(places, fresh, size)
        places, fresh = _without_single(places, fresh)
        if not places.size:
            return


def _level(values: NDArray[np.uint8], depth: int, places: NDArray[np.int32], fresh: NDArray[np.bool_]) -> ContextLevel:
    followers = values[places]
    by_follower = np.argsort(followers, kind="stable")
    groups = np.cumsum(fresh, dtype=np.int32)[by_follower]
    sorted_followers = followers[by_follower]
    fresh_pairs = np.ones(len(places), dtype=np.bool_)
    fresh_pairs[1:] = (groups[1:] != groups[:-1]) | (sorted_followers[1:] != sorted_followers[:-1])
    return ContextLevel(depth, places, fresh, followers, by_follower, fresh_pairs)


def _from(first: int, level: ContextLevel) -> ContextLevel:
    """Let contexts begin anew at ``first``: what was before is as if it had been others."""
    return replace(
        level,
        fresh=_anew(level.fresh, level.places, first),
        fresh_pairs=_anew(level.fresh_pairs, level.places[level.by_follower], first),
    )


def _anew(fresh: NDArray[np.bool_], places: NDArray[np.int32], first: int) -> NDArray[np.bool_]:
    behind = np.flatnonzero(places < first) + 1
    again = fresh.copy()
    again[behind[behind < len(fresh)]] = True
    return again


def _without_last(
    places: NDArray[np.int32], fresh: NDArray[np.bool_], size: int
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Leave out the place behind the end, which is the latest one of its context."""
    beyond = np.flatnonzero(places == size)
    if not beyond.size:
        return places, fresh
    at = int(beyond[0])
    return np.delete(places, at), np.delete(fresh, at)


def _without_single(places: NDArray[np.int32], fresh: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Leave out contexts that come once: deeper ones come once, too, and never predict anything."""
    single = fresh.copy()
    single[:-1] &= fresh[1:]
    return (places[~single], fresh[~single]) if single.any() else (places, fresh)


def running_best(level: ContextLevel, counted: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
    """Return for each place of the level the commonest follower of its context until then, as count · 256 + symbol.

    Of equally common ones it is the greatest symbol; 0 where nothing followed yet. ``counted`` says which followers
    count (all).
    """
    size = len(level.places)
    here = np.arange(size, dtype=np.int32)
    times = np.empty(size, dtype=np.int32)
    times[level.by_follower] = here - np.maximum.accumulate(np.where(level.fresh_pairs, here, 0)) + 1
    keys = times.astype(np.int64)
    keys *= _SYMBOLS
    keys += level.followers
    if counted is not None:
        keys[~counted] = 0
    # A count never falls, so the best one yet is the running maximum; contexts do not mix when each is lifted above
    # the one before.
    lift = level.groups.astype(np.int64)
    lift *= (size + 1) * _SYMBOLS
    keys += lift
    np.maximum.accumulate(keys, out=keys)
    best = np.zeros(size, dtype=np.int64)
    np.subtract(keys[:-1], lift[1:], out=best[1:])
    best[level.fresh] = 0
    return best
