"""Which commit groups may join the next digest: pure.

At every digest the bound slots of a pool form a prefix, the pools of a lane are used in order, and what follows from
a slot (a draw on a ticket, a settlement) comes after it. Groups become visible in the order in which their
transactions commit, which on PostgreSQL need not be the order of their ids; a group that came too early for its
slots waits until those before them are there.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

__all__ = ["Candidate", "Run", "Selection", "select_groups"]


class Run(NamedTuple):
    """Consecutive slots of one pool (by row) that a group binds first, or follows up."""

    pool: int
    slot: int
    slots: int


class Candidate(NamedTuple):
    """A group as the choice sees it: the slots that it is first to bind, and those that must be bound before it."""

    id: int
    records: int
    slots: int
    binds: tuple[Run, ...]
    follows: tuple[Run, ...] = ()


class Selection(NamedTuple):
    """The chosen groups in the order in which they join, and how far each touched pool is bound afterwards."""

    groups: tuple[int, ...]
    bound: dict[int, int]


def select_groups(
    candidates: Iterable[Candidate],
    bound: Mapping[int, int],
    before: Mapping[int, Sequence[tuple[int, int]]],
    *,
    most_records: int,
    most_slots: int,
) -> Selection:
    """Choose groups, the oldest first, until one of the limits is reached; at least one if any can join.

    ``bound`` has for each pool how many of its slots earlier digests bound; ``before`` the pools in front of it in its
    lane, and how many slots of each must be bound before its first one is.
    """
    reached = dict(bound)
    chosen: list[int] = []
    records = slots = 0
    waiting = list(candidates)
    progress = True
    while waiting and progress:
        progress = False
        held = []
        for group in waiting:
            if chosen and (records + group.records > most_records or slots + group.slots > most_slots):
                # What is left waits for the next digest, so that the memory of one stays bounded.
                return Selection(tuple(chosen), reached)
            after = _after(group, reached, before)
            if after is None:
                held.append(group)
                continue
            reached.update(after)
            chosen.append(group.id)
            records, slots, progress = records + group.records, slots + group.slots, True
        waiting = held
    return Selection(tuple(chosen), reached)


def _after(
    group: Candidate, bound: Mapping[int, int], before: Mapping[int, Sequence[tuple[int, int]]]
) -> dict[int, int] | None:
    """Return how far the group's pools are bound after it, None when it cannot come next."""
    after: dict[int, int] = {}
    for run in group.binds:
        for earlier, size in before.get(run.pool, ()):
            if after.get(earlier, bound.get(earlier, 0)) < size:
                return None
        if run.slot != after.get(run.pool, bound.get(run.pool, 0)):
            return None
        after[run.pool] = run.slot + run.slots
    for run in group.follows:
        if run.slot + run.slots > after.get(run.pool, bound.get(run.pool, 0)):
            return None
    return after
