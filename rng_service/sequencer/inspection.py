"""Do ledger, vault and public directory belong together? Asked at every start, and by `sealdraw recover`.

Each of the three can be restored from an older copy on its own. What the sequencer would then do (give log places
twice, open slots for other bindings) breaks promises that cannot be mended, so it refuses, and says what to do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Final

from sealdraw.vault.v1 import vault_pb2
from sqlalchemy import Connection, Engine, select

from anchor.checkpoint import open_checkpoint
from anchor.edge import load_edge
from anchor.errors import AnchorError
from anchor.note import VerifierKey
from anchor.reader import LogReader
from anchor.source import DirectorySource
from rng_service.config import Config
from rng_service.ledger.engine import reading
from rng_service.ledger.models import FAMILY_FINAL, FAMILY_TICKET, PoolRow, RecordRow
from rng_service.ledger.sequencing import indexed_entries, next_index
from rng_service.pools.lifecycle import State
from rng_service.records.record import binding_hash
from rng_service.sequencer.context import get_meta, known_pools, pools_in
from rng_service.sequencer.genesis import check_promises
from rng_service.sequencer.journal_marks import JournalMark, journal_mark
from rng_service.vault.client import VaultClient

__all__ = ["UNFINISHED", "Finding", "Remedy", "inspect", "inspect_openings", "refusal"]

# As many of the newest entries are compared byte by byte; the root covers the rest.
_TAIL = 4_096
_MOST_FINDINGS = 1_000
_ENTRIES_AT_ONCE = 2_000
# States of a pool whose key the vault still needs.
UNFINISHED: Final = (
    State.SEALED,
    State.COMMITTED,
    State.TESTING,
    State.ACTIVATING,
    State.ACTIVE,
    State.QUARANTINED,
    State.CLOSED,
)


class Remedy(StrEnum):
    """What can be done about a finding."""

    CONFIGURE = "configure"  # the setting is wrong
    RESTORE = "restore"  # a newer copy of the part that is named must be put back
    REBUILD = "rebuild"  # `sealdraw recover` makes the public directory again from the ledger
    BURN = "burn"  # `sealdraw recover --yes` stops the pools concerned and says so in the log


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not belong together; ``pool``, ``slot`` and ``slots`` where it concerns those."""

    kind: str
    message: str
    remedy: Remedy
    pool: str | None = None
    slot: int | None = None
    slots: int | None = None


def inspect(config: Config, engine: Engine, vault: VaultClient) -> list[Finding]:
    """Return what does not belong together; nothing is changed. The vault must run, the sequencer must not."""
    state = vault.get_state()
    with reading(engine) as connection:
        findings = list(_identity(config, state, connection))
        if findings:
            # Comparing anything further would compare two different services.
            return findings
        findings += _log(config, state, connection)
        findings += _pools(state, connection)
        mark = journal_mark(connection)
    findings += _journal(state, mark, vault)
    if not any(finding.kind == "vault-restored" for finding in findings):
        findings += _bindings(vault, mark, engine)
    return findings


def inspect_openings(engine: Engine, vault: VaultClient) -> list[Finding]:
    """Return in what ledger and vault disagree about slots; for fronts, beside a sequencer and others at work.

    What grows is read in the order in which it grows the other way round, so that work in between is not taken for a
    difference: the ledger's mark before the vault's journal, the vault's state before the ledger's log.
    """
    with reading(engine) as connection:
        mark = journal_mark(connection)
    state = vault.get_state()
    with reading(engine) as connection:
        findings = list(_ledger_behind(state, connection))
    findings += _journal(state, mark, vault)
    return findings or list(_bindings(vault, mark, engine))


def refusal(findings: Sequence[Finding]) -> str:
    """Return the line with which a process refuses to start: the first finding, and what to do about it."""
    first, more = findings[0], len(findings) - 1
    what = {
        Remedy.CONFIGURE: "correct the setting",
        Remedy.RESTORE: "put the newest copy back",
        Remedy.REBUILD: "run `sealdraw recover`",
        Remedy.BURN: "run `sealdraw recover`",
    }[first.remedy]
    rest = f" (and {more} more; `sealdraw recover` lists them)" if more else ""
    return f"{first.kind}: {first.message}; {what}{rest}"


def _identity(config: Config, state: vault_pb2.GetStateResponse, connection: Connection) -> Iterator[Finding]:
    origin = config.service.origin
    if state.origin != origin:
        yield Finding("origin", f"the vault is of {state.origin!r}, service.origin says {origin!r}", Remedy.CONFIGURE)
    known = get_meta(connection, "origin")
    if known is not None and known != origin:
        yield Finding("origin", f"the ledger is of {known!r}, service.origin says {origin!r}", Remedy.CONFIGURE)
    key = get_meta(connection, "log_key")
    if key is not None and key != state.log_vkey:
        yield Finding(
            "log-key", f"the ledger's log is signed by {key}, the vault signs with {state.log_vkey}", Remedy.RESTORE
        )
    broken = check_promises(config, connection)
    if broken is not None:
        yield Finding("promise", broken, Remedy.CONFIGURE)


def _log(config: Config, state: vault_pb2.GetStateResponse, connection: Connection) -> Iterator[Finding]:
    size = state.checkpoint_size
    behind = list(_ledger_behind(state, connection))
    if behind:
        yield from behind
        return
    published = _published_size(config, state)
    if published > size:
        yield Finding(
            "vault-restored",
            f"the vault last signed {size} log entries, {published} are published: it is an older copy; "
            "restore the newest one, or burn the pools it could open twice",
            Remedy.BURN,
        )
        return
    if not size:
        return
    try:
        found = load_edge(config.public_dir, size).root()
    except (AnchorError, OSError) as error:
        yield Finding("public-behind", f"the public directory is not complete: {error}", Remedy.REBUILD)
        return
    if found != state.checkpoint_root:
        yield Finding(
            "public-differs",
            f"the tiles for {size} entries fold to {found.hex()}, the vault signed {state.checkpoint_root.hex()}",
            Remedy.REBUILD,
        )
        return
    yield from _tail(config, state, connection)


def _pools(state: vault_pb2.GetStateResponse, connection: Connection) -> Iterator[Finding]:
    """Yield what an older vault shows even where its journal and its mark do not: keys too few, or too many."""
    keys = {pool.pool_id for pool in state.pools}
    lost = [pool.pool_id for pool in pools_in(connection, *UNFINISHED) if pool.pool_id not in keys]
    if lost:
        yield Finding(
            "vault-restored",
            f"the vault does not have the key of {lost[0]}{_and_more(lost)}: it is an older copy; restore the newest "
            "one, or burn the pools that it cannot open",
            Remedy.BURN,
        )
    open_keys = [pool.pool_id for pool in state.pools if pool.state not in {"void", "erased"}]
    ended = [pool.pool_id for pool in known_pools(connection, open_keys) if pool.state in {State.VOID, State.ERASED}]
    if ended:
        yield Finding(
            "vault-restored",
            f"the vault still has the key of {ended[0]}{_and_more(ended)}, which has ended in the log: it is an older "
            "copy; restore the newest one, or burn the pools it could open twice",
            Remedy.BURN,
        )


def _and_more(pools: Sequence[str]) -> str:
    return f" (and {len(pools) - 1} more)" if len(pools) > 1 else ""


def _ledger_behind(state: vault_pb2.GetStateResponse, connection: Connection) -> Iterator[Finding]:
    size, indexed = state.checkpoint_size, next_index(connection)
    if indexed < size:
        yield Finding(
            "ledger-restored",
            f"the vault has signed {size} log entries, the ledger knows {indexed}: it is an older copy; "
            "restore the newest one, for receipts since then are in no other place",
            Remedy.RESTORE,
        )


def _published_size(config: Config, state: vault_pb2.GetStateResponse) -> int:
    try:
        note = (config.public_dir / "checkpoint").read_bytes()
        return open_checkpoint(note, VerifierKey.parse(state.log_vkey)).size
    except (AnchorError, OSError):
        # Nothing is published yet, or not by this key: the tiles are compared with the mark, and the writer refuses.
        return 0


def _tail(config: Config, state: vault_pb2.GetStateResponse, connection: Connection) -> Iterator[Finding]:
    try:
        reader = LogReader(DirectorySource(config.public_dir), VerifierKey.parse(state.log_vkey))
        published = reader.checkpoint().size
        start = max(0, published - _TAIL)
        ours = [entry.data for entry in indexed_entries(connection, start, published)]
        theirs = list(reader.entries(start, published))
    except AnchorError as error:
        # A first start that died between signing and publishing has no checkpoint yet; the writer completes it.
        if (config.public_dir / "checkpoint").exists():
            yield Finding("public-differs", str(error), Remedy.REBUILD)
        return
    if ours != theirs:
        place = next((at for at, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]), len(ours))
        yield Finding(
            "ledger-differs",
            f"entry {start + place} of the ledger is not the one that the log has; restore the ledger of this log",
            Remedy.RESTORE,
        )


def _journal(state: vault_pb2.GetStateResponse, mark: JournalMark, vault: VaultClient) -> Iterator[Finding]:
    if not mark.sequence:
        return
    if state.journal_sequence >= mark.sequence:
        frame = next(iter(vault.read_journal(mark.sequence - 1)), None)
        if frame is not None and (frame.sequence, frame.head) == mark:
            return
    yield Finding(
        "vault-restored",
        f"the vault's journal ends at frame {state.journal_sequence} and does not hold frame {mark.sequence} as the "
        "ledger knows it: it is an older copy; restore the newest one, or burn the pools it could open twice",
        Remedy.BURN,
    )


def _bindings(vault: VaultClient, mark: JournalMark, engine: Engine) -> Iterator[Finding]:
    """Yield every binding that the vault has opened since ``mark`` and the ledger does not have."""
    entries = (entry for frame in vault.read_journal(mark.sequence) for entry in frame.entries)
    found = 0
    while part := list(islice(entries, _ENTRIES_AT_ONCE)):
        # Fronts may be at work. What the vault has opened was durable in the ledger before, so a snapshot that is
        # taken after the journal was read has it.
        with reading(engine) as connection:
            lost = [entry for entry in part if not _has_binding(connection, entry)]
        for entry in lost[: _MOST_FINDINGS - found]:
            yield Finding(
                "binding-lost",
                f"slot {entry.slot} of {entry.pool_id} was opened for a binding that the ledger does not have: it is "
                "an older copy; restore the newest one, or burn what is left of the pool",
                Remedy.BURN,
                entry.pool_id,
                entry.slot,
                entry.count,
            )
        found += len(lost)


def _has_binding(connection: Connection, entry: vault_pb2.JournalEntry) -> bool:
    family = FAMILY_TICKET if entry.kind == vault_pb2.SLOT_KIND_TICKET else FAMILY_FINAL
    binding = connection.scalars(
        select(RecordRow.binding)
        .join(PoolRow, PoolRow.id == RecordRow.pool_id)
        .where(
            PoolRow.pool_id == entry.pool_id,
            RecordRow.slot == entry.slot,
            RecordRow.family == family,
            RecordRow.ordinal == 0,
        )
    ).one_or_none()
    return binding is not None and binding_hash(bytes(binding)) == entry.binding_hash
