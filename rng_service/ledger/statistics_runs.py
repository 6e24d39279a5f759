"""Runs of statistics as the ledger has them: numbers without gaps, one test at a time, every one with an end."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, insert, select, update

from rng_service.errors import LedgerError
from rng_service.ledger.documents import add_documents
from rng_service.ledger.models import LogEntryRow, StatisticsRunRow
from rng_service.ledger.sequencing import append_entry
from rng_service.log_entries import Incident, StatsBegin, StatsReport
from rng_service.public_files import plan_path, statistics_paths

__all__ = [
    "DUMP",
    "FAIL",
    "INTERRUPTED",
    "OPENED",
    "TEST",
    "TEST_STREAM",
    "OpenedRange",
    "RunRow",
    "StreamSource",
    "acknowledge_run",
    "begin_dump",
    "begin_test",
    "failed_runs",
    "finish_run",
    "interrupt_run",
    "list_runs",
    "newest_runs",
    "unfinished_tests",
]

TEST = "test"
DUMP = "dump"
TEST_STREAM = "test-stream"
OPENED = "opened"
FAIL = "fail"
INTERRUPTED = "interrupted"

RunRow = Row[*tuple[Any, ...]]


class OpenedRange(NamedTuple):
    """The outcomes of one program in the digests ``first`` … ``last``."""

    game_digest: bytes
    program: str
    first: int
    last: int


class StreamSource(NamedTuple):
    """Which stream of which instance of the vault's generator was tested."""

    instance: str
    epoch: int
    stream: int


def begin_test(
    connection: Connection,
    *,
    origin: str,
    now_us: int,
    plan: bytes,
    opened: OpenedRange | None = None,
) -> StatsBegin:
    """Announce a test by the document ``plan``; durable, with its file, when the caller commits.

    Without ``opened`` a test stream is tested.
    """
    game_digest, program, from_digest, to_digest = opened or (None, None, None, None)
    digest = sha256(plan).digest()
    entry = StatsBegin(
        origin=origin,
        time_us=now_us,
        run=_next_run(connection),
        purpose=TEST,
        subject=TEST_STREAM if opened is None else OPENED,
        plan=digest,
        game_digest=game_digest,
        program=program,
        from_digest=from_digest,
        to_digest=to_digest,
    )
    add_documents(connection, {plan_path(digest): plan})
    _insert(connection, entry, game_digest=game_digest, program=program, from_digest=from_digest, to_digest=to_digest)
    return entry


def begin_dump(connection: Connection, *, origin: str, now_us: int, bits: int, caller: str) -> StatsBegin:
    """Announce that ``bits`` of a test stream are given to ``caller``; durable when the caller commits."""
    entry = StatsBegin(
        origin=origin, time_us=now_us, run=_next_run(connection), purpose=DUMP, subject=TEST_STREAM, bits=bits
    )
    _insert(connection, entry, bits=bits, caller=caller)
    return entry


def finish_run(
    connection: Connection,
    *,
    origin: str,
    now_us: int,
    run: int,
    verdict: str,
    files: tuple[bytes, bytes],
    source: StreamSource | None,
) -> None:
    """Say what came of a test, with its report and page; a failure is an incident, too, in the same transaction."""
    report, page = files
    add_documents(connection, dict(zip(statistics_paths(run), files, strict=True)))
    append_entry(
        connection,
        StatsReport(
            origin=origin,
            time_us=now_us,
            run=run,
            verdict=verdict,
            report=sha256(report).digest(),
            page=sha256(page).digest(),
            drbg_instance=None if source is None else source.instance,
            drbg_epoch=None if source is None else source.epoch,
            stream=None if source is None else source.stream,
        ),
    )
    if verdict == FAIL:
        subject = OPENED if source is None else TEST_STREAM
        append_entry(connection, Incident(origin=origin, time_us=now_us, kind="statistics-failed", reason=subject))
    _end(connection, run, verdict, now_us)


def interrupt_run(connection: Connection, *, origin: str, now_us: int, run: int) -> None:
    """Say of a test that it came to no verdict; it counts, and the next one has another number and other bits."""
    append_entry(connection, StatsReport(origin=origin, time_us=now_us, run=run, verdict=INTERRUPTED))
    _end(connection, run, INTERRUPTED, now_us)


def unfinished_tests(connection: Connection) -> Sequence[RunRow]:
    """Return the tests without a report, oldest first, each with ``log_index``, None while it waits for the log."""
    return connection.execute(
        select(StatisticsRunRow.__table__, LogEntryRow.log_index)
        .join(LogEntryRow, LogEntryRow.id == StatisticsRunRow.begin_entry_id)
        .where(StatisticsRunRow.purpose == TEST, StatisticsRunRow.verdict.is_(None))
        .order_by(StatisticsRunRow.run)
    ).all()


def newest_runs(connection: Connection, subject: str) -> Sequence[RunRow]:
    """Return the newest test of each thing that was tested: one of the test streams, one of each program."""
    newest = (
        select(func.max(StatisticsRunRow.run))
        .where(StatisticsRunRow.purpose == TEST, StatisticsRunRow.subject == subject)
        .group_by(StatisticsRunRow.game_digest, StatisticsRunRow.program)
    )
    return connection.execute(
        select(StatisticsRunRow.__table__).where(StatisticsRunRow.run.in_(newest)).order_by(StatisticsRunRow.run)
    ).all()


def failed_runs(connection: Connection) -> list[int]:
    """Return the failed runs that nobody has seen to yet."""
    query = select(StatisticsRunRow.run).where(
        StatisticsRunRow.verdict == FAIL, StatisticsRunRow.acknowledged_us.is_(None)
    )
    return list(connection.scalars(query.order_by(StatisticsRunRow.run)).all())


def list_runs(connection: Connection, *, before: int | None, limit: int) -> Sequence[RunRow]:
    """Return runs, newest first, those below the number ``before`` if one is given."""
    query = select(StatisticsRunRow.__table__).order_by(StatisticsRunRow.run.desc()).limit(limit)
    return connection.execute(query if before is None else query.where(StatisticsRunRow.run < before)).all()


def acknowledge_run(connection: Connection, *, origin: str, now_us: int, run: int, reason: str, caller: str) -> bool:
    """Note that somebody has seen to a failed run; False when there is nothing to see to. ``reason`` is in the log."""
    done = connection.execute(
        update(StatisticsRunRow)
        .where(
            StatisticsRunRow.run == run, StatisticsRunRow.verdict == FAIL, StatisticsRunRow.acknowledged_us.is_(None)
        )
        .values(acknowledged_us=now_us, acknowledged_by=caller)
    )
    if done.rowcount != 1:
        return False
    append_entry(connection, Incident(origin=origin, time_us=now_us, kind="statistics-acknowledged", reason=reason))
    return True


def _next_run(connection: Connection) -> int:
    return 1 + int(connection.execute(select(func.coalesce(func.max(StatisticsRunRow.run), 0))).scalar_one())


def _insert(connection: Connection, entry: StatsBegin, **columns: object) -> None:
    # Of two processes that took the same number one commits; for the other the database refuses this row.
    connection.execute(
        insert(StatisticsRunRow).values(
            run=entry.run,
            purpose=entry.purpose,
            subject=entry.subject,
            begun_us=entry.time_us,
            begin_entry_id=append_entry(connection, entry),
            **columns,
        )
    )


def _end(connection: Connection, run: int, verdict: str, now_us: int) -> None:
    ended = connection.execute(
        update(StatisticsRunRow)
        .where(StatisticsRunRow.run == run, StatisticsRunRow.purpose == TEST, StatisticsRunRow.verdict.is_(None))
        .values(verdict=verdict, ended_us=now_us)
    )
    if ended.rowcount != 1:
        raise LedgerError(f"run {run} of statistics has no test that waits for a report")
