"""The public directory made again: every file of it follows from ledger, vault and the vault's mark.

Each file is compared with what the log says of it before it is written, so that a ledger which is not this log's
cannot put wrong files where right ones were.
"""

from collections.abc import Iterator
from hashlib import sha256

from sqlalchemy import Connection, select

from anchor.edge import RightEdge
from anchor.errors import RefusedError
from anchor.files import atomic_write
from anchor.merkle import root_of
from rng_service.ledger.documents import read_document
from rng_service.ledger.models import POSITION_BITS, DigestRow, GameRow, GroupRow, LogEntryRow, PoolRow, RecordRow
from rng_service.ledger.sequencing import indexed_entries
from rng_service.log_entries import (
    Digest,
    GamePar,
    PoolClose,
    PoolCommit,
    PoolVoid,
    RtpTable,
    StatsBegin,
    StatsReport,
    parse_entry,
)
from rng_service.pools.deals import deal_secrets
from rng_service.pools.lifecycle import State
from rng_service.pools.slots import SECRET_BYTES, slot_leaves, slot_secrets
from rng_service.public_files import (
    deal_path,
    digest_path,
    game_path,
    leaves_path,
    par_paths,
    plan_path,
    rtp_table_paths,
    statistics_paths,
    voids_path,
)
from rng_service.records.digest import DigestItem, build_digests
from rng_service.records.record import draw_record, record_digest, settle_record, ticket_record, void_record
from rng_service.sequencer.closing import opened_voids
from rng_service.sequencer.context import Context, LedgerRow

__all__ = ["rebuild_public"]

_BATCH = 4_096


def rebuild_public(context: Context) -> int:
    """Write every file that the vault's mark implies, from the ledger, and return how many.

    The checkpoint itself is written by the next start of the sequencer, which asks the vault for its signature again.
    Raises RefusedError, naming the file, where the ledger does not give what the log has.
    """
    written = 0
    state = context.vault.get_state()
    with context.reading() as connection:
        for path, data in _files(context, connection, state.checkpoint_size, state.checkpoint_root):
            atomic_write(context.config.public_dir / path, data)
            written += 1
    return written


def _files(context: Context, connection: Connection, size: int, root: bytes) -> Iterator[tuple[str, bytes]]:
    # Tiles first: they show whether the ledger is this log's at all.
    yield from _tiles(connection, size, root)
    for digest, definition in connection.execute(select(GameRow.digest, GameRow.definition)):
        context.store.publish(bytes(definition), context.config.public_dir)
        yield _checked(game_path(bytes(digest)), bytes(definition), sha256(bytes(definition)).digest() == digest)
    for pool in connection.execute(select(PoolRow.__table__).order_by(PoolRow.id)).all():
        leaves = _leaves(context, connection, pool)
        parts = [leaves[at : at + SECRET_BYTES] for at in range(0, len(leaves), SECRET_BYTES)]
        yield _checked(leaves_path(pool.pool_id), leaves, root_of(parts) == bytes(pool.slot_root))
    closes = select(LogEntryRow.entry).where(LogEntryRow.type == PoolClose.TYPE, LogEntryRow.log_index < size)
    for data in connection.scalars(closes).all():
        close = parse_entry(bytes(data))
        if isinstance(close, PoolClose):
            pool_row = connection.scalars(select(PoolRow.id).where(PoolRow.pool_id == close.pool)).one()
            voids = opened_voids(connection, pool_row)
            yield _checked(voids_path(close.pool), voids, sha256(voids).digest() == close.voids_digest)
            if close.opened_digest is not None:
                opened = _opened_secrets(connection, pool_row)
                yield _checked(deal_path(close.pool), opened, sha256(opened).digest() == close.opened_digest)
    plans = select(PoolRow.test_plan).where(PoolRow.test_plan.is_not(None), PoolRow.commit_index < size).distinct()
    for plan in connection.scalars(plans).all():
        path = plan_path(plan or b"")
        document = read_document(connection, path)
        yield _checked(path, document, sha256(document).digest() == plan)
    yield from _documents(connection, size)
    yield from _digests(connection)


def _documents(connection: Connection, size: int) -> Iterator[tuple[str, bytes]]:
    """Yield the sheets, tables, plans and reports that entries name by their hashes."""
    naming = select(LogEntryRow.entry).where(
        LogEntryRow.type.in_([GamePar.TYPE, RtpTable.TYPE, StatsBegin.TYPE, StatsReport.TYPE]),
        LogEntryRow.log_index < size,
    )
    for data in connection.scalars(naming).all():
        entry = parse_entry(bytes(data))
        named: tuple[tuple[str, bytes], ...] = ()
        if isinstance(entry, GamePar):
            named = tuple(zip(par_paths(entry.digest), (entry.sheet, entry.page), strict=True))
        elif isinstance(entry, RtpTable):
            named = tuple(zip(rtp_table_paths(entry.seq), (entry.table, entry.csv, entry.page), strict=True))
        elif isinstance(entry, StatsBegin) and entry.plan is not None:
            named = ((plan_path(entry.plan), entry.plan),)
        elif isinstance(entry, StatsReport) and entry.report is not None and entry.page is not None:
            named = tuple(zip(statistics_paths(entry.run), (entry.report, entry.page), strict=True))
        for path, digest in named:
            content = read_document(connection, path)
            yield _checked(path, content, sha256(content).digest() == digest)


def _tiles(connection: Connection, size: int, root: bytes) -> Iterator[tuple[str, bytes]]:
    entries = [
        entry.data
        for start in range(0, size, _BATCH)
        for entry in indexed_entries(connection, start, min(size, start + _BATCH))
    ]
    growth = RightEdge(0).grow(entries)
    if size and (growth.size != size or growth.root != root):
        raise RefusedError(
            f"the ledger's first {size} entries give the root {growth.root.hex()}, the vault signed {root.hex()}"
        )
    if size:
        yield from growth.files()


def _leaves(context: Context, connection: Connection, pool: LedgerRow) -> bytes:
    state, name = State(pool.state), pool.pool_id
    commit = parse_entry(bytes(pool.commit_entry))
    kind = commit.kind if isinstance(commit, PoolCommit) else ""
    if state is State.VOID:
        # Its key is in the log; of an erased pool every slot was opened; the vault still has the others.
        rows = connection.scalars(select(LogEntryRow.entry).where(LogEntryRow.type == PoolVoid.TYPE))
        for data in rows:
            entry = parse_entry(bytes(data))
            if isinstance(entry, PoolVoid) and entry.pool == name:
                secrets = deal_secrets if kind == "deal" else slot_secrets
                return b"".join(slot_leaves(name, secrets(entry.key, pool.size)))
    if state in {State.CLOSED, State.ERASED}:
        return b"".join(slot_leaves(name, _opened_secrets(connection, pool.id)))
    return context.vault.seal_pool(name, pool.size, kind).leaves


def _opened_secrets(connection: Connection, pool: int) -> bytes:
    wanted = select(RecordRow.id, RecordRow.slot).where(RecordRow.pool_id == pool, RecordRow.kind.in_(["draw", "void"]))
    slots = {row[0]: row[1] for row in connection.execute(wanted)}
    found: dict[int, bytes] = {}
    for group in sorted({record >> POSITION_BITS for record in slots}):
        for record, _, _, _, secrets in _opened_records(connection, group):
            if record in slots:
                found[slots[record]] = secrets
    return b"".join(secrets for _, secrets in sorted(found.items()))


def _digests(connection: Connection) -> Iterator[tuple[str, bytes]]:
    torn: list[bytes] = []
    for seq, data in connection.execute(select(DigestRow.seq, DigestRow.entry).order_by(DigestRow.seq)).all():
        entry = parse_entry(bytes(data))
        if not isinstance(entry, Digest):
            raise RefusedError(f"digest {seq} of the ledger is a {entry.TYPE}")
        if not torn:
            torn = _digest_files(connection, entry)
        file = torn.pop(0)
        leaves = [file[at : at + 32] for at in range(0, len(file), 32)]
        yield _checked(digest_path(seq), file, root_of(leaves) == entry.root)


def _digest_files(connection: Connection, entry: Digest) -> list[bytes]:
    """Return the files of the digest ``entry`` and of those after it into which its one group was torn."""
    items = []
    for group in connection.scalars(select(GroupRow.id).where(GroupRow.digest_seq == entry.seq)).all():
        for record, kind, pool, binding, secrets in _opened_records(connection, group):
            row = connection.execute(select(RecordRow.slot, RecordRow.slots).where(RecordRow.id == record)).one()
            items.append(DigestItem(pool, row.slot, row.slots, kind, _record_digest(kind, binding, secrets)))
    built = build_digests(
        items, origin=entry.origin, time_us=entry.time_us, seq=entry.seq, prev=entry.prev, beacon=entry.beacon
    )
    return [digest.file for digest in built]


def _opened_records(connection: Connection, group: int) -> Iterator[tuple[int, str, str, bytes, bytes]]:
    """Yield (id, kind, pool, binding, secrets) of a group's records in their order."""
    secrets = bytes(connection.execute(select(GroupRow.secrets).where(GroupRow.id == group)).scalar_one() or b"")
    first = group << POSITION_BITS
    at = 0
    for row in connection.execute(
        select(RecordRow.id, RecordRow.kind, RecordRow.slots, RecordRow.binding, PoolRow.pool_id)
        .join(PoolRow, PoolRow.id == RecordRow.pool_id)
        .where(RecordRow.id >= first, RecordRow.id < first + (1 << POSITION_BITS))
        .order_by(RecordRow.id)
    ).all():
        length = SECRET_BYTES * row.slots if row.kind in {"draw", "void"} else 0
        yield row.id, row.kind, row.pool_id, bytes(row.binding), secrets[at : at + length]
        at += length


def _record_digest(kind: str, binding: bytes, secrets: bytes) -> bytes:
    if kind == "draw":
        return record_digest(draw_record(binding, secrets))
    if kind == "void":
        return record_digest(void_record(binding, secrets))
    return record_digest(ticket_record(binding) if kind == "ticket" else settle_record(binding))


def _checked(path: str, data: bytes, holds: bool) -> tuple[str, bytes]:
    if not holds:
        raise RefusedError(f"{path}: the ledger does not give the bytes that the log names")
    return path, data
