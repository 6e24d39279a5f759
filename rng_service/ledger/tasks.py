"""What is bound: the request that waits, the pools that it takes slots from, and the records that come of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from rng_service.errors import RequestError
from rng_service.records.binding import DrawBinding, SettleBinding, TicketBinding

SOLE_BETTOR: Final = bytes(32)
"""Stands for whoever settles an outcome that has only one bettor."""


class PoolCursor(Protocol):
    """An active pool as the front sees it; ``next_slot`` is owned by the thread that binds."""

    id: int
    pool_id: str
    size: int
    next_slot: int


class PoolQueue(Protocol):
    """The active pools of a stream, in number order, lane by lane."""

    def pools(self, lane: int) -> Sequence[PoolCursor]:
        """Return the lane's active pools; the first is drawn from first."""

    def owns(self, pool_id: str) -> bool:
        """Return whether the pool belongs to this stream."""


@dataclass(slots=True)
class BoundRecord:
    """One record of a group, as it stands in the ledger; ``ticket_binding`` only for a draw on a ticket."""

    id: int
    kind: str
    pool: int
    pool_id: str
    slot: int
    count: int
    binding: bytes
    ticket_binding: bytes = b""


@dataclass(frozen=True, slots=True)
class RoundMove:
    """How a draw moves its round on.

    ``after`` is the record of the step before it, 0 for a first step; None when the round was found at another step,
    so that this can only be a repeat. The rest is what then stands in the round's row.
    """

    round_id: str
    step: int
    after: int | None
    stake_minor: int = 0
    currency: str = ""
    awarded: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class BindTask:
    """One request that waits to be bound; what follows ``records`` is filled in by `bind_group`."""

    caller: str
    request_id: bytes
    payload: bytes
    method: str
    binding: DrawBinding | TicketBinding | SettleBinding
    queue: PoolQueue | None = None
    lane: int = 0
    ticket_hash: bytes = b""
    client_seed_hash: bytes = b""
    next_ticket: TicketBinding | None = None
    tags: tuple[bytes, bytes] | None = None
    round: RoundMove | None = None
    # A settlement's pool; and (pool, slot, bettor), the bettor's one place that it takes. Where the draw fixed the
    # stake, the place is the SOLE_BETTOR's.
    settled_pool: int = 0
    settlement: tuple[int, int, bytes] | None = None

    records: list[BoundRecord] = field(default_factory=list)
    repeated: bool = False
    error: RequestError | None = None

    @property
    def key(self) -> tuple[bytes, str]:
        """What makes a request one and the same."""
        return self.request_id, self.caller


@dataclass(frozen=True, slots=True)
class BindRules:
    """The settings that binding depends on."""

    window_back_us: int
    window_ahead_us: int
    ticket_lifetime_us: int


@dataclass(frozen=True, slots=True)
class BoundGroup:
    """A group; durable, and its cursors moved, once its transaction has committed and `committed` was called."""

    id: int
    key_id: str
    bind_time_us: int
    records: list[BoundRecord]
    advanced: list[tuple[PoolCursor, int]]

    def committed(self) -> None:
        """Move the in-memory cursors to where the database now is."""
        for cursor, after in self.advanced:
            cursor.next_slot = after
