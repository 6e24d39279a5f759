"""Saying in the log that a pool is not drawn from any more, once, whoever stopped it."""

from sqlalchemy import Connection

from rng_service.ledger.sequencing import append_entry
from rng_service.log_entries import PoolQuarantine
from rng_service.sequencer.context import Context, LedgerRow, get_meta, set_meta

__all__ = ["announce", "announced_from"]


def announced_from(connection: Connection, pool: int) -> int | None:
    """Return the slot from which on the log says that a pool is not drawn from; None while it says nothing.

    Once the pool.quarantine is queued, and everything before that slot is bound, the next pool of the lane may be used.
    """
    found = get_meta(connection, _announced_key(pool))
    return None if found is None else int(found)


def announce(context: Context, connection: Connection, pool: LedgerRow, *, from_slot: int, reason: str = "") -> None:
    """Queue the pool.quarantine of a stopped pool, once: voids of its slots come behind it in the log."""
    if announced_from(connection, pool.id) is not None:
        return
    set_meta(connection, _announced_key(pool.id), str(from_slot))
    append_entry(
        connection,
        PoolQuarantine(
            origin=context.origin,
            time_us=context.clock_us(),
            pool=pool.pool_id,
            reason=reason or pool.reason or "quarantine",
            from_slot=from_slot,
        ),
    )


def _announced_key(pool: int) -> str:
    return f"quarantine/{pool}"
