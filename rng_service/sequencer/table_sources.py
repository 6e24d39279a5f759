"""What a table of returns is made of, read from the ledger: whole totals, the rollups of their days, closed pools.

Everything is held against the published totals and closes here: what they do not add up to is refused before it is
published, and not found by an auditor afterwards.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection, select

from rng_service.errors import LedgerError
from rng_service.games import GameDefinition, parse_game
from rng_service.games.files import GameFiles
from rng_service.games.reference import reference_of
from rng_service.ledger.models import (
    DigestRow,
    GameRow,
    LogEntryRow,
    OpeningRow,
    PoolRow,
    RtpKeyRow,
    RtpRollupRow,
    StreamRow,
    TotalsRow,
)
from rng_service.ledger.pool_returns import read_returns
from rng_service.ledger.rollups import read_sums
from rng_service.log_entries import CommittedTotals, PoolClose, Totals, parse_entry
from rng_service.log_entries import TotalsRow as StatedRow
from rng_service.names import parse_pool_id
from rng_service.records.openings import Opening, read_totals_row
from rng_service.rtp.periods import HOUR_US, Grain, hour_of, period_of, period_start, period_text
from rng_service.rtp.rollup import SeriesKey, Sums
from rng_service.rtp.table import PoolReturn, PoolsKey, TableHeader, TableRow, fold_days
from rng_service.sequencer.context import LedgerRow

if TYPE_CHECKING:
    from rng_service.games.definition import GameProgram

__all__ = ["RefusedTable", "TableSources", "read_sources"]

_ROWS_AT_ONCE = 400
_OF_TOTALS = ("outcomes", "plays", "stake_minor", "payout_minor", "unsettled")
_REBUILD = "`sealdraw ledger rebuild-rollups` makes them again from the records"


class RefusedTable(LedgerError):  # noqa: N818 - it is an answer, not a failure
    """The wish cannot be granted; the message says why."""


@dataclass(frozen=True, slots=True)
class TableSources:
    """The arguments of `rng_service.rtp.table.rtp_table`."""

    header: TableHeader
    rows: dict[SeriesKey, TableRow]
    pools: dict[PoolsKey, PoolReturn]
    definitions: dict[tuple[str, int], GameDefinition]


class _Range(NamedTuple):
    """The totals entries ``first`` … ``last`` (rows of `totals`), and the days that their digests lie in."""

    first: LedgerRow
    last: LedgerRow
    from_day: int
    to_day: int


def read_sources(
    connection: Connection,
    *,
    origin: str,
    seq: int,
    from_day: int | None,
    end_day: int | None,
    files: GameFiles | None,
) -> TableSources:
    """Return what table ``seq`` over the days ``from_day`` to before ``end_day`` is made of; None is no bound.

    Everything must be folded, and totals written, up to the newest digest. Raises RefusedTable for days that totals do
    not cover as a whole, and for rollups or returns of pools that are not what was published.
    """
    covered = _range(connection, from_day, end_day)
    header = TableHeader(
        origin=origin,
        seq=seq,
        from_totals=covered.first.seq,
        to_totals=covered.last.seq,
        from_digest=covered.first.from_digest,
        to_digest=covered.last.to_digest,
        from_us=covered.first.from_us,
        to_us=covered.last.to_us,
    )
    rows = _rows(connection, covered)
    _require_totals(connection, covered, rows)
    closed = _closed_pools(connection, covered)
    wanted = {(key.game, key.version) for key in rows}
    wanted |= {(stream.game, stream.version) for stream in (parse_pool_id(pool.pool).stream for pool in closed)}
    definitions = _definitions(connection, wanted, files)
    return TableSources(header, rows, _pools(connection, closed, definitions), definitions)


def _range(connection: Connection, from_day: int | None, end_day: int | None) -> _Range:
    """Return the totals whose digests lie in the days ``from_day`` to before ``end_day``."""
    first_digest, last_digest = DigestRow.__table__.alias(), DigestRow.__table__.alias()
    query = (
        select(TotalsRow.__table__, first_digest.c.created_us.label("from_us"), last_digest.c.created_us.label("to_us"))
        .join(first_digest, first_digest.c.seq == TotalsRow.from_digest)
        .join(last_digest, last_digest.c.seq == TotalsRow.to_digest)
        .order_by(TotalsRow.seq)
    )
    if from_day is not None:
        query = query.where(last_digest.c.created_us >= period_start(Grain.DAY, from_day) * HOUR_US)
    if end_day is not None:
        query = query.where(first_digest.c.created_us < period_start(Grain.DAY, end_day) * HOUR_US)
    touched = connection.execute(query).all()
    if not touched:
        raise RefusedTable("no totals lie in these days")
    for row in touched:
        if row.log_entry_id is None:
            raise RefusedTable(f"totals {row.seq} were written by an older version of this service")
        first, last = _day(row.from_us), _day(row.to_us)
        if first != last:
            text = period_text(Grain.DAY, first)
            raise RefusedTable(f"totals {row.seq} begin on {text} and end on another day: no table of days has them")
    return _Range(touched[0], touched[-1], _day(touched[0].from_us), _day(touched[-1].to_us))


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
    # The money of a deal stands in its close, and in no totals: its pools are measured below.
    deal_programs = (
        select(GameRow.name, GameRow.version, StreamRow.program)
        .join(StreamRow, StreamRow.game_id == GameRow.id)
        .where(StreamRow.deal)
    )
    deals = {tuple(row) for row in connection.execute(deal_programs)}
    names = list(Sums.__dataclass_fields__)
    found = []
    for row in connection.execute(query).mappings():
        series = SeriesKey(row["game"], row["version"], row["program"], row["play_class"], row["currency"])
        if series[:3] in deals:
            continue
        found.append((series, row["period"], read_sums([row[name] for name in names])))
    return fold_days(found)


def _require_totals(connection: Connection, covered: _Range, rows: dict[SeriesKey, TableRow]) -> None:
    """Hold each day of the rollups against the published totals: what is in neither is in no table."""
    stated: dict[tuple[SeriesKey, int], list[int]] = {}
    for day, row in _stated_rows(connection, covered):
        key = SeriesKey(row.game, row.version, row.program, row.play_class, row.currency)
        sums = stated.setdefault((key, day), [0] * len(_OF_TOTALS))
        for place, name in enumerate(_OF_TOTALS):
            sums[place] += getattr(row, name)
    days = {(key, day): sums for key, row in rows.items() for day, sums in row.days.items()}
    for key, day in sorted(stated.keys() | days.keys()):
        one = days.get((key, day), Sums())
        found = [getattr(one, name) for name in _OF_TOTALS]
        if found != stated.get((key, day), [0] * len(_OF_TOTALS)):
            raise RefusedTable(
                f"the rollups of {'/'.join(map(str, key))} on {period_text(Grain.DAY, day)} are not what the published "
                f"totals add up to; {_REBUILD}"
            )


def _stated_rows(connection: Connection, covered: _Range) -> Iterable[tuple[int, StatedRow]]:
    """Yield the rows of the totals as they were published, or committed to, each with its day."""
    entries = connection.execute(
        select(LogEntryRow.entry, DigestRow.created_us)
        .join(TotalsRow, TotalsRow.log_entry_id == LogEntryRow.id)
        .join(DigestRow, DigestRow.seq == TotalsRow.from_digest)
        .where(TotalsRow.seq >= covered.first.seq, TotalsRow.seq <= covered.last.seq)
    )
    for data, time_us in entries.all():
        entry = parse_entry(bytes(data))
        if isinstance(entry, CommittedTotals):
            yield from ((_day(time_us), row) for row in _opened(connection, entry))
        elif isinstance(entry, Totals):
            yield from ((_day(time_us), row) for row in entry.rows)


def _opened(connection: Connection, entry: CommittedTotals) -> list[StatedRow]:
    rows = connection.execute(
        select(OpeningRow.__table__)
        .where(OpeningRow.kind == "totals", OpeningRow.seq == entry.seq)
        .order_by(OpeningRow.place)
    ).all()
    openings = [
        Opening(kind=row.kind, seq=row.seq, place=row.place, salt=bytes(row.salt), row=bytes(row.row).decode("ascii"))
        for row in rows
    ]
    if [opening.commitment for opening in openings] != [row.commitment for row in entry.rows]:
        raise RefusedTable(f"the ledger cannot open totals {entry.seq}: restore the newest copy of it")
    return [read_totals_row(opening) for opening in openings]


def _closed_pools(connection: Connection, covered: _Range) -> list[PoolClose]:
    """Return the closes between the totals before the table and its last ones."""
    before = connection.execute(select(TotalsRow.log_entry_id).where(TotalsRow.seq == covered.first.seq - 1)).scalar()
    rows = connection.scalars(
        select(LogEntryRow.entry)
        .where(
            LogEntryRow.type == PoolClose.TYPE,
            LogEntryRow.id > (before or 0),
            LogEntryRow.id < covered.last.log_entry_id,
        )
        .order_by(LogEntryRow.id)
    )
    entries = [parse_entry(bytes(data)) for data in rows]
    return [entry for entry in entries if isinstance(entry, PoolClose) and entry.drawn]


def _pools(
    connection: Connection, closed: Sequence[PoolClose], definitions: dict[tuple[str, int], GameDefinition]
) -> dict[PoolsKey, PoolReturn]:
    """Return what the closed pools returned, by stream; those without a bet to measure them by are left out."""
    measured: dict[tuple[str, int, str], GameProgram | None] = {}
    found: dict[PoolsKey, PoolReturn] = {}
    for start in range(0, len(closed), _ROWS_AT_ONCE):
        part = closed[start : start + _ROWS_AT_ONCE]
        names = [entry.pool for entry in part]
        ids = {
            row.pool_id: row.id
            for row in connection.execute(select(PoolRow.id, PoolRow.pool_id).where(PoolRow.pool_id.in_(names)))
        }
        returns = read_returns(connection, ids.values())
        for entry in part:
            stream = parse_pool_id(entry.pool).stream
            place = stream.game, stream.version, stream.program
            if place not in measured:
                program = definitions[stream.game, stream.version].program(stream.program)
                measured[place] = None if reference_of(program) is None else program
            program_of_pool = measured[place]
            if program_of_pool is None:
                continue
            sums = returns.get(ids[entry.pool])
            if sums is None or sums.outcomes != entry.drawn:
                raise RefusedTable(f"the returns of the pool {entry.pool} are not over its draws; {_REBUILD}")
            added = PoolReturn.of_pool(program_of_pool, sums.outcomes, sums.returned)
            key = PoolsKey(*stream)
            found[key] = found[key] + added if key in found else added
    return found


def _definitions(
    connection: Connection, wanted: Iterable[tuple[str, int]], files: GameFiles | None
) -> dict[tuple[str, int], GameDefinition]:
    games = set(wanted)
    rows = connection.execute(select(GameRow.name, GameRow.version, GameRow.definition)).all()
    return {
        (row.name, row.version): parse_game(bytes(row.definition), files)
        for row in rows
        if (row.name, row.version) in games
    }


def _day(time_us: int) -> int:
    return period_of(Grain.DAY, hour_of(time_us))
