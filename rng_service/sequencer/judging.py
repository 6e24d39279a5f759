"""Judging: an activated pool whose commitment names a test plan is tested by the vault before its first draw.

The vault's verdict goes into the log, pass or fail. With a pass the pool goes on to be used, once the entry is
published; with a fail it is quarantined in the same transaction, opened to the public, and never drawn from.
"""

from typing import Final, NamedTuple

from sealdraw.vault.v1 import vault_pb2
from sqlalchemy import Connection, select, update

from rng_service.ledger.documents import read_document
from rng_service.ledger.models import GameRow, PoolRow, StreamRow
from rng_service.ledger.pool_tests import PASS, count_pool_tests
from rng_service.ledger.sequencing import append_entry
from rng_service.log_entries import Incident, PoolTest
from rng_service.pools.lifecycle import Event, State
from rng_service.public_files import plan_path
from rng_service.sequencer.announcing import announce
from rng_service.sequencer.context import Context, LedgerRow, move_pool, pools_in
from rng_service.sequencer.keys import announce_receipt_keys
from rng_service.sequencer.proofs import PublishedLog
from rng_service.vault.errors import VaultRefusedError

__all__ = ["FAILED", "UNTESTABLE", "judge_activated"]

FAILED: Final = "test-failed"
"""The reason of the quarantine of a pool that failed its test."""
UNTESTABLE: Final = "test-refused"
"""The reason of the quarantine of a pool that the vault does not test: it is not drawn from untested."""

# Refusals that say nothing about the pool: somebody else has one tested, or the vault's history is another one.
_BUSY: Final = "test-busy"
_UNPROVEN: Final = frozenset({"commit-unproven", "activation-unproven"})

# A pool of so many slots takes the vault half a second, and digests wait for it: one such pool a step, or many small.
_SLOTS_A_STEP: Final = 65_536


class _Documents(NamedTuple):
    """What the vault needs beside its own pool: the plan and the game, as their digests in the commitment say."""

    plan: bytes
    definition: bytes


def judge_activated(context: Context) -> int:
    """Have the vault test pools whose activation is published, the oldest first; return how many were dealt with.

    What is left for the next step loses nothing: pools are sealed that far ahead of their use.
    """
    with context.reading() as connection:
        waiting = [pool for pool in pools_in(connection, State.TESTING) if pool.activate_index is not None]
    judged = slots = 0
    log = PublishedLog(context) if waiting else None
    for pool in waiting:
        if log is None or (judged and slots + pool.size > _SLOTS_A_STEP):
            break
        _judge(context, log, pool)
        judged, slots = judged + 1, slots + pool.size
    return judged


def _judge(context: Context, log: PublishedLog, pool: LedgerRow) -> None:
    with context.reading() as connection:
        documents = _documents(connection, pool)
    try:
        answer = context.vault.test_pool(
            pool.pool_id,
            log.prove(bytes(pool.commit_entry), pool.commit_index),
            log.prove(bytes(pool.activate_entry), pool.activate_index),
            plan=documents.plan,
            definition=documents.definition,
        )
    except VaultRefusedError as error:
        if error.reason == _BUSY:
            return
        if error.reason in _UNPROVEN:
            raise
        _refuse(context, pool, error)
        return
    # A crash right here leaves a verdict that nobody knows: asked again, the vault finds the same.
    context.on_step("test.vault")
    announce_receipt_keys(context, {answer.key_id})
    _record(context, pool, answer)


def _documents(connection: Connection, pool: LedgerRow) -> _Documents:
    definition = connection.scalars(
        select(GameRow.definition)
        .join(StreamRow, StreamRow.game_id == GameRow.id)
        .where(StreamRow.id == pool.stream_id)
    ).one()
    return _Documents(read_document(connection, plan_path(bytes(pool.test_plan))), bytes(definition))


def _record(context: Context, pool: LedgerRow, answer: vault_pb2.TestPoolResponse) -> None:
    passed = answer.verdict == PASS
    entry = PoolTest(
        origin=context.origin,
        time_us=context.clock_us(),
        pool=pool.pool_id,
        plan=bytes(pool.test_plan),
        verdict=answer.verdict,
        test=answer.test or None,
        key_id=bytes.fromhex(answer.key_id),
        signature=answer.signature,
    )
    with context.writing() as connection:
        # An operator may have stopped the pool meanwhile. Its verdict stands in the log all the same, and no pool has
        # two of them.
        recorded = connection.execute(
            update(PoolRow)
            .where(
                PoolRow.id == pool.id,
                PoolRow.test_entry.is_(None),
                PoolRow.state.in_([State.TESTING.value, State.QUARANTINED.value]),
            )
            .values(test_entry=entry.to_bytes(), test_verdict=entry.verdict)
        )
        if recorded.rowcount != 1:
            return
        append_entry(connection, entry)
        if passed:
            move_pool(connection, pool.id, Event.TEST_PASSED)
        else:
            _stop_failed(context, connection, pool, entry)
    # A crash before the commit leaves a pool that is tested again, with the same verdict; after it, entries that wait
    # in the queue of the log, and a pool that cannot be used before they are published.
    context.on_step("test.recorded")


def _stop_failed(context: Context, connection: Connection, pool: LedgerRow, entry: PoolTest) -> None:
    """Quarantine the whole pool behind its verdict, and say aloud when failures are more than chance explains."""
    move_pool(connection, pool.id, Event.QUARANTINE, reason=FAILED)
    announce(context, connection, pool, from_slot=0, reason=FAILED)
    context.warnings.append(
        f"pool.test: {pool.pool_id} failed {entry.test}: it is quarantined, opened to the public, and never drawn from"
    )
    rate = count_pool_tests(connection)
    if rate.alarm:
        append_entry(
            connection,
            Incident(
                origin=context.origin,
                time_us=context.clock_us(),
                kind="pool-test-rate",
                reason="beyond-bound",
                pool=pool.pool_id,
            ),
        )
        context.warnings.append(
            f"pool-test-rate: {rate.failed} of {rate.passed + rate.failed} pools failed their tests; that has a chance "
            f"of at most 2^{rate.log2_p_value:.1f} when nothing is wrong. Find the cause before more is drawn"
        )


def _refuse(context: Context, pool: LedgerRow, error: VaultRefusedError) -> None:
    """Give up a pool that the vault does not test: it is opened like any other that is stopped unused."""
    context.warnings.append(f"pool.test: {pool.pool_id} cannot be tested and is not drawn from: {error}")
    with context.writing() as connection:
        if not move_pool(connection, pool.id, Event.QUARANTINE, reason=UNTESTABLE):
            return
        append_entry(
            connection,
            Incident(
                origin=context.origin,
                time_us=context.clock_us(),
                kind="pool-untested",
                reason=error.reason,
                pool=pool.pool_id,
            ),
        )
        announce(context, connection, pool, from_slot=0, reason=UNTESTABLE)
    context.on_step("test.recorded")
