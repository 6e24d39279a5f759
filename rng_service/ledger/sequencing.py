"""Log entries in the ledger: final when they are written, given their index once, published from there."""

from typing import NamedTuple

from sqlalchemy import Connection, bindparam, case, func, insert, select, update

from rng_service.ledger.models import DigestRow, LogEntryRow
from rng_service.log_entries import Entry, LogConfig, parse_entry

__all__ = [
    "SequencedEntry",
    "append_entry",
    "assign_indices",
    "has_queued",
    "indexed_entries",
    "log_time_us",
    "next_index",
]


class SequencedEntry(NamedTuple):
    """An entry with its place in the log."""

    log_index: int
    type: str
    data: bytes


def append_entry(connection: Connection, entry: Entry) -> int:
    """Add ``entry`` to the queue of the log and return its row; it becomes durable with the caller's transaction."""
    added = insert(LogEntryRow).values(type=entry.TYPE, entry=entry.to_bytes()).returning(LogEntryRow.id)
    return connection.execute(added).scalar_one()


def log_time_us(connection: Connection) -> int:
    """Return the time that no later entry may be before: the newest entry's, or the newest digest's; 0 without any."""
    entry = connection.scalars(select(LogEntryRow.entry).order_by(LogEntryRow.id.desc()).limit(1)).first()
    digest = connection.scalars(select(DigestRow.created_us).order_by(DigestRow.seq.desc()).limit(1)).first()
    return max(0 if entry is None else parse_entry(bytes(entry)).time_us, digest or 0)


def has_queued(connection: Connection) -> bool:
    """Return whether an entry waits for its index."""
    return (
        connection.execute(select(LogEntryRow.id).where(LogEntryRow.log_index.is_(None)).limit(1)).first() is not None
    )


def next_index(connection: Connection) -> int:
    """Return the index that the next entry will get: how long the log is, as the ledger has it."""
    last = connection.execute(select(func.max(LogEntryRow.log_index))).scalar_one()
    return 0 if last is None else last + 1


def assign_indices(connection: Connection, *, limit: int) -> int:
    """Give up to ``limit`` queued entries their indices, in the order of their rows, and return how many.

    log.config comes first whenever it was written: index 0 is its place. Indices are dense because there is one
    leader. Durable before any tile is written, so that a crash in between appends the same entries again.
    """
    first = case((LogEntryRow.type == LogConfig.TYPE, 0), else_=1)
    waiting = connection.scalars(
        select(LogEntryRow.id).where(LogEntryRow.log_index.is_(None)).order_by(first, LogEntryRow.id).limit(limit)
    ).all()
    if not waiting:
        return 0
    start = next_index(connection)
    connection.execute(
        update(LogEntryRow).where(LogEntryRow.id == bindparam("row")).values(log_index=bindparam("place")),
        [{"row": row, "place": start + offset} for offset, row in enumerate(waiting)],
    )
    return len(waiting)


def indexed_entries(connection: Connection, start: int, end: int) -> list[SequencedEntry]:
    """Return the entries with indices [``start``, ``end``) in order; missing ones are left out."""
    rows = connection.execute(
        select(LogEntryRow.log_index, LogEntryRow.type, LogEntryRow.entry)
        .where(LogEntryRow.log_index >= start, LogEntryRow.log_index < end)
        .order_by(LogEntryRow.log_index)
    )
    return [SequencedEntry(index, kind, bytes(data)) for index, kind, data in rows if index is not None]
