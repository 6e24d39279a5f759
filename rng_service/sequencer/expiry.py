"""Tickets that nobody drew on: their slots become void, in the transaction that ends the ticket."""

from sqlalchemy import Connection, select, update

from rng_service.ledger.models import TICKET_OPEN, TICKET_VOID, PoolRow, TicketRow
from rng_service.pools.lifecycle import State
from rng_service.sequencer.announcing import announce
from rng_service.sequencer.context import Context, LedgerRow
from rng_service.sequencer.voiding import VoidRun, bind_voids

__all__ = ["expire_tickets"]

_AT_ONCE = 1_000
_COLUMNS = (TicketRow.hash, TicketRow.slot, PoolRow.id, PoolRow.pool_id, PoolRow.reason, PoolRow.next_slot)


def expire_tickets(context: Context) -> int:
    """End up to 1,000 tickets that expired, or whose pool was quarantined, and return how many ended."""
    now_us = context.clock_us()
    with context.reading() as connection:
        due = [(row, "ticket-expired") for row in _expired(connection, now_us)]
        due += [(row, "quarantine") for row in _quarantined(connection)]
    ended = []
    if not due:
        return 0
    with context.writing() as connection:
        for row, reason in due[:_AT_ONCE]:
            # A draw on the ticket does the same the other way: exactly one of the two finds it open.
            closed = connection.execute(
                update(TicketRow)
                .where(TicketRow.hash == row.hash, TicketRow.state == TICKET_OPEN)
                .values(state=TICKET_VOID)
            )
            if closed.rowcount == 1:
                ended.append(VoidRun(row.id, row.pool_id, row.slot, 1, reason, bytes(row.hash).hex()))
                if reason != "ticket-expired":
                    announce(context, connection, row, from_slot=row.next_slot)
        bind_voids(context, connection, ended)
    # A crash before the commit leaves the tickets open; after it, voids that the next digest opens.
    context.on_step("expiry.recorded")
    return len(ended)


def _expired(connection: Connection, now_us: int) -> list[LedgerRow]:
    # The front still accepts a draw at the very microsecond of the expiry.
    return list(
        connection.execute(
            select(*_COLUMNS)
            .join(PoolRow, PoolRow.id == TicketRow.pool_id)
            .where(TicketRow.state == TICKET_OPEN, TicketRow.expires_us < now_us)
            .order_by(TicketRow.expires_us)
            .limit(_AT_ONCE)
        )
    )


def _quarantined(connection: Connection) -> list[LedgerRow]:
    # Tickets of a retired game stay good until they expire: the player holds the operator's word.
    rows = connection.execute(
        select(*_COLUMNS)
        .join(PoolRow, PoolRow.id == TicketRow.pool_id)
        .where(
            TicketRow.state == TICKET_OPEN,
            PoolRow.state == State.QUARANTINED.value,
            PoolRow.reason != "retired",
        )
        .limit(_AT_ONCE)
    )
    return list(rows)
