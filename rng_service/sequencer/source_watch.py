"""The vault's entropy source: when it fails, that is said in the log, and what it may have spoiled is given up.

The vault itself makes no key from then on, and activates nothing that was sealed since the last good test. Everything
else goes on: draws from pools that are in use, digests, closing.
"""

from typing import Final

from sealdraw.vault.v1 import vault_pb2
from sqlalchemy import Connection

from anchor.errors import MalformedError
from rng_service.ledger.sequencing import append_entry
from rng_service.log_entries import Incident
from rng_service.names import check_reason
from rng_service.pools.lifecycle import Event, State, sources
from rng_service.sequencer.announcing import announce
from rng_service.sequencer.context import Context, LedgerRow, get_meta, known_pools, move_pool, set_meta

__all__ = ["ENTROPY_FAILED", "POOL_SUSPECT", "watch_source"]

ENTROPY_FAILED: Final = "entropy-failed"
"""With this reason the vault refuses whatever needs a new key."""
POOL_SUSPECT: Final = "pool-suspect"
"""With this reason the vault refuses a pool that was sealed since the last good test of the source."""

_SUSPECT: Final = "entropy-suspect"
_KNOWN_FAILURES: Final = "entropy-failures"


def watch_source(context: Context, entropy: vault_pb2.EntropyState) -> int:
    """Queue an incident for every failure that the log does not know, and stop the suspects; return how many entries.

    ``entropy`` is what the vault's state says. Stopped pools are opened to the public like any other.
    """
    if not entropy.failures:
        return 0
    with context.reading() as connection:
        known = _known_failures(connection)
        suspects = _unstopped(connection, entropy)
    if known >= entropy.failures and not suspects:
        return 0
    written = 0
    with context.writing() as connection:
        if _known_failures(connection) < entropy.failures:
            set_meta(connection, _KNOWN_FAILURES, str(entropy.failures))
            _write_incident(context, connection, entropy)
            written += 1
        for pool in suspects:
            if move_pool(connection, pool.id, Event.QUARANTINE, reason=_SUSPECT):
                announce(context, connection, pool, from_slot=pool.next_slot, reason=_SUSPECT)
                written += 1
    # A crash before the commit leaves what the next look finds again; after it, entries in the queue of the log.
    context.on_step("source.recorded")
    return written


def _known_failures(connection: Connection) -> int:
    return int(get_meta(connection, _KNOWN_FAILURES) or 0)


def _unstopped(connection: Connection, entropy: vault_pb2.EntropyState) -> list[LedgerRow]:
    stoppable = sources(Event.QUARANTINE)
    return [pool for pool in known_pools(connection, entropy.suspect_pools) if State(pool.state) in stoppable]


def _write_incident(context: Context, connection: Connection, entropy: vault_pb2.EntropyState) -> None:
    # A vault that was restarted since knows the failure from its journal, and no longer which test it was.
    try:
        reason = check_reason(entropy.failed_test)
    except MalformedError:
        reason = "health-test"
    append_entry(
        connection,
        Incident(origin=context.origin, time_us=context.clock_us(), kind=ENTROPY_FAILED, reason=reason),
    )
    context.warnings.append(
        f"entropy-failed: {entropy.failure or 'the entropy source failed before the vault was restarted'}; "
        f"{len(entropy.suspect_pools)} pools that were sealed since its last good test are never drawn from"
    )
