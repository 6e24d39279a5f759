"""Outcomes out of files: CSV, lines of JSON, or the records of an export."""

import json
import re
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from anchor.errors import MalformedError
from rng_service.names import parse_pool_id
from rng_service.records.export import FORMAT, read_header, read_lines
from stats_tests.gaming import Split

__all__ = ["MAX_INTEGERS", "RecordedOutcomes", "read_outcomes"]

# Eight bytes each: a gibibyte.
MAX_INTEGERS: Final = 1 << 27
_MAX_LINE_BYTES: Final = 1 << 20
_HOUR_US: Final = 3_600_000_000
_INTEGER = re.compile(r"0|[1-9][0-9]{0,19}").fullmatch
_OUTCOME = re.compile(rb'"outcome":(\[[0-9,"]*\])').search


@dataclass(frozen=True, eq=False)
class RecordedOutcomes:
    """``rows``: unsigned integers, shape (outcomes, width). ``splits`` say of each outcome whose and when it was.

    ``more`` says that the file goes on behind the last outcome that was read.
    """

    rows: NDArray[np.uint64]
    splits: tuple[Split, ...] = ()
    more: bool = False


@dataclass(slots=True)
class _Collected:
    """What was read so far: integers in a row, and for each outcome the numbers of its caller and hour."""

    width: int
    most: int
    integers: "array[int]" = field(default_factory=lambda: array("Q"))
    callers: "array[int]" = field(default_factory=lambda: array("q"))
    hours: "array[int]" = field(default_factory=lambda: array("q"))
    more: bool = False

    @property
    def full(self) -> bool:
        return len(self.integers) >= self.most * self.width

    def add(self, values: list[int], where: str) -> int:
        """Add one or more outcomes, and return how many."""
        if not values or len(values) % self.width:
            raise MalformedError(f"{where}: an outcome of this program has {self.width} integers, found {len(values)}")
        try:
            self.integers.extend(values)
        except OverflowError:
            raise MalformedError(f"{where}: an integer lies outside 0 … 2^64 - 1") from None
        return len(values) // self.width


def read_outcomes(
    stream: BinaryIO, *, name: str, game: str, version: int, program: str, width: int, most: int | None = None
) -> RecordedOutcomes:
    """Read the outcomes of one program, each ``width`` integers, from the beginning of ``stream``.

    The first line tells the format: an export (`sealdraw export`), of which the draws of this game version and
    program are taken; lines of JSON, each ``[3,1,4]``, ``7`` or ``{"outcome":[3,1,4]}``; or CSV with commas,
    semicolons or blanks between integers, with or without one line of headings. Further lines may be blank.

    Reads no more than ``most`` outcomes, and in no case more than 2^27 integers. ``name`` stands for the file in
    messages. Raises MalformedError with the number of the bad line, or when there are no outcomes.
    """
    limit = MAX_INTEGERS // width
    collected = _Collected(width, limit if most is None else min(most, limit))
    first = stream.readline(_MAX_LINE_BYTES + 1)
    if FORMAT.encode("ascii") in first:
        read_header(_Prefixed(first, stream))  # type: ignore[arg-type] # it has the one method that is asked for
        _read_export(stream, collected, name, (game, version, program))
    else:
        parse = _parser_of(first, name)
        for number, line in enumerate(_lines(first, stream, name), start=1):
            values = parse(line, number)
            if values is None:
                continue
            if collected.full:
                collected.more = True
                break
            collected.add(values, f"{name}: line {number}")
    if not collected.integers:
        raise MalformedError(f"{name}: there are no outcomes of {game} version {version}, program {program}")
    rows = np.frombuffer(collected.integers, dtype=np.uint64).reshape(-1, width)[: collected.most]
    splits = [
        Split(what, np.frombuffer(keys, dtype=np.int64)[: len(rows)])
        for what, keys in (("caller", collected.callers), ("hour", collected.hours))
        if keys
    ]
    return RecordedOutcomes(rows, tuple(splits), collected.more)


class _Prefixed:
    """A line that was read already, and then the stream."""

    def __init__(self, line: bytes, stream: BinaryIO) -> None:
        self._line: bytes | None = line
        self._stream = stream

    def readline(self, limit: int) -> bytes:
        line, self._line = self._line, None
        return self._stream.readline(limit) if line is None else line


def _lines(first: bytes, stream: BinaryIO, name: str) -> Iterator[str]:
    line, number = first, 1
    while line:
        if len(line) > _MAX_LINE_BYTES:
            raise MalformedError(f"{name}: line {number} is longer than {_MAX_LINE_BYTES} bytes")
        try:
            yield line.decode("ascii").strip()
        except UnicodeDecodeError:
            raise MalformedError(f"{name}: line {number} is not text of integers") from None
        line = stream.readline(_MAX_LINE_BYTES + 1)
        number += 1


def _parser_of(first: bytes, name: str) -> Callable[[str, int], list[int] | None]:
    """Return what reads a line: its integers, or None when there is nothing in it."""
    start = first.strip()[:1]
    return partial(_json_line, name) if start in {b"[", b"{"} else partial(_csv_line, name)


def _json_line(name: str, line: str, number: int) -> list[int] | None:
    if not line:
        return None
    try:
        value: Any = json.loads(line)
    except (ValueError, RecursionError):
        raise MalformedError(f"{name}: line {number} is not JSON") from None
    if isinstance(value, dict):
        value = value.get("outcome")
    items = value if isinstance(value, list) else [value]
    return [_integer(item, f"{name}: line {number}") for item in items]


def _csv_line(name: str, line: str, number: int) -> list[int] | None:
    fields = line.replace(",", " ").replace(";", " ").split()
    if not fields:
        return None
    if number == 1 and not any(character.isdigit() for character in line):
        return None  # headings
    return [_integer(item, f"{name}: line {number}") for item in fields]


def _integer(item: object, where: str) -> int:
    """Return an integer that stands as a number, or as text, as exports write those from 2^53 on."""
    if isinstance(item, int) and not isinstance(item, bool):
        return item
    if isinstance(item, str) and _INTEGER(item):
        return int(item)
    raise MalformedError(f"{where}: expected integers from 0 to 2^64 - 1, found {str(item)[:40]!r}")


def _read_export(stream: BinaryIO, collected: _Collected, name: str, wanted: tuple[str, int, str]) -> None:
    """Take the outcomes of the draws of one program; whether they are right is for `sealdraw verify export`."""
    callers: dict[str, int] = {}
    for number, line in enumerate(read_lines(stream), start=2):
        found = _OUTCOME(line.stated)
        if found is None:
            continue
        where = f"{name}: line {number}"
        try:
            binding = json.loads(line.record)["binding"]
            pool, caller, bind_time = str(binding["pool"]), str(binding.get("caller", "")), int(binding["bind_time"])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise MalformedError(f"{where}: the record has no binding that can be read") from None
        owner = parse_pool_id(pool).stream
        if (owner.game, owner.version, owner.program) != wanted:
            continue
        if collected.full:
            collected.more = True
            return
        values = [_integer(item, where) for item in json.loads(found[1])]
        count = collected.add(values, where)
        collected.callers.extend([callers.setdefault(caller, len(callers))] * count)
        collected.hours.extend([bind_time // _HOUR_US] * count)
