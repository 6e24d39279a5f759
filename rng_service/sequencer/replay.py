"""Replay: an older vault is shown again what the ledger has bound since, so that its journal has all of it once more.

Nothing new comes out of this. A pool is active in the vault only after proof that its activation is in the log, each
slot is bound to the very binding that it was opened for before, and what was opened for it then is opened again. Every
question gets the same answer when it is asked again, so that after a crash all of it is simply done once more.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from rng_service.ledger.models import POSITION_BITS
from rng_service.pools.lifecycle import State
from rng_service.sequencer.context import Context, LedgerRow, known_pools
from rng_service.sequencer.groups import StoredRecord, records_of_pool, ticket_bindings
from rng_service.sequencer.opening import OpeningRefusedError, as_opening
from rng_service.sequencer.proofs import PublishedLog
from rng_service.vault.errors import VaultRefusedError

__all__ = ["Replayed", "replay"]

_RECORDS_AT_ONCE: Final = 1_000
# One record has at most 16,384 slots; the vault's own limit for a call is four times that.
_SLOTS_AT_ONCE: Final = 32_768
_ENDED: Final = frozenset({"void", "erased"})


@dataclass(slots=True)
class Replayed:
    """What a replay did: how many bindings the vault was shown, and the pools that it ended again.

    ``refused`` has, for each pool in which the vault holds another binding than the ledger, the first such record.
    """

    bindings: int = 0
    ended: list[str] = field(default_factory=list)
    refused: list[OpeningRefusedError] = field(default_factory=list)


def replay(context: Context) -> Replayed:
    """Show the vault what the ledger has bound in every pool that it knows, then end the pools that are ended.

    The vault's mark must have reached the published checkpoint (`recovery.fast_forward`). Pools whose keys the vault
    does not have are left out; so are those that it has ended itself. Raises VaultRefusedError when it will not end a
    pool of which it accepted every binding.
    """
    done = Replayed()
    log = PublishedLog(context)
    states = {pool.pool_id: pool.state for pool in context.vault.get_state().pools}
    open_pools = [name for name, state in states.items() if state not in _ENDED]
    with context.reading() as connection:
        pools = known_pools(connection, open_pools)
    for pool in pools:
        if pool.next_slot and pool.activate_index is not None:
            _activate(context, log, pool)
            refused = _bind(context, pool, done)
            if refused is not None:
                done.refused.append(refused)
                continue
        if _end(context, log, pool):
            done.ended.append(pool.pool_id)
    return done


def _activate(context: Context, log: PublishedLog, pool: LedgerRow) -> None:
    # Where the vault refuses this it refuses each of the bindings too, and those are what is reported.
    with suppress(VaultRefusedError):
        context.vault.activate_pool(
            pool.pool_id,
            log.prove(bytes(pool.commit_entry), pool.commit_index),
            log.prove(bytes(pool.activate_entry), pool.activate_index),
            None if pool.test_index is None else log.prove(bytes(pool.test_entry), pool.test_index),
        )


def _bind(context: Context, pool: LedgerRow, done: Replayed) -> OpeningRefusedError | None:
    """Show the vault the pool's bindings in slot order, a ticket before what became of it; return the first refusal."""
    first: OpeningRefusedError | None = None
    for records in _parts(context, pool.id):
        with context.reading() as connection:
            tickets = ticket_bindings(connection, records)
        answer = context.vault.open_group([as_opening(item, pool.pool_id, tickets) for item in records], sign=False)
        # A crash right here leaves a vault that knows these bindings and not yet the next: it is shown all again.
        context.on_step("replay.opened")
        for record, result in zip(records, answer.results, strict=True):
            if not result.refused:
                done.bindings += 1
            elif first is None:
                first = OpeningRefusedError(record.id >> POSITION_BITS, record, pool.pool_id, result.refused)
    return first


def _parts(context: Context, pool: int) -> Iterator[list[StoredRecord]]:
    """Yield the pool's records in calls that are small enough for the vault."""
    after = (-1, 0)
    while True:
        with context.reading() as connection:
            page = records_of_pool(connection, pool, after=after, limit=_RECORDS_AT_ONCE)
        if not page:
            return
        part: list[StoredRecord] = []
        slots = 0
        for _, record in page:
            if part and slots + record.slots > _SLOTS_AT_ONCE:
                yield part
                part, slots = [], 0
            part.append(record)
            slots += record.slots
        yield part
        after = page[-1][0]


def _end(context: Context, log: PublishedLog, pool: LedgerRow) -> bool:
    """Let the vault end a pool whose end is in the log: a key that was destroyed is destroyed again."""
    if pool.state == State.ERASED:
        context.vault.erase_pool(pool.pool_id)
    elif pool.state == State.VOID:
        # Everybody has this key. The vault gives it again, and binds nothing under it from now on.
        context.vault.void_pool(pool.pool_id, log.prove(bytes(pool.commit_entry), pool.commit_index))
    else:
        return False
    # A crash right here leaves a key that is gone once more; the vault then counts the pool as ended.
    context.on_step("replay.ended")
    return True
