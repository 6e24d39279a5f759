"""Disposal: what is left of a stopped pool is thrown away, and whatever is thrown away is opened."""

from sqlalchemy import select, update

from rng_service.ledger.models import PoolRow
from rng_service.ledger.sequencing import append_entry
from rng_service.log_entries import Incident, PoolVoid
from rng_service.pools.lifecycle import Event, State
from rng_service.sequencer.activation import overdue_pools
from rng_service.sequencer.announcing import announce, announced_from
from rng_service.sequencer.context import Context, LedgerRow, move_pool, pools_in
from rng_service.sequencer.proofs import PublishedLog
from rng_service.sequencer.voiding import VoidRun, bind_voids
from rng_service.vault.errors import VaultRefusedError

__all__ = ["dispose"]

# What a void binding may give as its reason; everything else that an operator says is a quarantine.
_VOID_REASONS = frozenset({"quarantine", "retired", "frozen", "recovered"})


def dispose(context: Context) -> int:
    """Throw away what is left of quarantined pools, and pools whose round never came; return how many pools."""
    overdue = overdue_pools(context)
    with context.reading() as connection:
        stopped = pools_in(connection, State.QUARANTINED)
        late = [connection.execute(select(PoolRow.__table__).where(PoolRow.id == pool)).one() for pool in overdue]
    disposed = 0
    for pool in late:
        disposed += _void_unused(context, pool, "beacon-late")
    for pool in stopped:
        if pool.next_slot == 0:
            disposed += _void_unused(context, pool, pool.reason or "quarantine")
        elif pool.next_slot < pool.size:
            disposed += _void_rest(context, pool)
        else:
            disposed += _announce_full(context, pool)
    return disposed


def _void_unused(context: Context, pool: LedgerRow, reason: str) -> bool:
    """A pool of which nothing was bound is opened by its key, once its commitment is published."""
    if pool.commit_index is None:
        return False
    commit = PublishedLog(context).prove(bytes(pool.commit_entry), pool.commit_index)
    try:
        key = context.vault.void_pool(pool.pool_id, commit)
    except VaultRefusedError as error:
        return _halt_unopenable(context, pool, error)
    # A crash right here leaves a pool that the vault has ended and the log has not: the vault gives the key again.
    context.on_step("disposal.vault")
    with context.writing() as connection:
        moved = move_pool(connection, pool.id, Event.THROWN_AWAY, reason=reason)
        if moved:
            append_entry(
                connection,
                PoolVoid(origin=context.origin, time_us=context.clock_us(), pool=pool.pool_id, reason=reason, key=key),
            )
    context.on_step("disposal.recorded")
    return moved


def _halt_unopenable(context: Context, pool: LedgerRow, error: VaultRefusedError) -> bool:
    """A pool whose key the vault does not have, or of which it opened slots, cannot be opened: that is said aloud."""
    context.warnings.append(f"{pool.pool_id} cannot be opened by its key: {error}")
    with context.writing() as connection:
        moved = move_pool(connection, pool.id, Event.UNACCOUNTABLE)
        if moved:
            append_entry(
                connection,
                Incident(
                    origin=context.origin,
                    time_us=context.clock_us(),
                    kind="pool-unopenable",
                    reason=error.reason,
                    pool=pool.pool_id,
                ),
            )
            announce(context, connection, pool, from_slot=pool.next_slot)
    context.on_step("disposal.recorded")
    return moved


def _void_rest(context: Context, pool: LedgerRow) -> bool:
    """Bind every free slot of a used pool to a void, in the transaction that takes it."""
    reason = pool.reason if pool.reason in _VOID_REASONS else "quarantine"
    with context.writing() as connection:
        taken = connection.execute(
            update(PoolRow)
            .where(
                PoolRow.id == pool.id,
                PoolRow.state == State.QUARANTINED.value,
                PoolRow.next_slot == pool.next_slot,
            )
            .values(next_slot=pool.size)
        )
        if taken.rowcount != 1:
            return False
        announce(context, connection, pool, from_slot=pool.next_slot)
        run = VoidRun(pool.id, pool.pool_id, pool.next_slot, pool.size - pool.next_slot, str(reason))
        bind_voids(context, connection, [run])
    # A crash before the commit leaves a stopped pool; after it, voids that the next digest opens.
    context.on_step("disposal.recorded")
    return True


def _announce_full(context: Context, pool: LedgerRow) -> bool:
    """A pool that was stopped when its last slot was bound has nothing to throw away, and is announced all the same."""
    with context.reading() as connection:
        if announced_from(connection, pool.id) is not None:
            return False
    with context.writing() as connection:
        announce(context, connection, pool, from_slot=pool.next_slot)
    # A crash before the commit leaves a stopped pool that is announced by the next pass.
    context.on_step("disposal.recorded")
    return True
