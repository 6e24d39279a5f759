"""Publication: queued entries get their indices, go into the log, and only then have their effects."""

from sqlalchemy import Connection, select, update

from anchor.files import write_immutable
from anchor.writer import LogWriter
from rng_service.ledger.documents import read_document
from rng_service.ledger.models import GameRow, PoolRow
from rng_service.ledger.sequencing import SequencedEntry, assign_indices, has_queued, indexed_entries
from rng_service.log_entries import (
    Entry,
    GamePar,
    GameRegistration,
    PoolActivate,
    PoolCommit,
    PoolTest,
    RtpTable,
    StatsBegin,
    StatsReport,
    parse_entry,
)
from rng_service.pools.lifecycle import Event
from rng_service.public_files import game_path, par_paths, plan_path, rtp_table_paths, statistics_paths
from rng_service.sequencer.context import Context, get_meta, move_pool, set_meta
from rng_service.sequencer.site import write_index_page

__all__ = ["cover_key", "publish", "settle_published", "settled_size"]

BATCH = 512
_SETTLED = "settled-size"
# What the index page lists.
_SHOWN = (GameRegistration.TYPE, GamePar.TYPE, RtpTable.TYPE, StatsReport.TYPE)
_NAMING_FILES = (*_SHOWN, PoolCommit.TYPE, StatsBegin.TYPE)


def publish(context: Context, writer: LogWriter) -> int:
    """Publish everything that is queued and return how many entries that was.

    Each batch: indices (durable), files that its entries name, tiles, signature, checkpoint; then what follows from
    being published. What a crash interrupts is finished by calling this again, with the same entries at the same
    places: an index is never given twice.
    """
    published = 0
    while True:
        with context.reading() as connection:
            queued = has_queued(connection)
        # An idle sequencer writes nothing here: every write would take the lock that the fronts need.
        if queued:
            with context.writing() as connection:
                assign_indices(connection, limit=BATCH)
            # A crash right here leaves entries with indices and no tiles; they are the first that are appended next.
            context.on_step("publish.assigned")
        with context.reading() as connection:
            entries = indexed_entries(connection, writer.size, writer.size + BATCH)
        if entries:
            _write_named_files(context, entries)
            # A crash right here leaves files that no published entry names yet.
            context.on_step("publish.files")
            writer.append_and_publish([entry.data for entry in entries])
            published += len(entries)
        settle_published(context, writer.size)
        if len(entries) < BATCH:
            return published


def settle_published(context: Context, size: int) -> None:
    """Let the first ``size`` entries have their effects in the ledger; those that had them are skipped."""
    with context.reading() as connection:
        settled = settled_size(connection)
    if settled >= size:
        return
    note = (context.config.public_dir / "checkpoint").read_bytes()
    shown = False
    while settled < size:
        end = min(size, settled + BATCH)
        with context.writing() as connection:
            for entry in indexed_entries(connection, settled, end):
                _settle(connection, entry, note)
                shown = shown or entry.type in _SHOWN
            set_meta(connection, _SETTLED, str(end))
        settled = end
    # A crash before the commit leaves published entries whose effects are missing: they are settled at the next start.
    context.on_step("publish.settled")
    if shown:
        write_index_page(context)


def settled_size(connection: Connection) -> int:
    """Return how many entries are published and have had their effects."""
    return int(get_meta(connection, _SETTLED) or 0)


def cover_key(pool: int) -> str:
    """Return the fact under which the checkpoint that first covered a pool's commitment waits for its activation."""
    return f"cover/{pool}"


def _settle(connection: Connection, entry: SequencedEntry, note: bytes) -> None:
    if entry.type not in {PoolCommit.TYPE, PoolActivate.TYPE, PoolTest.TYPE}:
        return
    parsed = parse_entry(entry.data)
    if isinstance(parsed, PoolCommit):
        pool = connection.scalars(select(PoolRow.id).where(PoolRow.pool_id == parsed.pool)).one()
        connection.execute(update(PoolRow).where(PoolRow.id == pool).values(commit_index=entry.log_index))
        set_meta(connection, cover_key(pool), note.hex())
        move_pool(connection, pool, Event.COMMIT_PUBLISHED)
    elif isinstance(parsed, PoolActivate):
        connection.execute(update(PoolRow).where(PoolRow.pool_id == parsed.pool).values(activate_index=entry.log_index))
    elif isinstance(parsed, PoolTest):
        connection.execute(update(PoolRow).where(PoolRow.pool_id == parsed.pool).values(test_index=entry.log_index))


def _write_named_files(context: Context, entries: list[SequencedEntry]) -> None:
    for entry in entries:
        if entry.type not in _NAMING_FILES:
            continue
        parsed = parse_entry(entry.data)
        with context.reading() as connection:
            files = _named_files(connection, parsed)
        if isinstance(parsed, GameRegistration):
            # What a definition names is there before the definition itself.
            for definition in files.values():
                context.store.publish(definition, context.config.public_dir)
        for path, content in files.items():
            write_immutable(context.config.public_dir / path, content)


def _named_files(connection: Connection, entry: Entry) -> dict[str, bytes]:
    if isinstance(entry, GameRegistration):
        definition = connection.scalars(select(GameRow.definition).where(GameRow.digest == entry.digest)).first()
        return {} if definition is None else {game_path(entry.digest): bytes(definition)}
    if isinstance(entry, GamePar):
        return {path: read_document(connection, path) for path in par_paths(entry.digest)}
    if isinstance(entry, RtpTable):
        return {path: read_document(connection, path) for path in rtp_table_paths(entry.seq)}
    if isinstance(entry, StatsReport) and entry.report is not None:
        return {path: read_document(connection, path) for path in statistics_paths(entry.run)}
    plan = entry.test_plan if isinstance(entry, PoolCommit) else entry.plan if isinstance(entry, StatsBegin) else None
    if plan is not None:
        path = plan_path(plan)
        return {path: read_document(connection, path)}
    return {}
