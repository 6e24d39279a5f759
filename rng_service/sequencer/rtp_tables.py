"""Tables of returns: made from the rollups when an operator asks, over whole totals, and published with their hashes.

A table covers whole UTC days, and the newest day up to its newest totals. What the totals of these days do not add up
to, and what is not what an operator expected, is not published.
"""

from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, insert, select, update

from anchor import canonical
from rng_service.errors import LedgerError
from rng_service.games import GameDefinition, GameError, parse_game
from rng_service.games.files import directory_files
from rng_service.ledger.documents import add_documents
from rng_service.ledger.models import (
    DigestRow,
    GameRow,
    LogEntryRow,
    PoolRow,
    RtpKeyRow,
    RtpRollupRow,
    RtpTableRequestRow,
    RtpTableRow,
    TotalsRow,
)
from rng_service.ledger.pool_returns import closed_returns
from rng_service.ledger.rollups import pending_deltas, read_sums
from rng_service.ledger.sequencing import append_entry
from rng_service.log_entries import RtpTable, Totals, parse_entry
from rng_service.names import parse_pool_id
from rng_service.public_files import rtp_table_paths
from rng_service.rtp.periods import Grain, hour_of, period_of, period_text
from rng_service.rtp.rollup import SeriesKey, Sums
from rng_service.rtp.table import PoolReturn, PoolsKey, TableHeader, TableRow, first_difference, fold_days, rtp_table
from rng_service.rtp.table_files import table_csv, table_page
from rng_service.sequencer.context import Context, LedgerRow
from rng_service.sequencer.folding import fold_rollups
from rng_service.sequencer.totals import write_totals

__all__ = ["publish_tables"]

_LONGEST_REASON = 400
_POOLS_AT_ONCE = 400


class RefusedTable(LedgerError):  # noqa: N818 - it is an answer, not a failure
    """The wish cannot be granted; the message says why."""


class _Range(NamedTuple):
    """The totals entries ``first`` … ``last`` (rows of `totals`), and the days that their digests lie in."""

    first: LedgerRow
    last: LedgerRow
    from_day: int
    to_day: int


def publish_tables(context: Context) -> int:
    """Grant or refuse every waiting wish for a table, and return how many were answered."""
    with context.reading() as connection:
        waiting = connection.execute(
            select(RtpTableRequestRow.__table__)
            .where(RtpTableRequestRow.table_seq.is_(None), RtpTableRequestRow.refused.is_(None))
            .order_by(RtpTableRequestRow.created_us)
        ).all()
    for request in waiting:
        # The newest digests are part of a table that ends now: totals first, then everything that was added up.
        write_totals(context, force=True)
        _fold_everything(context)
        try:
            _publish(context, request)
        except (RefusedTable, GameError) as error:
            _answer(context, request.request_id, refused=str(error)[:_LONGEST_REASON])
    return len(waiting)


def _fold_everything(context: Context) -> None:
    while True:
        with context.reading() as connection:
            if not pending_deltas(connection):
                return
        fold_rollups(context, None)


def _publish(context: Context, request: LedgerRow) -> None:
    with context.reading() as connection:
        covered = _range(connection, request.from_day, request.end_day)
        seq = 1 + int(connection.execute(select(func.coalesce(func.max(RtpTableRow.seq), -1))).scalar_one())
        header = TableHeader(
            origin=context.origin,
            seq=seq,
            from_totals=covered.first.seq,
            to_totals=covered.last.seq,
            from_digest=covered.first.from_digest,
            to_digest=covered.last.to_digest,
            from_us=_digest_us(connection, covered.first.from_digest),
            to_us=_digest_us(connection, covered.last.to_digest),
        )
        rows = _rows(connection, covered)
        _require_totals(connection, covered, rows)
        pools = _pools(connection, covered)
        games = _definitions(connection, context.config.public_dir, rows, pools)
    table = rtp_table(header, rows, pools, games)
    if request.expected is not None:
        _require_expected(bytes(request.expected), table)
    contents = canonical.encode(table), table_csv(table), table_page(table)
    digests = [sha256(content).digest() for content in contents]
    now_us = context.clock_us()
    with context.writing() as connection:
        add_documents(connection, dict(zip(rtp_table_paths(seq), contents, strict=True)))
        append_entry(
            connection,
            RtpTable(
                origin=context.origin,
                time_us=now_us,
                seq=seq,
                from_totals=header.from_totals,
                to_totals=header.to_totals,
                from_digest=header.from_digest,
                to_digest=header.to_digest,
                table=digests[0],
                csv=digests[1],
                page=digests[2],
            ),
        )
        connection.execute(
            insert(RtpTableRow).values(
                seq=seq,
                from_totals=header.from_totals,
                to_totals=header.to_totals,
                from_digest=header.from_digest,
                to_digest=header.to_digest,
                created_us=now_us,
            )
        )
        _set_answer(connection, request.request_id, table_seq=seq)
    # A crash before the commit leaves the wish; after it, an entry that waits in the queue of the log with its files.
    context.on_step("rtp-table.recorded")


def _range(connection: Connection, from_day: int | None, end_day: int | None) -> _Range:
    """Return the totals whose digests lie in the days ``from_day`` to before ``end_day``."""
    first_digest, last_digest = DigestRow.__table__.alias(), DigestRow.__table__.alias()
    rows = connection.execute(
        select(TotalsRow.__table__, first_digest.c.created_us.label("from_us"), last_digest.c.created_us.label("to_us"))
        .join(first_digest, first_digest.c.seq == TotalsRow.from_digest)
        .join(last_digest, last_digest.c.seq == TotalsRow.to_digest)
        .order_by(TotalsRow.seq)
    ).all()
    inside = []
    for row in rows:
        first, last = _day(row.from_us), _day(row.to_us)
        starts, ends = from_day is None or first >= from_day, end_day is None or last < end_day
        if starts and ends:
            if row.log_entry_id is None:
                raise RefusedTable(f"totals {row.seq} were written by an older version of this service")
            inside.append(row)
        elif (from_day is None or last >= from_day) and (end_day is None or first < end_day):
            text = period_text(Grain.DAY, first)
            raise RefusedTable(
                f"totals {row.seq} begin on {text} and end on another day: a table takes all of them or none"
            )
    if not inside:
        raise RefusedTable("no totals lie in these days")
    return _Range(inside[0], inside[-1], _day(inside[0].from_us), _day(inside[-1].to_us))


def _rows(connection: Connection, covered: _Range) -> dict[SeriesKey, TableRow]:
    query = (
        select(RtpKeyRow.__table__, RtpRollupRow.__table__)
        .join(RtpKeyRow, RtpKeyRow.id == RtpRollupRow.key_id)
        .where(
            RtpRollupRow.grain == Grain.DAY,
            RtpRollupRow.period >= covered.from_day,
            RtpRollupRow.period <= covered.to_day,
        )
    )
    names = list(Sums.__dataclass_fields__)
    found = []
    for row in connection.execute(query).mappings():
        series = SeriesKey(row["game"], row["version"], row["program"], row["play_class"], row["currency"])
        found.append((series, row["period"], read_sums([row[name] for name in names])))
    return fold_days(found)


def _require_totals(connection: Connection, covered: _Range, rows: dict[SeriesKey, TableRow]) -> None:
    """Hold the rollups against the published totals: what is in neither a record nor a total is in no table."""
    stated: dict[SeriesKey, list[int]] = {}
    entries = connection.execute(
        select(LogEntryRow.entry)
        .join(TotalsRow, TotalsRow.log_entry_id == LogEntryRow.id)
        .where(TotalsRow.seq >= covered.first.seq, TotalsRow.seq <= covered.last.seq)
    ).scalars()
    for entry in map(parse_entry, map(bytes, entries)):
        for row in entry.rows if isinstance(entry, Totals) else ():
            key = SeriesKey(row.game, row.version, row.program, row.play_class, row.currency)
            sums = stated.setdefault(key, [0, 0, 0, 0, 0])
            for place, value in enumerate((row.outcomes, row.plays, row.stake_minor, row.payout_minor, row.unsettled)):
                sums[place] += value
    for key in sorted(stated.keys() | rows.keys()):
        total = rows[key].total() if key in rows else Sums()
        found = [total.outcomes, total.plays, total.stake_minor, total.payout_minor, total.unsettled]
        if found != stated.get(key, [0] * 5):
            raise RefusedTable(
                f"the rollups of {'/'.join(map(str, key))} are not what the published totals add up to; "
                "`sealdraw ledger rebuild-rollups` makes them again from the records"
            )


def _pools(connection: Connection, covered: _Range) -> dict[PoolsKey, PoolReturn]:
    """Return what the pools returned whose close stands between the totals before the table and its last ones."""
    before = connection.execute(select(TotalsRow.log_entry_id).where(TotalsRow.seq == covered.first.seq - 1)).scalar()
    closed = dict(closed_returns(connection, before or 0, covered.last.log_entry_id))
    found: dict[PoolsKey, PoolReturn] = {}
    for start in range(0, len(closed), _POOLS_AT_ONCE):
        part = sorted(closed)[start : start + _POOLS_AT_ONCE]
        for pool, name in connection.execute(select(PoolRow.id, PoolRow.pool_id).where(PoolRow.id.in_(part))):
            stream = parse_pool_id(name).stream
            key = PoolsKey(stream.game, stream.version, stream.program, stream.play_class)
            added = PoolReturn(1, closed[pool].outcomes, closed[pool].returned)
            found[key] = found[key] + added if key in found else added
    return found


def _definitions(
    connection: Connection,
    public_dir: Path,
    rows: dict[SeriesKey, TableRow],
    pools: dict[PoolsKey, PoolReturn],
) -> dict[tuple[str, int], GameDefinition]:
    wanted = {(key.game, key.version) for key in rows} | {(key.game, key.version) for key in pools}
    files = directory_files(public_dir / "games" / "files")
    games = connection.execute(select(GameRow.name, GameRow.version, GameRow.definition)).all()
    return {
        (row.name, row.version): parse_game(bytes(row.definition), files)
        for row in games
        if (row.name, row.version) in wanted
    }


def _require_expected(expected: bytes, table: dict[str, Any]) -> None:
    """Refuse a table that the operator brought and that the records do not support, naming the first difference."""
    stated = canonical.decode(expected, limit=len(expected), what="the table that was brought")
    difference = first_difference(stated, table)
    if difference:
        raise RefusedTable(f"the records do not support this table: {difference}")


def _digest_us(connection: Connection, seq: int) -> int:
    return int(connection.execute(select(DigestRow.created_us).where(DigestRow.seq == seq)).scalar_one())


def _day(time_us: int) -> int:
    return period_of(Grain.DAY, hour_of(time_us))


def _answer(context: Context, request_id: bytes, *, refused: str) -> None:
    with context.writing() as connection:
        _set_answer(connection, request_id, refused=refused)
    context.on_step("rtp-table.refused")


def _set_answer(connection: Connection, request_id: bytes, **values: object) -> None:
    connection.execute(update(RtpTableRequestRow).where(RtpTableRequestRow.request_id == request_id).values(**values))
