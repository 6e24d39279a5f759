"""Questions to the rollups: any part of what they are kept by, over any hours, added up exactly by any part of it.

Whole months and days are answered from rows that are added up already, so a year of a hundred million draws is some
thousand rows. What digests added and nobody folded yet is counted as well, so an answer is never late.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, func, select

from anchor.errors import MalformedError
from rng_service.ledger.models import DigestRow, RtpKeyRow, RtpRollupRow
from rng_service.ledger.rollups import read_deltas
from rng_service.rtp.periods import HOUR_US, Grain, cover, period_of, period_start
from rng_service.rtp.rollup import RollupKey, Sums

__all__ = ["DIMENSIONS", "Group", "RtpQuery", "covered_digests", "query_rollups"]

DIMENSIONS: Final = RollupKey._fields
"""What can be asked for and grouped by."""

# The year 3000: a whole number of months, so that an open end is answered from months.
_LAST_HOUR: Final = period_start(Grain.MONTH, 3_000 * 12)
_SUMS: Final = tuple(item.name for item in fields(Sums))
_INTEGERS: Final = len(_SUMS) - 2
_COLUMNS: Final = tuple(getattr(RtpRollupRow, name) for name in _SUMS)


@dataclass(frozen=True, slots=True)
class RtpQuery:
    """``where`` restricts dimensions to values, ``by`` names those to group by, in the order of the answer.

    The hours are [``first_hour``, ``end_hour``) since 1970. With a ``grain`` each of its periods is a group of its own.
    Raises MalformedError for a dimension that there is not.
    """

    where: Mapping[str, frozenset[Any]] = field(default_factory=dict)
    by: tuple[str, ...] = ()
    first_hour: int = 0
    end_hour: int = _LAST_HOUR
    grain: Grain | None = None

    def __post_init__(self) -> None:
        for name in (*self.where, *self.by):
            if name not in DIMENSIONS:
                raise MalformedError(f"{name[:40]!r} is not kept; rows have {', '.join(DIMENSIONS)}")

    def takes(self, key: RollupKey) -> bool:
        """Return whether a row of this key is asked for."""
        return all(getattr(key, name) in values for name, values in self.where.items())

    def group(self, key: RollupKey) -> tuple[Any, ...]:
        """Return the part of a key that is grouped by."""
        return tuple(getattr(key, name) for name in self.by)


class Group(NamedTuple):
    """One row of an answer: its period (None when not grouped by one), its values of ``by``, and the sums."""

    period: int | None
    values: tuple[Any, ...]
    sums: Sums


def query_rollups(connection: Connection, query: RtpQuery) -> list[Group]:
    """Return the groups in which anything happened, by period and values, on one snapshot of the ledger."""
    groups = _Groups()
    keys = {row[0]: RollupKey(*row[1:]) for row in connection.execute(select(RtpKeyRow.__table__))}
    wanted = {number: query.group(key) for number, key in keys.items() if query.takes(key)}
    first, end = query.first_hour, query.end_hour
    coarsest = Grain.MONTH if query.grain is None else query.grain
    for span in cover(first, end, coarsest):
        rows = select(RtpRollupRow.period, RtpRollupRow.key_id, *_COLUMNS).where(
            RtpRollupRow.grain == int(span.grain), RtpRollupRow.period.between(span.first, span.last)
        )
        if query.where:
            rows = rows.where(RtpRollupRow.key_id.in_(_key_ids(query)))
        periods = _Periods(query.grain, span.grain)
        for row in connection.execute(rows):
            values = wanted.get(row[1])
            if values is not None:
                groups.add((periods.of(row[0]), values), row[2:])
    for _, delta in read_deltas(connection):
        if first <= delta.hour < end:
            period = None if query.grain is None else period_of(query.grain, delta.hour)
            for key, sums in delta.rows.items():
                if query.takes(key):
                    groups.add((period, query.group(key)), sums.texts())
    return groups.found()


def covered_digests(connection: Connection, first_hour: int, end_hour: int) -> tuple[int, int] | None:
    """Return the first and last digest of the hours [``first_hour``, ``end_hour``), None when there is none.

    Digests' times never run backwards, so the digests of a period are a range of the log.
    """
    newest = connection.execute(select(func.max(DigestRow.seq))).scalar()
    if newest is None:
        return None
    first = _first_since(connection, int(newest), first_hour * HOUR_US)
    end = _first_since(connection, int(newest), end_hour * HOUR_US)
    return (first, end - 1) if first < end else None


def _first_since(connection: Connection, newest: int, time_us: int) -> int:
    """Return the first digest that was not made before ``time_us``, or the one that comes after the newest."""
    low, high = 0, newest + 1
    while low < high:
        middle = (low + high) // 2
        made_us = connection.execute(select(DigestRow.created_us).where(DigestRow.seq == middle)).scalar_one()
        low, high = (middle + 1, high) if made_us < time_us else (low, middle)
    return low


def _key_ids(query: RtpQuery) -> Any:
    ids = select(RtpKeyRow.id)
    for name, values in query.where.items():
        ids = ids.where(getattr(RtpKeyRow, name).in_(sorted(values)))
    return ids


class _Groups:
    """Adds up rows by group, fractions by their denominators: most rows of a game have the same."""

    def __init__(self) -> None:
        self._integers: dict[tuple[int | None, tuple[Any, ...]], list[int]] = {}
        self._fractions: dict[tuple[int | None, tuple[Any, ...]], tuple[dict[str, int], dict[str, int]]] = {}

    def add(self, group: tuple[int | None, tuple[Any, ...]], row: Sequence[Any]) -> None:
        """Add one row: the columns of `Sums` in their order, numbers or their texts."""
        known = self._integers.get(group)
        if known is None:
            known = self._integers[group] = [0] * _INTEGERS
            self._fractions[group] = ({}, {})
        for place in range(_INTEGERS):
            known[place] += int(row[place])
        for found, text in zip(self._fractions[group], row[_INTEGERS:], strict=True):
            numerator, _, denominator = text.partition("/")
            found[denominator] = found.get(denominator, 0) + int(numerator)

    def found(self) -> list[Group]:
        """Return what was added up, in order."""
        return [
            Group(*group, _sums(integers, self._fractions[group]))
            for group, integers in sorted(self._integers.items(), key=lambda item: (item[0][0] or 0, item[0][1]))
        ]


def _sums(integers: Sequence[int], fractions: Sequence[Mapping[str, int]]) -> Sums:
    sums = Sums(
        expected_payout=_fraction(fractions[0]),
        expected_hits=_fraction(fractions[1]),
    )
    for name, value in zip(_SUMS, integers, strict=False):
        setattr(sums, name, value)
    return sums


def _fraction(found: Mapping[str, int]) -> Fraction:
    parts = (Fraction(numerator, int(denominator or 1)) for denominator, numerator in found.items())
    return sum(parts, Fraction(0))


class _Periods:
    """The period of the answer that a row's period lies in; few periods, many rows."""

    def __init__(self, wanted: Grain | None, stored: Grain) -> None:
        self._wanted = wanted
        self._stored = stored
        self._known: dict[int, int | None] = {}

    def of(self, period: int) -> int | None:
        if period not in self._known:
            hour = period_start(self._stored, period)
            self._known[period] = None if self._wanted is None else period_of(self._wanted, hour)
        return self._known[period]
