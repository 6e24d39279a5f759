"""The life of a pool as a pure state machine (PROTOCOL.md, sections 5 and 11).

    sealed ──commit published──▶ committed ──round known──▶ testing ──passed──▶ activating ──vault enabled──▶ active
      │                             │  └──deadline──▶ void    │                     │                         │
      └──────────quarantine─────────┴──────────────────failed─┴─────────────────────┴──▶ quarantined ◀────────┤
                                                                                             │  └─unused─▶ void
                                                                         closed ◀──complete──┴────────────────┘
                                                                           └──key destroyed──▶ erased

A pool whose commitment names no test plan (finite deals, and all of a service that has testing switched off) goes from
committed to activating at once. One that names a plan gets there by its pass and in no other way, so it is never drawn
from without one.

A pool whose slots can no longer be accounted for is halted: an incident in the log says why, and it never closes.
Every change in the ledger is an UPDATE that names the states of `sources`, so that two processes that decide at
the same time cannot both succeed.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple

__all__ = [
    "Activation",
    "Event",
    "PoolUse",
    "State",
    "missing_pools",
    "next_activation",
    "next_state",
    "sources",
    "target",
]


class State(StrEnum):
    """What `pools.state` says."""

    SEALED = "sealed"
    COMMITTED = "committed"
    TESTING = "testing"
    ACTIVATING = "activating"
    ACTIVE = "active"
    QUARANTINED = "quarantined"
    HALTED = "halted"
    VOID = "void"
    CLOSED = "closed"
    ERASED = "erased"


class Event(StrEnum):
    """What happens to a pool; each leads to one state."""

    COMMIT_PUBLISHED = "commit-published"
    ACTIVATION_WRITTEN = "activation-written"
    TEST_DUE = "test-due"
    TEST_PASSED = "test-passed"
    VAULT_ENABLED = "vault-enabled"
    QUARANTINE = "quarantine"
    THROWN_AWAY = "thrown-away"
    COMPLETED = "completed"
    UNACCOUNTABLE = "unaccountable"
    KEY_DESTROYED = "key-destroyed"


_TABLE: Final[dict[Event, tuple[State, frozenset[State]]]] = {
    Event.COMMIT_PUBLISHED: (State.COMMITTED, frozenset({State.SEALED})),
    Event.ACTIVATION_WRITTEN: (State.ACTIVATING, frozenset({State.COMMITTED})),
    # The activation of a pool with a plan.
    Event.TEST_DUE: (State.TESTING, frozenset({State.COMMITTED})),
    Event.TEST_PASSED: (State.ACTIVATING, frozenset({State.TESTING})),
    Event.VAULT_ENABLED: (State.ACTIVE, frozenset({State.ACTIVATING})),
    Event.QUARANTINE: (
        State.QUARANTINED,
        frozenset({State.SEALED, State.COMMITTED, State.TESTING, State.ACTIVATING, State.ACTIVE}),
    ),
    Event.THROWN_AWAY: (State.VOID, frozenset({State.COMMITTED, State.QUARANTINED})),
    Event.COMPLETED: (State.CLOSED, frozenset({State.ACTIVE, State.QUARANTINED})),
    Event.UNACCOUNTABLE: (
        State.HALTED,
        frozenset(
            {
                State.SEALED,
                State.COMMITTED,
                State.TESTING,
                State.ACTIVATING,
                State.ACTIVE,
                State.QUARANTINED,
                # Its key was lost before the vault gave its word on it.
                State.CLOSED,
            }
        ),
    ),
    Event.KEY_DESTROYED: (State.ERASED, frozenset({State.CLOSED})),
}


def target(event: Event) -> State:
    """Return the state that ``event`` leads to."""
    return _TABLE[event][0]


def sources(event: Event) -> frozenset[State]:
    """Return the states in which ``event`` can happen."""
    return _TABLE[event][1]


def next_state(state: State, event: Event) -> State:
    """Return the state after ``event``; raises ValueError when it cannot happen in ``state``."""
    if state not in sources(event):
        raise ValueError(f"a {state} pool cannot undergo {event}")
    return target(event)


class PoolUse(NamedTuple):
    """As much of a pool as the refill looks at."""

    state: State
    next_slot: int
    size: int


def missing_pools(ready: int, pools: Iterable[PoolUse]) -> int:
    """Return how many pools a lane needs now, so that ``ready`` of them have, or will have, free slots.

    Pools on the way count: they are committed several at once, and nobody waits for one beacon round after another.
    """
    coming = {State.SEALED, State.COMMITTED, State.TESTING, State.ACTIVATING, State.ACTIVE}
    return max(0, ready - sum(pool.state in coming and pool.next_slot < pool.size for pool in pools))


class Activation(StrEnum):
    """What to do with a committed pool."""

    WAIT = "wait"
    ASK_BEACON = "ask-beacon"
    ACTIVATE = "activate"
    THROW_AWAY = "throw-away"


def next_activation(*, now_us: int, deadline_us: int, opens_us: int | None, round_known: bool) -> Activation:
    """Decide about a committed pool; ``opens_us`` is when its round is published, None without a beacon.

    No other round is ever used: a pool whose round did not come by the deadline is thrown away.
    """
    if opens_us is None:
        return Activation.ACTIVATE
    if now_us > deadline_us:
        return Activation.THROW_AWAY
    if round_known:
        return Activation.ACTIVATE
    return Activation.ASK_BEACON if now_us >= opens_us else Activation.WAIT
