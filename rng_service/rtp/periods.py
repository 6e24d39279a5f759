"""Periods of rollups: hours, days and months UTC, each as one integer, and how a range of hours is covered by them."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum
from typing import Final, NamedTuple

from anchor.errors import MalformedError

__all__ = ["HOUR_US", "Grain", "Span", "cover", "hour_of", "parse_time", "period_of", "period_start", "period_text"]

HOUR_US: Final = 3_600_000_000
_HOURS_A_DAY: Final = 24
_MONTHS_A_YEAR: Final = 12
_EPOCH: Final = date(1970, 1, 1)


class Grain(IntEnum):
    """How long a period is; the number is what stands in the ledger."""

    HOUR = 0
    DAY = 1
    MONTH = 2


class Span(NamedTuple):
    """The periods ``first`` … ``last`` of one grain, both included."""

    grain: Grain
    first: int
    last: int


def hour_of(time_us: int) -> int:
    """Return the hour, counted from 1970, that a time in microseconds UTC lies in."""
    return time_us // HOUR_US


def period_of(grain: Grain, hour: int) -> int:
    """Return the period of ``grain`` that an hour lies in: days since 1970, months as 12 · year + month - 1."""
    if grain is Grain.HOUR:
        return hour
    day = hour // _HOURS_A_DAY
    if grain is Grain.DAY:
        return day
    at = _EPOCH + timedelta(days=day)
    return at.year * _MONTHS_A_YEAR + at.month - 1


def period_start(grain: Grain, period: int) -> int:
    """Return the first hour of a period."""
    if grain is Grain.HOUR:
        return period
    if grain is Grain.DAY:
        return period * _HOURS_A_DAY
    begin = date(period // _MONTHS_A_YEAR, period % _MONTHS_A_YEAR + 1, 1)
    return (begin - _EPOCH).days * _HOURS_A_DAY


def period_text(grain: Grain, period: int) -> str:
    """Return a period for people and programs: ``2026-11-21T04``, ``2026-11-21`` or ``2026-11``."""
    at = datetime.fromtimestamp(period_start(grain, period) * HOUR_US // 1_000_000, UTC)
    return at.strftime({Grain.HOUR: "%Y-%m-%dT%H", Grain.DAY: "%Y-%m-%d", Grain.MONTH: "%Y-%m"}[grain])


def parse_time(text: str, *, end: bool) -> int:
    """Return the hour at which the month, day or hour ``text`` begins; with ``end``, the hour after its last.

    Takes the forms of `period_text`; raises MalformedError for any other.
    """
    for grain, form in ((Grain.HOUR, "%Y-%m-%dT%H"), (Grain.DAY, "%Y-%m-%d"), (Grain.MONTH, "%Y-%m")):
        try:
            at = datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
        hour = ((at.date() - _EPOCH).days * _HOURS_A_DAY) + at.hour
        return period_start(grain, period_of(grain, hour) + 1) if end else hour
    raise MalformedError(
        f"expected a month, day or hour UTC like 2026-11, 2026-11-21 or 2026-11-21T04, got {text[:40]!r}"
    )


def cover(first_hour: int, end_hour: int, coarsest: Grain = Grain.MONTH) -> Iterator[Span]:
    """Yield spans that cover the hours [``first_hour``, ``end_hour``) exactly, as coarse as ``coarsest`` allows.

    At most five spans: hours, days, months, days, hours.
    """
    yield from _cover(coarsest, first_hour, end_hour)


def _cover(grain: Grain, first: int, end: int) -> Iterator[Span]:
    if first >= end:
        return
    if grain is Grain.HOUR:
        yield Span(grain, first, end - 1)
        return
    finer = Grain(grain - 1)
    low = period_of(grain, first)
    if period_start(grain, low) < first:
        low += 1
    high = period_of(grain, end)
    if low >= high:
        yield from _cover(finer, first, end)
        return
    yield from _cover(finer, first, period_start(grain, low))
    yield Span(grain, low, high - 1)
    yield from _cover(finer, period_start(grain, high), end)
