"""Recovery: what cannot be reconciled is burned in the open.

`sealdraw recover` prints what `inspect` finds; with consent it calls `burn`, and `rebuild.rebuild_public` for a public
directory that is not complete. Neither invents anything: what is given up is named by incidents in the log, and an
older vault is shown nothing but what the ledger has bound already.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sealdraw.vault.v1 import vault_pb2
from sqlalchemy import Connection, select, update

from anchor.note import VerifierKey
from anchor.reader import LogReader
from anchor.source import DirectorySource
from rng_service.ledger.models import TICKET_OPEN, TICKET_VOID, PoolRow, TicketRow
from rng_service.ledger.sequencing import append_entry
from rng_service.log_entries import Incident
from rng_service.pools.lifecycle import Event, State
from rng_service.sequencer.announcing import announce
from rng_service.sequencer.context import Context, LedgerRow, move_pool, pools_in
from rng_service.sequencer.digests import bound_slots
from rng_service.sequencer.groups import read_groups, unclaimed_groups
from rng_service.sequencer.inspection import UNFINISHED, Finding, Remedy
from rng_service.sequencer.journal_marks import JournalMark, reset_journal_mark
from rng_service.sequencer.refusals import admit_refusal
from rng_service.sequencer.replay import Replayed, replay
from rng_service.sequencer.voiding import VoidRun, bind_voids
from rng_service.vault.client import VaultClient

__all__ = ["Burned", "burn", "fast_forward"]

# No limit: one row of two short fields each, and nothing else runs.
_EVERY_GROUP: Final = 2**31


@dataclass(frozen=True, slots=True)
class Burned:
    """The pools that were stopped, sorted; and what an older vault was shown again, None where there was none."""

    stopped: list[str]
    replayed: Replayed | None = None


def burn(context: Context, findings: Sequence[Finding]) -> Burned:
    """Stop every pool that ``findings`` concern, say so in the log, and accept the vault's journal as it is then.

    An older vault is first brought up to the ledger as far as it has the keys (`replay`). What it cannot be brought
    up to is halted: pools whose keys it does not have, and those in which it holds other bindings. The rest are opened
    to the end and close like any other. The caller leads (its lease is in ``context``) and has the operator's consent.
    """
    burning = [finding for finding in findings if finding.remedy is Remedy.BURN]
    if not burning:
        return Burned([])
    replayed = None
    if any(finding.kind == "vault-restored" for finding in burning):
        fast_forward(context.vault, context.config.public_dir)
        # A crash from here to the commit below leaves a vault whose journal is not the one that the ledger knows: it is
        # found again, and all of this is done again.
        replayed = replay(context)
    state = context.vault.get_state()
    lost: dict[str, list[Finding]] = {}
    for finding in burning:
        if finding.pool is not None:
            lost.setdefault(finding.pool, []).append(finding)
    # One transaction: afterwards the same findings are not made again.
    with context.writing() as connection:
        stopped = [_halt(context, connection, pool, found) for pool, found in sorted(lost.items())]
        if replayed is not None:
            stopped += _stop_everything(context, connection, replayed, state)
        reset_journal_mark(connection, JournalMark(state.journal_sequence, state.journal_head))
    return Burned(sorted(set(stopped)), replayed)


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


def _stop_everything(
    context: Context, connection: Connection, replayed: Replayed, state: vault_pb2.GetStateResponse
) -> list[str]:
    """Stop every pool that is in use or on its way, and give up those that the vault cannot open to the end."""
    known = {pool.pool_id for pool in state.pools}
    receipt_keys = {key.key_id for key in state.receipt_keys}
    append_entry(
        connection,
        Incident(
            origin=context.origin, time_us=context.clock_us(), kind="vault-restored", reason="older-vault-journal"
        ),
    )
    given_up = {}
    for error in replayed.refused:
        admit_refusal(context, connection, error)
        given_up[error.record.pool] = error.reason
    given_up.update(
        {pool.id: "unknown-pool" for pool in pools_in(connection, *UNFINISHED) if pool.pool_id not in known}
    )
    given_up.update(_held_back(connection, given_up, receipt_keys))
    rows = connection.execute(select(PoolRow.__table__).where(PoolRow.id.in_(sorted(given_up)))).all()
    stopped = [pool.pool_id for pool in rows if _give_up(context, connection, pool, given_up[pool.id])]
    coming = pools_in(connection, State.SEALED, State.COMMITTED, State.TESTING, State.ACTIVATING, State.ACTIVE)
    return stopped + [
        str(pool.pool_id) for pool in coming if move_pool(connection, pool.id, Event.QUARANTINE, reason="recovered")
    ]


def _held_back(connection: Connection, given_up: Collection[int], receipt_keys: Collection[str]) -> dict[int, str]:
    """Return further pools that have slots in groups which can join no digest any more, each with the reason.

    A group joins as a whole: one of a lost receipt key, or with a slot of a pool that is given up, never does, and its
    slots in other pools keep those from ever being complete. So does every group behind it in those pools.
    """
    found: dict[int, str] = {}
    waiting = unclaimed_groups(connection, limit=_EVERY_GROUP)
    for group in read_groups(connection, waiting):
        touched = {record.pool for record in group.records if record.kind != "settle"}
        if group.key_id not in receipt_keys:
            reason = "receipt-key-gone"
        elif not touched.isdisjoint(given_up) or not touched.isdisjoint(found):
            reason = "group-held-back"
        else:
            continue
        found.update({pool: reason for pool in touched if pool not in given_up and pool not in found})
    return found


def _give_up(context: Context, connection: Connection, pool: LedgerRow, reason: str) -> bool:
    """Halt a pool that can never be opened to the end, and say so: it is not drawn from, and never closes.

    Its tickets end without a void, for that would open a slot.
    """
    # Whatever stands in no digest yet may never do; the next pool of the lane need not wait for it.
    (end,) = bound_slots(connection, [pool.id]).values()
    if not move_pool(connection, pool.id, Event.UNACCOUNTABLE, reason="recovered"):
        return False
    append_entry(
        connection,
        Incident(
            origin=context.origin,
            time_us=context.clock_us(),
            kind="pool-unopenable",
            reason=reason,
            pool=pool.pool_id,
        ),
    )
    if pool.state != State.CLOSED:
        announce(context, connection, pool, from_slot=end, reason="recovered")
    connection.execute(
        update(TicketRow).where(TicketRow.pool_id == pool.id, TicketRow.state == TICKET_OPEN).values(state=TICKET_VOID)
    )
    return True
