"""The evidence of the rollups: histograms of whole series, and what alarms stand."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from sqlalchemy import Connection, func, select

from rng_service.ledger.models import RtpAlarmRow, RtpCellRow, RtpSeriesRow
from rng_service.ledger.rollups import EVER
from rng_service.rtp.joint import JointEvidence, StoredCell, full_weights
from rng_service.rtp.rollup import SeriesKey
from rng_service.rtp.stakes import StakeBands

__all__ = ["KnownSeries", "evidence", "known_series", "open_alarms"]


@dataclass(frozen=True, slots=True)
class KnownSeries:
    """One series as it stands in the ledger; ``since_day`` is set once an alarm of it was acknowledged."""

    id: int
    key: SeriesKey
    highest: Fraction
    highest_mean: Fraction
    without_evidence: int
    first_digest: int
    last_digest: int
    since_day: int | None
    since_digest: int | None
    acknowledged: int


def known_series(connection: Connection) -> list[KnownSeries]:
    """Return every series in which something was played, in the order in which they began."""
    rows = connection.execute(select(RtpSeriesRow.__table__).order_by(RtpSeriesRow.id)).all()
    acknowledged = Counter(
        connection.scalars(select(RtpAlarmRow.series_id).where(RtpAlarmRow.acknowledged_us.is_not(None)))
    )
    return [
        KnownSeries(
            row.id,
            SeriesKey(row.game, row.version, row.program, row.play_class, row.currency),
            Fraction(row.highest),
            Fraction(row.highest_mean),
            row.without_evidence,
            row.first_digest,
            row.last_digest,
            row.since_day,
            row.since_digest,
            acknowledged[row.id],
        )
        for row in rows
        if row.last_digest >= 0
    ]


def evidence(
    connection: Connection,
    series: Sequence[KnownSeries],
    bands: StakeBands,
    days: tuple[int, int] | None = None,
) -> JointEvidence | None:
    """Return the evidence of ``series`` of one currency, over all days or the days [first, end); None without plays.

    Folded plays only: what the newest digests added joins some seconds later.
    """
    cells: dict[StoredCell, int] = {}
    for item in series:
        for cell, plays in _cells(connection, item.id, days):
            cells[cell] = cells.get(cell, 0) + plays
    if not cells:
        return None
    return JointEvidence(
        cells,
        full_weights(bands, series[0].key.currency),
        highest=max(item.highest for item in series),
        highest_expected=max(item.highest_mean for item in series),
    )


def open_alarms(connection: Connection) -> dict[int, RtpAlarmRow]:
    """Return by series the alarm that nobody acknowledged yet."""
    rows = connection.execute(select(RtpAlarmRow.__table__).where(RtpAlarmRow.acknowledged_us.is_(None)))
    return {row.series_id: row for row in rows}  # type: ignore[misc] # rows with the columns of the model


def _cells(connection: Connection, series: int, days: tuple[int, int] | None) -> Iterable[tuple[StoredCell, int]]:
    query = select(RtpCellRow.weight, RtpCellRow.multiplier, RtpCellRow.expected, func.sum(RtpCellRow.plays)).where(
        RtpCellRow.series_id == series
    )
    if days is None:
        query = query.where(RtpCellRow.day == EVER)
    else:
        query = query.where(RtpCellRow.day >= max(days[0], 0), RtpCellRow.day < days[1])
    rows = connection.execute(query.group_by(RtpCellRow.weight, RtpCellRow.multiplier, RtpCellRow.expected))
    return [(StoredCell(row[0], row[1], row[2]), int(row[3])) for row in rows]
