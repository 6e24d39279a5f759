"""Recovery: what cannot be reconciled is burned in the open.

`sealdraw recover` prints what `inspect` finds; with consent it calls `burn`, and `rebuild.rebuild_public` for a public
directory that is not complete. Neither invents anything: what is given up is named by incidents in the log.
"""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, select, update

from anchor.note import VerifierKey
from anchor.reader import LogReader
from anchor.source import DirectorySource
from rng_service.ledger.models import PoolRow
from rng_service.ledger.sequencing import append_entry
from rng_service.log_entries import Incident
from rng_service.pools.lifecycle import Event, State
from rng_service.sequencer.context import Context, move_pool, pools_in
from rng_service.sequencer.disposal import announce
from rng_service.sequencer.inspection import Finding, Remedy
from rng_service.sequencer.journal_marks import JournalMark, reset_journal_mark
from rng_service.sequencer.voiding import VoidRun, bind_voids
from rng_service.vault.client import VaultClient

__all__ = ["burn", "fast_forward"]


def burn(context: Context, findings: Sequence[Finding]) -> list[str]:
    """Stop every pool that ``findings`` concern, say so in the log, and accept the vault's journal as it is now.

    One transaction: afterwards the same findings are not made again. Returns the names of the pools. The caller leads
    (its lease is in ``context``) and has the operator's consent.
    """
    burning = [finding for finding in findings if finding.remedy is Remedy.BURN]
    if not burning:
        return []
    if any(finding.kind == "vault-restored" for finding in burning):
        fast_forward(context.vault, context.config.public_dir)
    state = context.vault.get_state()
    lost: dict[str, list[Finding]] = {}
    for finding in burning:
        if finding.pool is not None:
            lost.setdefault(finding.pool, []).append(finding)
    with context.writing() as connection:
        stopped = [_halt(context, connection, pool, found) for pool, found in sorted(lost.items())]
        if any(finding.kind == "vault-restored" for finding in burning):
            stopped += _stop_everything(context, connection)
        reset_journal_mark(connection, JournalMark(state.journal_sequence, state.journal_head))
    return sorted(set(stopped))


def fast_forward(vault: VaultClient, directory: Path) -> int:
    """Bring an older vault's mark up to the published checkpoint, if that continues what it signed; return its size.

    The vault checks the consistency proof itself, so this cannot give it another history. Raises what
    `anchor.reader.LogReader` raises, and VaultRefusedError.
    """
    state = vault.get_state()
    reader = LogReader(DirectorySource(directory), VerifierKey.parse(state.log_vkey))
    published = reader.checkpoint()
    if published.size > state.checkpoint_size:
        proof = reader.consistency_proof(state.checkpoint_size)
        # A crash right here changes nothing; afterwards the vault's mark is what everybody has seen.
        vault.sign_checkpoint(published.size, published.root, proof, state.checkpoint_size)
    return published.size


def _halt(context: Context, connection: Connection, name: str, found: Sequence[Finding]) -> str:
    """Stop one pool of which the vault opened slots that the ledger does not know.

    The free slots before the first of those become void; that one and all behind it cannot be accounted for.
    """
    for finding in found:
        append_entry(
            connection,
            Incident(
                origin=context.origin,
                time_us=context.clock_us(),
                kind="binding-lost",
                reason="ledger-restored",
                pool=name,
                slot=finding.slot,
                slots=finding.slots,
            ),
        )
    pool = connection.execute(select(PoolRow.__table__).where(PoolRow.pool_id == name)).one_or_none()
    if pool is None or State(pool.state) not in {State.ACTIVE, State.QUARANTINED}:
        return name
    first_lost = min(finding.slot for finding in found if finding.slot is not None)
    end = max(pool.next_slot, first_lost)
    announce(context, connection, pool, from_slot=pool.next_slot, reason="recovered")
    connection.execute(
        update(PoolRow).where(PoolRow.id == pool.id).values(next_slot=end, state=State.HALTED.value, reason="recovered")
    )
    if end > pool.next_slot:
        run = VoidRun(pool.id, name, pool.next_slot, end - pool.next_slot, "recovered")
        bind_voids(context, connection, [run])
    return name


def _stop_everything(context: Context, connection: Connection) -> list[str]:
    append_entry(
        connection,
        Incident(
            origin=context.origin, time_us=context.clock_us(), kind="vault-restored", reason="older-vault-journal"
        ),
    )
    coming = pools_in(connection, State.SEALED, State.COMMITTED, State.ACTIVATING, State.ACTIVE)
    return [
        str(pool.pool_id) for pool in coming if move_pool(connection, pool.id, Event.QUARANTINE, reason="recovered")
    ]
