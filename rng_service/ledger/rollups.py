"""Rollups in the ledger: deltas join with their digest, and are folded into hours, days, months and histograms later.

A delta is one row, written in the transaction of its digest: that is all that rollups add to it. Folding is a
transaction of its own, in which the deltas disappear and the sums appear, so each delta counts once whatever happens.
Only the process that leads writes here, so what it read before its transaction is still so inside it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from rng_service.errors import LedgerError
from rng_service.ledger.models import (
    RtpCellRow,
    RtpDeltaRow,
    RtpKeyRow,
    RtpRollupRow,
    RtpSeriesRow,
)
from rng_service.ledger.statements import execute, insert_rows, marks
from rng_service.rtp.delta import Delta, SeriesDelta
from rng_service.rtp.periods import Grain, period_of
from rng_service.rtp.rollup import RollupKey, SeriesKey, Sums

__all__ = [
    "EVER",
    "MAX_CELLS",
    "FoldPlan",
    "add_delta",
    "clear_rollups",
    "pending_deltas",
    "plan_fold",
    "read_deltas",
    "read_sums",
]

EVER: Final = -1
"""The day under which a series' histogram of all days stands."""

MAX_CELLS: Final = 20_000
"""Cells of one series on one day; a full day takes no more, which is decided before each digest and by no result."""

_STATE: Final = ("highest", "highest_mean", "without_evidence", "first_digest", "last_digest")
_NO_DIGEST: Final = 1 << 62
_KEYS_AT_ONCE: Final = 400
_SUMS: Final = tuple(item.name for item in fields(Sums))
_TEXTS_FROM: Final = _SUMS.index("stake_minor")
_ROLLUP_COLUMNS: Final = ("grain", "period", "key_id", *_SUMS)
_CELL_COLUMNS: Final = ("series_id", "day", "weight", "multiplier", "expected", "plays")


class _Place(NamedTuple):
    grain: int
    period: int
    key: int


class _Cell(NamedTuple):
    """A cell as the ledger has it: fractions are text there."""

    weight: int
    multiplier: str
    expected: str


def add_delta(connection: Connection, digest_seq: int, delta: Delta) -> None:
    """Keep what the records of a digest add to the rollups, in the digest's own transaction."""
    connection.execute(insert(RtpDeltaRow).values(digest_seq=digest_seq, data=delta.to_bytes()))


def pending_deltas(connection: Connection) -> int:
    """Return how many deltas wait to be folded in."""
    return int(connection.execute(select(func.count()).select_from(RtpDeltaRow)).scalar_one())


def read_deltas(connection: Connection, *, limit: int | None = None) -> list[tuple[int, Delta]]:
    """Return the deltas that wait, with their digests, oldest first."""
    query = select(RtpDeltaRow.digest_seq, RtpDeltaRow.data).order_by(RtpDeltaRow.digest_seq).limit(limit)
    return [(row[0], Delta.parse(bytes(row[1]))) for row in connection.execute(query)]


def clear_rollups(connection: Connection) -> None:
    """Delete everything that can be made again from the records; what people did about alarms stays."""
    for table in (RtpDeltaRow, RtpRollupRow, RtpCellRow, RtpKeyRow):
        connection.execute(delete(table))
    connection.execute(
        update(RtpSeriesRow).values(
            highest="0", highest_mean="0", without_evidence=0, first_digest=_NO_DIGEST, last_digest=-1
        )
    )


@dataclass(slots=True)
class _Series:
    id: int
    is_new: bool
    highest: Fraction
    highest_mean: Fraction
    without_evidence: int
    first_digest: int
    last_digest: int
    # By day: the cells that the ledger has with those that this fold adds, and the plays that it adds.
    known: dict[int, set[_Cell]] = field(default_factory=dict)
    plays: dict[int, dict[_Cell, int]] = field(default_factory=dict)


@dataclass(slots=True)
class FoldPlan:
    """What one fold will write; made without the write lock, and written in one short transaction."""

    digests: list[int]
    keys: dict[RollupKey, int] = field(default_factory=dict)
    new_keys: list[tuple[int, RollupKey]] = field(default_factory=list)
    sums: dict[_Place, Sums] = field(default_factory=dict)
    series: dict[SeriesKey, _Series] = field(default_factory=dict)

    def write(self, connection: Connection) -> None:
        """Write the sums and delete the deltas; raises LedgerError when somebody else folded them."""
        for start in range(0, len(self.digests), _KEYS_AT_ONCE):
            part = self.digests[start : start + _KEYS_AT_ONCE]
            gone = execute(connection, f"DELETE FROM rtp_deltas WHERE digest_seq IN ({marks(len(part))})", part)  # noqa: S608
            if gone.rowcount != len(part):
                raise LedgerError("another process folds the rollups of this ledger")
        if self.new_keys:
            insert_rows(connection, "rtp_keys", ("id", *RollupKey._fields), [(k, *key) for k, key in self.new_keys])
        rows = [(*place, *_stored(sums)) for place, sums in self.sums.items()]
        updates = ", ".join(f"{name} = excluded.{name}" for name in _SUMS)
        insert_rows(
            connection,
            "rtp_rollups",
            _ROLLUP_COLUMNS,
            rows,
            f"ON CONFLICT (grain, period, key_id) DO UPDATE SET {updates}",
        )
        for key, series in self.series.items():
            self._write_series(connection, key, series)

    def _write_series(self, connection: Connection, key: SeriesKey, series: _Series) -> None:
        state = (
            str(series.highest),
            str(series.highest_mean),
            series.without_evidence,
            series.first_digest,
            series.last_digest,
        )
        if series.is_new:
            columns = ("id", *SeriesKey._fields, *_STATE)
            insert_rows(connection, "rtp_series", columns, [(series.id, *key, *state)])
        else:
            execute(
                connection,
                f"UPDATE rtp_series SET {', '.join(f'{name} = ?' for name in _STATE)} WHERE id = ?",  # noqa: S608
                (*state, series.id),
            )
        cells = [(series.id, day, *cell, plays) for day, found in series.plays.items() for cell, plays in found.items()]
        insert_rows(
            connection,
            "rtp_cells",
            _CELL_COLUMNS,
            cells,
            "ON CONFLICT (series_id, day, weight, multiplier, expected) "
            "DO UPDATE SET plays = rtp_cells.plays + excluded.plays",
        )


def plan_fold(connection: Connection, deltas: Sequence[tuple[int, Delta]]) -> FoldPlan:
    """Return what folding ``deltas``, in their order, comes to on top of what the ledger has."""
    plan = FoldPlan([seq for seq, _ in deltas])
    _give_keys(connection, plan, deltas)
    for _, delta in deltas:
        for key, sums in delta.rows.items():
            for grain in Grain:
                place = _Place(grain, period_of(grain, delta.hour), plan.keys[key])
                plan.sums.setdefault(place, Sums()).add(sums)
    _add_known(connection, plan)
    for seq, delta in deltas:
        day = period_of(Grain.DAY, delta.hour)
        for series_key, found in delta.series.items():
            _add_cells(_series(connection, plan, series_key, seq, day), found, seq, day)
    return plan


def _give_keys(connection: Connection, plan: FoldPlan, deltas: Iterable[tuple[int, Delta]]) -> None:
    wanted = sorted({key for _, delta in deltas for key in delta.rows})
    columns = ", ".join(RollupKey._fields)
    where = " AND ".join(f"{name} = ?" for name in RollupKey._fields)
    for key in wanted:
        found = execute(connection, f"SELECT id, {columns} FROM rtp_keys WHERE {where}", key).first()  # noqa: S608
        if found is not None:
            plan.keys[key] = found[0]
    last = connection.execute(select(func.max(RtpKeyRow.id))).scalar() or 0
    for key in wanted:
        if key not in plan.keys:
            last += 1
            plan.keys[key] = last
            plan.new_keys.append((last, key))


def _add_known(connection: Connection, plan: FoldPlan) -> None:
    """Add what the ledger already has in the places that this fold touches."""
    by_period: dict[tuple[int, int], list[int]] = {}
    for place in plan.sums:
        by_period.setdefault((place.grain, place.period), []).append(place.key)
    columns = ", ".join(_ROLLUP_COLUMNS)
    for (grain, period), keys in by_period.items():
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            part = keys[start : start + _KEYS_AT_ONCE]
            rows = execute(
                connection,
                f"SELECT {columns} FROM rtp_rollups WHERE grain = ? AND period = ? AND key_id IN ({marks(len(part))})",  # noqa: S608
                (grain, period, *part),
            )
            for row in rows:
                plan.sums[_Place(*row[:3])].add(read_sums(row[3:]))


def _series(connection: Connection, plan: FoldPlan, key: SeriesKey, seq: int, day: int) -> _Series:
    found = plan.series.get(key)
    if found is None:
        where = " AND ".join(f"{name} = ?" for name in SeriesKey._fields)
        row = execute(connection, f"SELECT id, {', '.join(_STATE)} FROM rtp_series WHERE {where}", key).first()  # noqa: S608
        if row is None:
            newest = connection.execute(select(func.max(RtpSeriesRow.id))).scalar() or 0
            newest = max([newest, *(series.id for series in plan.series.values())])
            found = _Series(newest + 1, True, Fraction(0), Fraction(0), 0, seq, seq)
        else:
            found = _Series(row[0], False, Fraction(row[1]), Fraction(row[2]), *row[3:])
        plan.series[key] = found
    if day not in found.known:
        cells = select(RtpCellRow.weight, RtpCellRow.multiplier, RtpCellRow.expected)
        rows = connection.execute(cells.where(RtpCellRow.series_id == found.id, RtpCellRow.day == day))
        found.known[day] = {_Cell(*row) for row in rows}
    return found


def _add_cells(series: _Series, found: SeriesDelta, seq: int, day: int) -> None:
    series.highest = max(series.highest, found.highest)
    series.highest_mean = max(series.highest_mean, found.highest_mean)
    series.first_digest, series.last_digest = min(series.first_digest, seq), max(series.last_digest, seq)
    series.without_evidence += found.without_evidence
    known = series.known[day]
    if len(known) >= MAX_CELLS:
        series.without_evidence += sum(found.cells.values())
        return
    for key, plays in found.cells.items():
        cell = _Cell(key.weight, str(key.multiplier), str(key.expected))
        known.add(cell)
        for place in (day, EVER):
            added = series.plays.setdefault(place, {})
            added[cell] = added.get(cell, 0) + plays


def read_sums(values: Sequence[object]) -> Sums:
    """Return the sums of a row's columns, in the order of the fields of `Sums`."""
    return Sums.of_texts([str(value) for value in values])


def _stored(sums: Sums) -> list[int | str]:
    counts: list[int | str] = [getattr(sums, name) for name in _SUMS[:_TEXTS_FROM]]
    return counts + [str(getattr(sums, name)) for name in _SUMS[_TEXTS_FROM:]]
