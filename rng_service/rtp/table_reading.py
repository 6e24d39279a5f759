"""Reading a table of returns back into sums, strictly: whoever checks a table makes it again from these."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from anchor.errors import MalformedError
from rng_service.names import check_name
from rng_service.rtp.periods import Grain, parse_time, period_of
from rng_service.rtp.rollup import SeriesKey, Sums
from rng_service.rtp.table import TABLE_FORMAT, PoolReturn, PoolsKey, TableRow

__all__ = ["ReadTable", "read_pools", "read_series", "read_table"]

_MOST_DIGITS: Final = 2_000
# Far beyond all money there is, and within what pictures can be drawn of.
_MOST_MONEY: Final = 10**80
_MOST_VARIANCE: Final = 10**160
# Nothing else that Python takes for a number: an exponent would ask for as much memory as it likes.
_INTEGER: Final = re.compile(r"0|[1-9][0-9]*").fullmatch
_FRACTION: Final = re.compile(r"(?:0|[1-9][0-9]*)(?:/[1-9][0-9]*)?").fullmatch
_COUNTS = ("outcomes", "plays", "hits", "unsettled", "unpriced", "by_strategy")
_AMOUNTS = ("stake_minor", "payout_minor", "expected_variance")
_FRACTIONS = ("expected_payout", "expected_hits")


@dataclass(frozen=True, slots=True)
class ReadTable:
    """The sums that a table states."""

    rows: Mapping[SeriesKey, TableRow]
    pools: Mapping[PoolsKey, PoolReturn]


def read_table(document: Mapping[str, Any]) -> ReadTable:
    """Return the sums of a table; raises MalformedError naming the member that is not as it should be.

    Nothing derived is looked at: `rtp_table` of these sums gives the whole document, and must give this one.
    """
    if document.get("format") != TABLE_FORMAT:
        raise MalformedError(f"$.format: expected {TABLE_FORMAT}")
    rows: dict[SeriesKey, TableRow] = {}
    for place, row in enumerate(_list(document, "rows", "$")):
        path = f"$.rows[{place}]"
        key = read_series(row, path)
        if key in rows:
            raise MalformedError(f"{path}: the row stands there twice")
        days = TableRow()
        for number, day in enumerate(_list(row, "days", path)):
            where = f"{path}.days[{number}]"
            text = _text(day, "day", where)
            at = period_of(Grain.DAY, parse_time(text, end=False))
            if at in days.days:
                raise MalformedError(f"{where}: the day stands there twice")
            days.add(at, _sums(day, where))
        rows[key] = days
        _check_bounds(days, path)
    return ReadTable(rows, read_pools(document))


def read_pools(document: Mapping[str, Any]) -> dict[PoolsKey, PoolReturn]:
    """Return the closed pools of a table; raises MalformedError."""
    pools: dict[PoolsKey, PoolReturn] = {}
    for place, row in enumerate(_list(document, "pools", "$")):
        path = f"$.pools[{place}]"
        pools_key = PoolsKey(*_stream(row, path))
        if pools_key in pools:
            raise MalformedError(f"{path}: the row stands there twice")
        returned = _fraction(_text(row, "returned", path), path)
        if returned > _MOST_MONEY:
            raise MalformedError(f"{path}: no pool returned that much")
        spread = _fraction(_text(row, "spread", path), path) if "spread" in row else None
        pools[pools_key] = PoolReturn(_count(row, "pools", path), _count(row, "outcomes", path), returned, spread)
    return pools


def read_series(row: Mapping[str, Any], path: str) -> SeriesKey:
    """Return what a row is about; raises MalformedError."""
    return SeriesKey(*_stream(row, path), _text(row, "currency", path))


def _check_bounds(row: TableRow, path: str) -> None:
    """Refuse what no plays add up to; whether these did only their records can tell."""
    for sums in row.days.values():
        unpaid = sums.hits > sums.payout_minor or (sums.payout_minor and not sums.hits)
        priced = sums.plays - sums.unpriced
        if sums.expected_payout > _MOST_MONEY or sums.expected_variance > _MOST_VARIANCE:
            raise MalformedError(f"{path}: no stakes are expected to return that much")
        if sums.hits > sums.plays or unpaid or priced < sums.by_strategy or sums.expected_hits > priced:
            raise MalformedError(f"{path}: no {sums.plays} plays have these hits and expectations")


def _sums(row: Mapping[str, Any], path: str) -> Sums:
    sums = Sums()
    for name in _COUNTS:
        optional = name in {"unpriced", "by_strategy"}
        # Outcomes of an earlier day may be settled today: only that count can fall below zero.
        low = -(2**53) if name == "unsettled" else 0
        setattr(sums, name, 0 if optional and name not in row else _count(row, name, path, low=low))
    for name in _AMOUNTS:
        setattr(sums, name, _integer(_text(row, name, path), f"{path}.{name}"))
    for name in _FRACTIONS:
        setattr(sums, name, _fraction(_text(row, name, path), f"{path}.{name}"))
    return sums


def _stream(row: Mapping[str, Any], path: str) -> tuple[str, int, str, str]:
    return (
        check_name(_text(row, "game", path)),
        _count(row, "version", path),
        check_name(_text(row, "program", path)),
        _text(row, "class", path),
    )


def _list(row: Mapping[str, Any], name: str, path: str) -> list[Any]:
    found = row.get(name) if isinstance(row, dict) else None
    if not isinstance(found, list):
        raise MalformedError(f"{path}.{name}: expected an array")
    return found


def _text(row: Mapping[str, Any], name: str, path: str) -> str:
    found = row.get(name) if isinstance(row, dict) else None
    if not isinstance(found, str) or len(found) > 2 * _MOST_DIGITS + 1:
        raise MalformedError(f"{path}.{name}: expected a string")
    return found


def _count(row: Mapping[str, Any], name: str, path: str, *, low: int = 0) -> int:
    found = row.get(name)
    if type(found) is not int or found < low:
        raise MalformedError(f"{path}.{name}: expected an integer from {low} on")
    return found


def _integer(text: str, path: str) -> int:
    if len(text) > _MOST_DIGITS or not _INTEGER(text):
        raise MalformedError(f"{path}: {text[:40]!r} is no whole number")
    return int(text)


def _fraction(text: str, path: str) -> Fraction:
    if max(map(len, text.split("/"))) > _MOST_DIGITS or not _FRACTION(text):
        raise MalformedError(f"{path}: {text[:40]!r} is no fraction")
    return Fraction(text)
