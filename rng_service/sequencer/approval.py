"""Approval: nobody buys a ticket of a deal before somebody answered for it in the log."""

from sqlalchemy import Connection, insert, select

from rng_service.errors import FailedPrecondition, NotFound
from rng_service.ledger.models import DealApprovalRow, GameRow, LogEntryRow, PoolRow, StreamRow
from rng_service.ledger.sequencing import append_entry, log_time_us
from rng_service.log_entries import DealApprove
from rng_service.pools.lifecycle import State
from rng_service.sequencer.context import Context, LedgerRow
from rng_service.sequencer.publication import settled_size

__all__ = ["AUTOMATIC", "approve_deal", "may_be_sold"]

AUTOMATIC = "automatic"
"""Who approves where nobody does: under a development beacon, and nowhere else."""


def may_be_sold(context: Context, pool: LedgerRow) -> bool:
    """Return whether an activated pool may be drawn from: a deal only once its approval is published.

    Under a development beacon, and where the settings say so, an approval is written here.
    """
    with context.reading() as connection:
        deal = connection.execute(select(StreamRow.deal).where(StreamRow.id == pool.stream_id)).scalar_one()
        if not deal:
            return True
        approval = connection.execute(
            select(DealApprovalRow.log_entry_id).where(DealApprovalRow.pool_id == pool.id)
        ).scalar()
        if approval is not None:
            index = connection.execute(select(LogEntryRow.log_index).where(LogEntryRow.id == approval)).scalar()
            return index is not None and index < settled_size(connection)
    if context.chain is not None and context.chain.development and context.config.deals.approval == AUTOMATIC:
        with context.writing() as connection:
            approve_deal(connection, pool.pool_id, AUTOMATIC, origin=context.origin, now_us=context.clock_us())
        # A crash before the commit leaves an activated deal that waits; after it, an entry in the queue of the log.
        context.on_step("deal.approved")
    return False


def approve_deal(
    connection: Connection, pool_id: str, approver: str, *, origin: str, now_us: int, reference: str | None = None
) -> None:
    """Queue the approval of an activated deal, durable with the caller's transaction; again changes nothing.

    Raises NotFound for a pool that does not exist, FailedPrecondition for one that is no deal or is not activated.
    """
    pool = connection.execute(
        select(PoolRow.id, PoolRow.state, PoolRow.activate_index, StreamRow.deal, GameRow.digest)
        .join(StreamRow, StreamRow.id == PoolRow.stream_id)
        .join(GameRow, GameRow.id == StreamRow.game_id)
        .where(PoolRow.pool_id == pool_id)
    ).one_or_none()
    if pool is None:
        raise NotFound(f"pool {pool_id[:200]!r} does not exist")
    if not pool.deal:
        raise FailedPrecondition("NO_DEAL", f"{pool_id} is no deal: only deals are approved")
    known = connection.execute(select(DealApprovalRow.pool_id).where(DealApprovalRow.pool_id == pool.id)).first()
    if known is not None:
        return
    if pool.state != State.ACTIVATING.value or pool.activate_index is None:
        problem = f"{pool_id} is {pool.state}: a deal is approved once it is activated"
        raise FailedPrecondition("DEAL_NOT_ACTIVATED", problem)
    entry = append_entry(
        connection,
        DealApprove(
            origin=origin,
            time_us=max(now_us, log_time_us(connection)),
            pool=pool_id,
            game_digest=bytes(pool.digest),
            approver=approver,
            reference=reference,
        ),
    )
    connection.execute(insert(DealApprovalRow).values(pool_id=pool.id, log_entry_id=entry))
