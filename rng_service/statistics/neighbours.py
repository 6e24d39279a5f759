"""Outcomes side by side: slot by slot of pools, lanes and streams that lie beside each other.

Two streams that share a seed, or pools that were filled from overlapping stretches of one, go together here although
each of them looks perfect. Every pairing takes an outcome once, so that the pairs are independent.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rng_service.names import PoolId, Stream
from rng_service.statistics.outcomes import Places

__all__ = ["Pairing", "pairings", "pairings_beside"]

_Partner = Callable[[PoolId], PoolId | None]


class Pairing(NamedTuple):
    """Outcome ``left[i]`` of one record beside outcome ``right[i]`` of the other (or the same one)."""

    subject: str
    left: NDArray[np.int64]
    right: NDArray[np.int64]


def pairings(places: Places) -> Iterator[Pairing]:
    """Yield what lies beside each other within one program: pools, lanes, and play for money beside play for fun."""
    for subject, partner in _WITHIN:
        found = _paired(subject, places, places, partner)
        if found is not None:
            yield found


def pairings_beside(places: Places, other: Places, name: str) -> Iterator[Pairing]:
    """Yield the outcomes of another program beside those of this one: the same lane, the same number of the pool."""
    streams = {pool.stream for pool in other.pools}
    for stream in sorted(streams):
        partner = _other_stream(stream)
        found = _paired(f"beside {name} ({stream.play_class})", places, other, partner)
        if found is not None:
            yield found


def _paired(subject: str, places: Places, other: Places, partner: _Partner) -> Pairing | None:
    """Return the outcomes of each pool beside those of its partner, slot by slot; None when no pool has one."""
    numbered = {pool: index for index, pool in enumerate(other.pools)}
    here, there = _by_pool(places), _by_pool(other)
    left: list[NDArray[np.int64]] = []
    right: list[NDArray[np.int64]] = []
    for index, pool in enumerate(places.pools):
        beside = partner(pool)
        if beside is None or beside not in numbered:
            continue
        mine, theirs = here[index], there[numbered[beside]]
        _, first, second = np.intersect1d(
            _slots(places, mine), _slots(other, theirs), assume_unique=True, return_indices=True
        )
        left.append(mine[first])
        right.append(theirs[second])
    if not left:
        return None
    return Pairing(subject, np.concatenate(left), np.concatenate(right))


def _by_pool(places: Places) -> list[NDArray[np.int64]]:
    """Return the numbers of the outcomes of each pool."""
    order = np.argsort(places.pool, kind="stable")
    ends = np.cumsum(np.bincount(places.pool, minlength=len(places.pools)))
    return np.split(order, ends[:-1])


def _slots(places: Places, chosen: NDArray[np.int64]) -> NDArray[Any]:
    """Return for each outcome a number that its slot and its place in the draw have alone."""
    widest = np.uint64(int(places.part.max()) + 1)
    return places.slot[chosen].astype(np.uint64) * widest + places.part[chosen].astype(np.uint64)


def _next_pool(parity: int) -> _Partner:
    def partner(pool: PoolId) -> PoolId | None:
        if pool.number % 2 != parity:
            return None
        return PoolId(pool.environment, pool.stream, pool.lane, pool.number + 1)

    return partner


def _next_lane(parity: int) -> _Partner:
    def partner(pool: PoolId) -> PoolId | None:
        if pool.lane % 2 != parity:
            return None
        return PoolId(pool.environment, pool.stream, pool.lane + 1, pool.number)

    return partner


def _other_class(pool: PoolId) -> PoolId | None:
    if pool.stream.play_class != "free":
        return None
    return PoolId(pool.environment, pool.stream._replace(play_class="real"), pool.lane, pool.number)


def _other_stream(stream: Stream) -> _Partner:
    def partner(pool: PoolId) -> PoolId | None:
        if pool.stream.play_class != stream.play_class:
            return None
        return PoolId(pool.environment, stream, pool.lane, pool.number)

    return partner


_WITHIN: Final[tuple[tuple[str, _Partner], ...]] = (
    ("pools beside each other, odd and next", _next_pool(1)),
    ("pools beside each other, even and next", _next_pool(0)),
    ("lanes beside each other, even and next", _next_lane(0)),
    ("lanes beside each other, odd and next", _next_lane(1)),
    ("free beside real", _other_class),
)
