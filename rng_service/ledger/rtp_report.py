"""Rows of realised return as they are shown: sums, figures, evidence where there is some, and open alarms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from sqlalchemy import Connection

from rng_service.ledger.rtp_evidence import KnownSeries, evidence, known_series, open_alarms
from rng_service.ledger.rtp_query import Group, RtpQuery
from rng_service.log_entries.rtp import e_value_text
from rng_service.rtp.figures import Figures, figures
from rng_service.rtp.periods import Grain, period_start, period_text
from rng_service.rtp.rollup import SeriesKey
from rng_service.rtp.stakes import StakeBands

__all__ = ["INTERVAL_LEVEL", "Evidences", "Interval", "ReportRow", "report_row"]

INTERVAL_LEVEL: Final = Fraction(1, 100)
"""What the confidence sequences of rows are allowed to miss, each for itself, at any number of looks."""

_HOURS_A_DAY: Final = 24
_SERIES: Final = frozenset(SeriesKey._fields)


@dataclass(frozen=True, slots=True)
class Interval:
    """The confidence sequence of realised less theoretical return, and the e-value against "as stated"."""

    lower: float
    upper: float
    e_value: str
    plays: int


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One row; ``no_interval`` says why there is no interval. ``alarmed``: an alarm of its plays' series is open."""

    period: str
    group: Group
    figures: Figures
    interval: Interval | None
    no_interval: str
    alarmed: bool


class Evidences:
    """What is known about series at the moment of a question, read once for all rows."""

    def __init__(self, connection: Connection, query: RtpQuery, bands: StakeBands) -> None:
        self._connection = connection
        self._query = query
        self._bands = bands
        self._series = known_series(connection)
        self._alarms = open_alarms(connection)

    def of(self, group: Group) -> list[KnownSeries]:
        """Return the series that the plays of a row belong to."""
        values: Mapping[str, Any] = dict(zip(self._query.by, group.values, strict=True))
        return [item for item in self._series if self._belongs(item.key, values)]

    def alarmed(self, series: Sequence[KnownSeries]) -> bool:
        """Return whether an alarm of any of them is open."""
        return any(item.id in self._alarms for item in series)

    def interval(self, group: Group, series: Sequence[KnownSeries]) -> Interval | str:
        """Return the interval of a row, or why there is none."""
        query = self._query
        if not _SERIES.issuperset([*query.where, *query.by]):
            return "evidence is collected by game, version, program, class and currency only"
        if query.grain is Grain.HOUR or query.first_hour % _HOURS_A_DAY or query.end_hour % _HOURS_A_DAY:
            return "evidence is collected by whole days"
        if len({item.key.currency for item in series}) != 1:
            return "one currency at a time: name one, or group by it"
        found = evidence(self._connection, series, self._bands, self._days(group))
        if found is None:
            return "no play with an exact price and a paytable that bounds it was folded in yet"
        lower, upper = found.interval(INTERVAL_LEVEL)
        return Interval(lower, upper, e_value_text(max(0.0, found.log_e_value())), found.plays)

    def _days(self, group: Group) -> tuple[int, int] | None:
        query = self._query
        if group.period is None or query.grain is None:
            if query == RtpQuery(query.where, query.by):
                return None
            return query.first_hour // _HOURS_A_DAY, query.end_hour // _HOURS_A_DAY
        first = max(period_start(query.grain, group.period), query.first_hour)
        end = min(period_start(query.grain, group.period + 1), query.end_hour)
        return first // _HOURS_A_DAY, end // _HOURS_A_DAY

    def _belongs(self, key: SeriesKey, values: Mapping[str, Any]) -> bool:
        named = {name: getattr(key, name) for name in SeriesKey._fields}
        return all(named[name] in wanted for name, wanted in self._query.where.items() if name in named) and all(
            named[name] == value for name, value in values.items() if name in named
        )


def report_row(known: Evidences, query: RtpQuery, group: Group, *, interval: bool) -> ReportRow:
    """Return what is shown of a group. ``interval`` takes a tenth of a second where paytables have many prizes."""
    series = known.of(group)
    found = known.interval(group, series) if interval else "not asked for"
    return ReportRow(
        period="" if group.period is None or query.grain is None else period_text(query.grain, group.period),
        group=group,
        figures=figures(group.sums),
        interval=None if isinstance(found, str) else found,
        no_interval=found if isinstance(found, str) else "",
        alarmed=known.alarmed(series),
    )
