"""Closing: the census of a used-up pool, its opened voids, and the end of its key."""

from hashlib import sha256
from typing import NamedTuple

from sealdraw.vault.v1 import vault_pb2
from sqlalchemy import Connection, func, select

from anchor.files import atomic_write
from rng_service.encoding import u64
from rng_service.ledger.models import (
    FAMILY_SETTLEMENT,
    POSITION_BITS,
    TICKET_OPEN,
    GroupRow,
    LogEntryRow,
    RecordRow,
    TicketRow,
)
from rng_service.ledger.sequencing import append_entry
from rng_service.log_entries import Incident, PoolClose, PoolErase
from rng_service.pools.lifecycle import Event, State
from rng_service.pools.slots import SECRET_BYTES
from rng_service.public_files import deal_path, voids_path
from rng_service.sequencer.context import Context, LedgerRow, get_meta, move_pool, pools_in, set_meta
from rng_service.sequencer.deal_closing import opened_deal
from rng_service.sequencer.groups import group_secrets, records_of_group
from rng_service.sequencer.keys import announce_receipt_keys

__all__ = ["Census", "close_pools", "erase_pools", "opened_voids"]


class Census(NamedTuple):
    """How many slots of a pool were drawn and how many are void."""

    drawn: int
    void: int


def close_pools(context: Context) -> int:
    """Queue pool.close for every pool whose slots are all drawn or void and published; return how many."""
    with context.reading() as connection:
        used_up = [
            pool
            for pool in pools_in(connection, State.ACTIVE, State.QUARANTINED)
            if pool.next_slot == pool.size and not _has_open_ticket(connection, pool.id)
        ]
        unfinished = _pools_without_digest(connection) if used_up else set()
    complete = [pool for pool in used_up if pool.id not in unfinished]
    if not complete:
        return 0
    states = {state.pool_id: state for state in context.vault.get_state().pools}
    return sum(_close(context, pool, states.get(pool.pool_id)) for pool in complete)


def erase_pools(context: Context, published_size: int) -> int:
    """Let the vault destroy the keys of pools whose close is published, and queue its word; return how many."""
    erased = 0
    with context.reading() as connection:
        closed = pools_in(connection, State.CLOSED)
        ready = [pool for pool in closed if _close_published(connection, pool.id, published_size)]
    for pool in ready:
        answer = context.vault.erase_pool(pool.pool_id)
        # A crash right here leaves a destroyed key that the log does not know of: the vault says it again.
        context.on_step("erase.vault")
        announce_receipt_keys(context, {answer.key_id})
        with context.writing() as connection:
            if move_pool(connection, pool.id, Event.KEY_DESTROYED):
                append_entry(
                    connection,
                    PoolErase(
                        origin=context.origin,
                        time_us=context.clock_us(),
                        pool=pool.pool_id,
                        slot_root=bytes(pool.slot_root),
                        drawn=answer.drawn,
                        void=answer.voided,
                        bindings_digest=answer.bindings_digest,
                        key_id=bytes.fromhex(answer.key_id),
                        signature=answer.signature,
                    ),
                )
                erased += 1
        context.on_step("erase.recorded")
    return erased


def opened_voids(connection: Connection, pool: int) -> bytes:
    """Return the voids file of a pool, u64(slot) || secret for each void slot, from what its digests opened."""
    parts: list[bytes] = []
    groups: dict[int, tuple[bytes, dict[int, int]]] = {}
    voids = connection.execute(
        select(RecordRow.id, RecordRow.slot, RecordRow.slots)
        .where(RecordRow.pool_id == pool, RecordRow.kind == "void")
        .order_by(RecordRow.slot)
    ).all()
    for record, slot, slots in voids:
        group = record >> POSITION_BITS
        if group not in groups:
            groups = {group: group_secrets(connection, group)}
        secrets, places = groups[group]
        at = places[record]
        for offset in range(slots):
            start = at + SECRET_BYTES * offset
            parts.append(u64(slot + offset) + secrets[start : start + SECRET_BYTES])
    return b"".join(parts)


def _close(context: Context, pool: LedgerRow, vault: vault_pb2.PoolState | None) -> bool:
    with context.reading() as connection:
        census = _census(connection, pool.id)
        voids = opened_voids(connection, pool.id)
    counted = None if vault is None else Census(vault.drawn, vault.voided)
    if counted != census or sum(census) != pool.size or len(voids) != census.void * (8 + SECRET_BYTES):
        _halt(context, pool, census, counted)
        return False
    deal = opened_deal(context, pool)
    if deal is not None:
        atomic_write(context.config.public_dir / deal_path(pool.pool_id), deal.secrets)
    atomic_write(context.config.public_dir / voids_path(pool.pool_id), voids)
    # A crash right here leaves a file that no entry names; it is written again, with the same bytes.
    context.on_step("close.voids")
    entry = PoolClose(
        origin=context.origin,
        time_us=context.clock_us(),
        pool=pool.pool_id,
        reason=pool.reason or "used-up",
        size=pool.size,
        drawn=census.drawn,
        void=census.void,
        voids_digest=sha256(voids).digest(),
        opened_digest=None if deal is None else sha256(deal.secrets).digest(),
        stake_minor=None if deal is None else deal.stake_minor,
        payout_minor=None if deal is None else deal.payout_minor,
    )
    with context.writing() as connection:
        moved = move_pool(connection, pool.id, Event.COMPLETED)
        if moved:
            row = append_entry(connection, entry)
            set_meta(connection, _close_key(pool.id), str(row))
    # A crash right here leaves a closed pool whose key is destroyed once the entry is published.
    context.on_step("close.recorded")
    return moved


def _halt(context: Context, pool: LedgerRow, census: Census, counted: Census | None) -> None:
    context.warnings.append(
        f"{pool.pool_id} is not closed: the ledger counts {census}, the vault {counted}, of {pool.size} slots"
    )
    with context.writing() as connection:
        if move_pool(connection, pool.id, Event.UNACCOUNTABLE):
            append_entry(
                connection,
                Incident(
                    origin=context.origin,
                    time_us=context.clock_us(),
                    kind="census-mismatch",
                    reason="ledger-and-vault-disagree",
                    pool=pool.pool_id,
                ),
            )


def _census(connection: Connection, pool: int) -> Census:
    counts = {
        row[0]: int(row[1])
        for row in connection.execute(
            select(RecordRow.kind, func.sum(RecordRow.slots)).where(RecordRow.pool_id == pool).group_by(RecordRow.kind)
        )
    }
    return Census(counts.get("draw", 0), counts.get("void", 0))


def _has_open_ticket(connection: Connection, pool: int) -> bool:
    query = select(TicketRow.slot).where(TicketRow.pool_id == pool, TicketRow.state == TICKET_OPEN).limit(1)
    return connection.execute(query).first() is not None


def _pools_without_digest(connection: Connection) -> set[int]:
    """Return the pools that have records which no digest has yet; reads the unclaimed groups and nothing else."""
    rows = connection.execute(
        select(RecordRow.pool_id)
        .select_from(GroupRow)
        .join(RecordRow, records_of_group())
        .where(GroupRow.digest_seq.is_(None), RecordRow.family != FAMILY_SETTLEMENT)
        .distinct()
    )
    return {row[0] for row in rows}


def _close_key(pool: int) -> str:
    return f"close/{pool}"


def _close_published(connection: Connection, pool: int, published_size: int) -> bool:
    entry = get_meta(connection, _close_key(pool))
    if entry is None:
        return False
    index = connection.execute(select(LogEntryRow.log_index).where(LogEntryRow.id == int(entry))).scalar()
    return index is not None and index < published_size
