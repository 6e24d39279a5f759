"""Activation: a committed pool waits for its round, is activated in the log, and then in the vault.

A pool whose commitment names a test plan is tested in between (`judging`).
"""

from sqlalchemy import Connection, delete, insert, select

from anchor.errors import VerificationError
from anchor.merkle import leaf_hash
from rng_service.beacon import beacon_value, verify_round
from rng_service.ledger.models import BeaconRoundRow, MetaRow
from rng_service.ledger.sequencing import append_entry
from rng_service.log_entries import PoolActivate
from rng_service.pools.lifecycle import Activation, Event, State, next_activation
from rng_service.sequencer.approval import may_be_sold
from rng_service.sequencer.context import Context, LedgerRow, get_meta, move_pool, pools_in
from rng_service.sequencer.proofs import PublishedLog
from rng_service.sequencer.publication import cover_key
from rng_service.sequencer.rounds import RoundSource
from rng_service.sequencer.source_watch import ENTROPY_FAILED, POOL_SUSPECT, watch_source
from rng_service.vault.errors import VaultRefusedError

__all__ = ["enable_activated", "overdue_pools", "write_activations"]


def write_activations(context: Context, rounds: RoundSource) -> int:
    """Queue pool.activate for every committed pool whose round has come; return how many."""
    written = 0
    with context.reading() as connection:
        waiting = pools_in(connection, State.COMMITTED)
    for pool in waiting:
        signature = None
        if pool.beacon_round is not None:
            signature = _round(context, rounds, pool)
            if signature is None:
                continue
        now_us = context.clock_us()
        if _decide(context, pool, now_us, known=signature is not None) is Activation.ACTIVATE:
            written += _write(context, pool, signature, now_us)
    return written


def overdue_pools(context: Context) -> list[int]:
    """Return the committed pools whose round did not come by their deadline."""
    now_us = context.clock_us()
    with context.reading() as connection:
        waiting = pools_in(connection, State.COMMITTED)
    return [pool.id for pool in waiting if _decide(context, pool, now_us, known=False) is Activation.THROW_AWAY]


def enable_activated(context: Context) -> int:
    """Let the vault open slots of pools whose activation is published, then let them be drawn from."""
    enabled = 0
    log = None
    with context.reading() as connection:
        coming = pools_in(connection, State.SEALED, State.COMMITTED, State.TESTING, State.ACTIVATING)
    held: set[tuple[int, int]] = set()
    for pool in sorted(coming, key=lambda pool: (pool.stream_id, pool.lane, pool.number)):
        lane = pool.stream_id, pool.lane
        if lane in held:
            continue
        if pool.state != State.ACTIVATING or not _published(pool):
            # Pools of a lane are used in number order: one whose round came early waits for those before it.
            held.add(lane)
            continue
        if not may_be_sold(context, pool):
            held.add(lane)
            continue
        log = log or PublishedLog(context)
        if not _activate(context, log, pool):
            held.add(lane)
            continue
        # A crash right here leaves a pool that the vault would open and that nobody draws from: asked again, the
        # vault says yes again.
        context.on_step("activate.vault")
        with context.writing() as connection:
            connection.execute(delete(MetaRow).where(MetaRow.key == cover_key(pool.id)))
            enabled += move_pool(connection, pool.id, Event.VAULT_ENABLED)
        # From this commit on the front draws from it.
        context.on_step("activate.enabled")
    return enabled


def _activate(context: Context, log: PublishedLog, pool: LedgerRow) -> bool:
    """Ask the vault; False while its entropy source has failed, or failed around the sealing of this pool."""
    try:
        context.vault.activate_pool(
            pool.pool_id,
            log.prove(bytes(pool.commit_entry), pool.commit_index),
            log.prove(bytes(pool.activate_entry), pool.activate_index),
            None if pool.test_plan is None else log.prove(bytes(pool.test_entry), pool.test_index),
        )
    except VaultRefusedError as error:
        if error.reason not in {ENTROPY_FAILED, POOL_SUSPECT}:
            raise
        watch_source(context, context.vault.get_state().entropy)
        return False
    return True


def _published(pool: LedgerRow) -> bool:
    """Return whether everything that must stand in the log before the first draw is published."""
    tested = pool.test_plan is None or pool.test_index is not None
    return tested and pool.commit_index is not None and pool.activate_index is not None


def _decide(context: Context, pool: LedgerRow, now_us: int, *, known: bool) -> Activation:
    opens_us = None
    if pool.beacon_round is not None and context.chain is not None:
        opens_us = context.chain.time_of(pool.beacon_round)
    return next_activation(now_us=now_us, deadline_us=pool.deadline_us, opens_us=opens_us, round_known=known)


def _round(context: Context, rounds: RoundSource, pool: LedgerRow) -> bytes | None:
    """Return the signature of exactly the round that the commitment names, from the archive or the relays."""
    chain, number = context.chain, pool.beacon_round
    if chain is None or bytes(pool.beacon_chain) != chain.chain_hash:
        context.warnings.append(f"{pool.pool_id} waits for a chain that is no longer configured")
        return None
    with context.reading() as connection:
        archived = _archived(connection, chain.chain_hash, number)
    if archived is not None:
        return archived
    if _decide(context, pool, context.clock_us(), known=False) is not Activation.ASK_BEACON:
        return None
    signature = rounds.signature(number)
    if signature is None:
        return None
    try:
        verify_round(chain, number, signature)
    except VerificationError as error:
        context.warnings.append(str(error))
        return None
    with context.writing() as connection:
        if _archived(connection, chain.chain_hash, number) is None:
            connection.execute(insert(BeaconRoundRow).values(chain=chain.chain_hash, round=number, signature=signature))
    return signature


def _archived(connection: Connection, chain: bytes, number: int) -> bytes | None:
    found = connection.scalars(
        select(BeaconRoundRow.signature).where(BeaconRoundRow.chain == chain, BeaconRoundRow.round == number)
    ).one_or_none()
    return None if found is None else bytes(found)


def _write(context: Context, pool: LedgerRow, signature: bytes | None, now_us: int) -> bool:
    with context.writing() as connection:
        note = get_meta(connection, cover_key(pool.id))
        if note is None or pool.commit_index is None:
            return False
        entry = PoolActivate(
            origin=context.origin,
            time_us=now_us,
            pool=pool.pool_id,
            commit_index=pool.commit_index,
            commit=leaf_hash(bytes(pool.commit_entry)),
            checkpoint=bytes.fromhex(note),
            beacon_signature=signature,
            beacon_value=None if signature is None else beacon_value(signature),
        )
        event = Event.ACTIVATION_WRITTEN if pool.test_plan is None else Event.TEST_DUE
        moved = move_pool(connection, pool.id, event, activate_entry=entry.to_bytes())
        if moved:
            append_entry(connection, entry)
    # A crash right here leaves an activation in the queue of the log; the vault opens nothing before it is published.
    context.on_step("activate.recorded")
    return moved
