"""When vault and ledger disagree about a slot: said in the log once, and its pool is never drawn from again."""

from sqlalchemy import Connection, select

from rng_service.ledger.models import PoolRow
from rng_service.ledger.sequencing import append_entry
from rng_service.log_entries import Incident
from rng_service.pools.lifecycle import Event
from rng_service.sequencer.announcing import announce
from rng_service.sequencer.context import Context, get_meta, move_pool, set_meta
from rng_service.sequencer.opening import OpeningRefusedError

__all__ = ["admit_refusal", "record_refusal"]


def record_refusal(context: Context, error: OpeningRefusedError) -> None:
    """Queue an incident for a group that the vault refuses, and quarantine the pool; again changes nothing."""
    context.warnings.append(str(error))
    record = error.record
    with context.writing() as connection:
        if not admit_refusal(context, connection, error):
            return
        # Nothing more is bound in a pool whose slots the two do not agree on. What the vault refused, and all behind
        # it, can join no digest, so the pool ends before that slot: the next of its lane need not wait for it.
        if move_pool(connection, record.pool, Event.QUARANTINE, reason="quarantine"):
            pool = connection.execute(select(PoolRow.__table__).where(PoolRow.id == record.pool)).one()
            first_to_bind = "ticket" not in record.fields
            announce(context, connection, pool, from_slot=record.slot if first_to_bind else pool.next_slot)


def admit_refusal(context: Context, connection: Connection, error: OpeningRefusedError) -> bool:
    """Queue the incident of a group that the vault refuses, unless it was queued before; return whether it is new."""
    key = f"refused/{error.group}"
    if get_meta(connection, key) is not None:
        return False
    set_meta(connection, key, error.reason)
    append_entry(
        connection,
        Incident(
            origin=context.origin,
            time_us=context.clock_us(),
            kind="opening-refused",
            reason=error.reason,
            pool=error.pool,
            slot=error.record.slot,
            slots=error.record.slots,
        ),
    )
    return True
