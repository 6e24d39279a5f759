"""What a table of returns says, held against totals, closed pools and definitions; each check raises its reason."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final, NamedTuple

from anchor.errors import MalformedError
from rng_service.games.definition import GameProgram
from rng_service.names import parse_pool_id
from rng_service.rtp.bands import LEVELS
from rng_service.rtp.committed_table import COMMITTED
from rng_service.rtp.periods import Grain, period_text
from rng_service.rtp.rollup import SeriesKey, Sums
from rng_service.rtp.table import PoolReturn, PoolsKey, TableRow, first_difference
from rng_service.rtp.table_reading import read_series
from rng_service.verify.fault import require

__all__ = [
    "ClosedPool",
    "DaySums",
    "check_pools",
    "check_public",
    "check_sums",
    "commitments_of",
    "public_rows",
]

# What totals have of a row: the rest of its sums only records can tell.
_OF_TOTALS: Final = ("outcomes", "plays", "stake_minor", "payout_minor", "unsettled")
# What everybody can compute of a row whose money is withheld, and what its commitment stands for.
_FOLLOWING: Final = ("game", "version", "program", "class", "currency", "digest", "feature", "outcomes", "theoretical")
_STATED: Final = ("rtp_percent", "hit_percent", "expected_percent", "expected_hit_percent")
_ROW: Final = frozenset((*_FOLLOWING, *_STATED, "bands", "commitment", "plays", "plays_at_least"))
_GAME: Final = frozenset(("game", "version", "class", "currency", "theoretical", "rtp_percent"))
_PERCENT: Final = re.compile(r"(?:0|[1-9][0-9]{0,20})\.[0-9]{4}").fullmatch
_COMMITMENT: Final = re.compile(r"[0-9a-f]{64}").fullmatch

DaySums = dict[tuple[SeriesKey, int], Sums]


class ClosedPool(NamedTuple):
    """A pool that was closed, how many of its slots were drawn, and its program."""

    pool: str
    drawn: int
    program: GameProgram


def check_sums(table: Mapping[SeriesKey, TableRow], stated: DaySums) -> None:
    """Hold each day of each row against the totals of that day; VerificationError ``rtp-table-totals``."""
    found = {(key, day): sums for key, row in table.items() for day, sums in row.days.items()}
    for series, day in sorted(found.keys() | stated.keys()):
        one, other = found.get((series, day), Sums()), stated.get((series, day), Sums())
        for name in _OF_TOTALS:
            require(
                getattr(one, name) == getattr(other, name),
                "rtp-table-totals",
                f"{name} of {'/'.join(map(str, series))} on {period_text(Grain.DAY, day)} is {getattr(one, name)} in "
                f"the table, {getattr(other, name)} by the totals",
            )


def check_pools(pools: Mapping[PoolsKey, PoolReturn], closed: Iterable[ClosedPool]) -> None:
    """Hold the pools of a table against those that were closed; VerificationError ``rtp-table-pools``."""
    expected: dict[PoolsKey, PoolReturn] = {}
    for pool in closed:
        key = PoolsKey(*parse_pool_id(pool.pool).stream)
        added = PoolReturn.of_pool(pool.program, pool.drawn, Fraction(0))
        expected[key] = expected[key] + added if key in expected else added
    found = {key: replace(item, returned=Fraction(0)) for key, item in pools.items()}
    require(
        found == expected,
        "rtp-table-pools",
        "the pools of the table are not those that were closed in the time that it covers",
    )


def public_rows(document: Mapping[str, Any]) -> list[tuple[SeriesKey, dict[str, Any]]]:
    """Return the rows of a public document by their series, in its order; raises MalformedError."""
    rows = document.get("rows")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise MalformedError("$.rows: expected an array of objects")
    found = [(read_series(row, f"$.rows[{place}]"), row) for place, row in enumerate(rows)]
    keys = [key for key, _ in found]
    if keys != sorted(set(keys)):
        raise MalformedError("$.rows: the rows are not sorted, or stand there twice")
    return found


def commitments_of(document: Mapping[str, Any]) -> list[bytes]:
    """Return the commitments of the rows of a public document; raises MalformedError."""
    found = []
    for key, row in public_rows(document):
        text = row.get("commitment")
        if not isinstance(text, str) or not _COMMITMENT(text):
            raise MalformedError(f"{'/'.join(map(str, key))}: expected a commitment of 32 bytes in hex")
        found.append(bytes.fromhex(text))
    return found


def check_public(document: Mapping[str, Any], expected: Mapping[str, Any], keys: Collection[SeriesKey]) -> None:
    """Check of a public document what needs no openings; VerificationError ``rtp-table-figures`` or ``-form``.

    ``expected`` is the table that follows from outcomes and definitions alone. ``keys`` are the series of the totals
    in which outcomes were drawn: none of them may be left out.
    """
    rows = public_rows(document)
    left_out = set(keys) - {key for key, _ in rows}
    require(not left_out, "rtp-table-totals", f"the row {left_out and min(left_out)} is left out")
    for (key, row), other in zip(rows, expected["rows"], strict=True):
        name = "/".join(map(str, key))
        require(row.keys() <= _ROW and ("plays" in row) + ("plays_at_least" in row) < 2, "rtp-table-form", name)
        _check_following(name, row, other, _FOLLOWING)
        _check_stated(name, row)
    games = document.get("games")
    require(isinstance(games, list) and len(games) == len(expected["games"]), "rtp-table-figures", "$.games")
    for row, other in zip(games or [], expected["games"], strict=True):
        require(isinstance(row, dict) and row.keys() <= _GAME, "rtp-table-form", "$.games")
        _check_following("$.games", row, other, tuple(_GAME - {"rtp_percent"}))
        _check_percents("$.games", row, ("rtp_percent",))
    rest = {name: item for name, item in document.items() if name not in {"rows", "games"}}
    others = {name: item for name, item in expected.items() if name not in {"rows", "games"}}
    difference = first_difference(rest, others | {"policy": COMMITTED})
    require(not difference, "rtp-table-figures", difference)


def _check_following(name: str, row: Mapping[str, Any], expected: Mapping[str, Any], members: Sequence[str]) -> None:
    ours = {member: expected[member] for member in members if member in expected}
    theirs = {member: row[member] for member in members if member in row}
    difference = first_difference(theirs, ours, name)
    require(not difference, "rtp-table-figures", difference)


def _check_stated(name: str, row: Mapping[str, Any]) -> None:
    _check_percents(name, row, _STATED)
    plays = row.get("plays_at_least", row.get("plays", 0))
    require(type(plays) is int and plays >= 0, "rtp-table-form", f"{name}: plays")
    require("plays_at_least" not in row or re.fullmatch("10*", str(plays)), "rtp-table-form", f"{name}: plays_at_least")
    if "bands" in row:
        bands = row["bands"] if isinstance(row["bands"], list) else []
        require(all(isinstance(item, dict) for item in bands), "rtp-table-form", f"{name}: bands")
        require([item.get("level") for item in bands] == sorted(LEVELS), "rtp-table-form", f"{name}: bands")
        for item in bands:
            require(item.keys() == {"level", "low_percent", "high_percent"}, "rtp-table-form", f"{name}: bands")
            _check_percents(name, item, ("low_percent", "high_percent"))


def _check_percents(name: str, row: Mapping[str, Any], members: Iterable[str]) -> None:
    for member in members:
        text = row.get(member, "0.0000")
        require(isinstance(text, str) and _PERCENT(text), "rtp-table-form", f"{name}: {member}")
