"""Outcomes out of files: CSV, lines of JSON, or the records of an export."""

import json
import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from anchor.errors import MalformedError
from rng_service.names import PoolId, parse_pool_id
from rng_service.records.export import FORMAT, read_header, read_lines
from rng_service.statistics.taps import TappedStream
from stats_tests.gaming import Split

__all__ = ["MAX_INTEGERS", "MAX_OUTCOMES", "OutcomeReader", "Places", "RecordedOutcomes", "Wanted", "read_outcomes"]

# Four bytes each, eight for large ones: half a gibibyte, or one.
MAX_INTEGERS: Final = 1 << 27
# The battery counts no more outcomes than this, so no more are read.
MAX_OUTCOMES: Final = 1 << 25
_MAX_LINE_BYTES: Final = 1 << 20
_BLOCK_BYTES: Final = 1 << 20
_CHUNK: Final = 1 << 16
_HOUR_US: Final = 3_600_000_000
_SPLITS: Final = ("caller", "hour", "pool")
_MAX_INTEGER: Final = 2**64 - 1
_INTEGER = re.compile(r"0|[1-9][0-9]{0,19}").fullmatch
# Nineteen digits at most: a number of twenty may be too large, and is looked at by itself.
_PLAIN: Final = rb"(?:0|[1-9][0-9]{0,18})"
_TO_BLANKS: Final = bytes.maketrans(b",;", b"  ")
_OUTCOME = re.compile(rb'"outcome":(\[[0-9,"]*\])').search


@dataclass(frozen=True, slots=True)
class Wanted:
    """The outcomes of one program: ``width`` integers each."""

    game: str
    version: int
    program: str
    width: int

    def __str__(self) -> str:
        return f"{self.game} version {self.version}, program {self.program}"


@dataclass(frozen=True, eq=False)
class Places:
    """Where outcomes came from: ``pools[pool[i]]`` and the slot of outcome i, which is ``part[i]``-th of its draw."""

    pools: tuple[PoolId, ...]
    pool: NDArray[np.unsignedinteger[Any]]
    slot: NDArray[np.unsignedinteger[Any]]
    part: NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, eq=False)
class RecordedOutcomes:
    """``rows``: unsigned integers, shape (outcomes, width). ``splits`` say of each outcome whose and when it was.

    ``more`` says that the file goes on behind the last outcome that was read. ``places`` are known of exports.
    """

    rows: NDArray[np.unsignedinteger[Any]]
    splits: tuple[Split, ...] = ()
    more: bool = False
    places: Places | None = None


class _Integers:
    """Integers that arrive one after the other, kept in the smaller of two types that holds them."""

    def __init__(self) -> None:
        self._open: array[int] = array("Q")
        self._closed: list[NDArray[np.unsignedinteger[Any]]] = []

    def extend(self, values: Sequence[int]) -> None:
        self._open.extend(values)
        if len(self._open) >= _CHUNK:
            self._close()

    def all(self) -> NDArray[np.unsignedinteger[Any]]:
        self._close()
        if len(self._closed) != 1:
            self._closed = [np.concatenate(self._closed)] if self._closed else [np.empty(0, dtype=np.uint32)]
        return self._closed[0]

    def _close(self) -> None:
        if self._open:
            kept = np.array(self._open, dtype=np.uint64)
            self._closed.append(kept.astype(np.uint32) if int(kept.max()) < 1 << 32 else kept)
            self._open = array("Q")


@dataclass(slots=True)
class _Collected:
    """What was read of one program: integers in a row, and for each outcome what is known of it."""

    wanted: Wanted
    count: int = 0
    integers: _Integers = field(default_factory=_Integers)
    known: dict[str, _Integers] = field(default_factory=dict)
    callers: dict[str, int] = field(default_factory=dict)
    pools: dict[str, tuple[int, PoolId]] = field(default_factory=dict)

    def add(self, values: list[int], where: str) -> int:
        """Add one or more outcomes, and return how many."""
        width = self.wanted.width
        if not values or len(values) % width:
            raise MalformedError(f"{where}: an outcome of this program has {width} integers, found {len(values)}")
        self.integers.extend(values)
        self.count += len(values) // width
        return len(values) // width

    def note(self, what: str, values: Sequence[int], where: str) -> None:
        """Keep ``values``, one for each of the last outcomes; either all outcomes have them or none has."""
        kept = self.known.get(what)
        if kept is None:
            if self.count != len(values):
                raise MalformedError(f"{where}: has a {what}, and the lines before have none")
            kept = self.known[what] = _Integers()
        kept.extend(values)

    def recorded(self, count: int, *, more: bool) -> RecordedOutcomes:
        """Return the first ``count`` outcomes."""
        rows = self.integers.all().reshape(-1, self.wanted.width)[:count]
        known = {what: kept.all()[:count] for what, kept in self.known.items()}
        splits = tuple(
            Split(what, known[what].astype(np.int64)) for what in ("caller", "hour", "pool") if what in known
        )
        places = None
        if self.pools:
            pools = tuple(pool for _, pool in self.pools.values())
            places = Places(pools, known["pool"], known["slot"], known["part"])
        return RecordedOutcomes(rows, splits, more or self.count > count, places)


class OutcomeReader:
    """Reads the outcomes of one program from the beginning of ``stream``, as many as are asked for, and then more.

    The first line tells the format: an export (`sealdraw export`), of which the draws of the program ``wanted`` are
    taken, and those of ``beside`` by the way; lines of JSON, each ``[3,1,4]``, ``7`` or ``{"outcome":[3,1,4]}``, the
    last with ``"caller"`` and ``"bind_time"`` (microseconds) if one likes; or CSV with commas, semicolons or blanks
    between integers, with or without one line of headings. Further lines may be blank.

    Never reads more than 2^25 outcomes, nor more than 2^27 integers. ``name`` stands for the file in messages.
    """

    def __init__(
        self, stream: BinaryIO | TappedStream, *, name: str, wanted: Wanted, beside: Sequence[Wanted] = ()
    ) -> None:
        self._name = name
        self._collected = _Collected(wanted)
        self._beside = [_Collected(other) for other in beside]
        self._limit = min(MAX_OUTCOMES, MAX_INTEGERS // wanted.width)
        self._steps = self._begin(stream)
        self._ended = False

    @property
    def count(self) -> int:
        """How many outcomes were read."""
        return self._collected.count

    def up_to(self, count: int | None, progress: Callable[[int], None] = lambda _count: None) -> RecordedOutcomes:
        """Read until there are ``count`` outcomes, or as many as there are, and return all since the beginning.

        Raises MalformedError with the number of a bad line, and when there are no outcomes at all.
        """
        wanted = self._limit if count is None else min(count, self._limit)
        told = self.count
        while self.count < wanted and not self._ended:
            self._ended = next(self._steps, None) is None
            if self.count - told >= _CHUNK:
                told = self.count
                progress(min(told, wanted))
        if not self.count:
            raise MalformedError(f"{self._name}: there are no outcomes of {self._collected.wanted}")
        if not self._ended and self.count == wanted:
            # One line more tells whether the input goes on.
            self._ended = next(self._steps, None) is None
        return self._collected.recorded(wanted, more=not self._ended)

    def beside(self) -> list[RecordedOutcomes]:
        """Return what was read of each program beside, which may be nothing."""
        return [other.recorded(other.count, more=False) for other in self._beside]

    def _begin(self, stream: BinaryIO | TappedStream) -> Iterator[bool]:
        """Yield once for each line with outcomes."""
        first = stream.readline(_MAX_LINE_BYTES + 1)
        if FORMAT.encode("ascii") in first:
            read_header(_Prefixed(first, stream))  # type: ignore[arg-type] # it has the one method that is asked for
            yield from self._export(stream)
            return
        if self._beside:
            raise MalformedError(f"{self._name}: only an export holds the outcomes of several programs")
        if first.strip()[:1] not in {b"[", b"{"}:
            yield from self._csv(first, stream)
            return
        for number, line in enumerate(_lines(first, stream, self._name), start=1):
            if _json_line(self._collected, f"{self._name}: line {number}", line):
                yield True

    def _csv(self, first: bytes, stream: BinaryIO | TappedStream) -> Iterator[bool]:
        """Take whole lines, many at a time: all at once where each is one plain outcome, else line by line."""
        plain = _plain_lines(self._collected.wanted.width)
        number, block = 1, first
        while block:
            if number > 1 and plain(block):
                values = list(map(int, block.translate(_TO_BLANKS).split()))
                self._collected.add(values, self._name)
                number += len(values) // self._collected.wanted.width
                yield True
            else:
                for line in block.removesuffix(b"\n").split(b"\n"):
                    text = _text(line, number, self._name)
                    if _csv_line(self._collected, f"{self._name}: line {number}", text, number):
                        yield True
                    number += 1
            block = stream.read(_BLOCK_BYTES)
            if block[-1:] not in {b"", b"\n"}:
                block += stream.readline(_MAX_LINE_BYTES + 1)

    def _export(self, stream: BinaryIO | TappedStream) -> Iterator[bool]:
        """Take the outcomes of the draws; whether they are right is for `sealdraw verify export`."""
        programs = {
            (of.wanted.game, of.wanted.version, of.wanted.program): of for of in (self._collected, *self._beside)
        }
        for number, line in enumerate(read_lines(stream), start=2):  # type: ignore[arg-type] # it has readline()
            found = _OUTCOME(line.stated)
            if found is None:
                continue
            where = f"{self._name}: line {number}"
            try:
                binding = json.loads(line.record)["binding"]
                pool, caller = str(binding["pool"]), str(binding.get("caller", ""))
                bind_time, slot = int(binding["bind_time"]), int(binding["slot"])
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                raise MalformedError(f"{where}: the record has no binding that can be read") from None
            if not (0 <= bind_time <= _MAX_INTEGER and 0 <= slot <= _MAX_INTEGER):
                raise MalformedError(f"{where}: the record has no binding that can be read")
            owner = parse_pool_id(pool)
            collected = programs.get((owner.stream.game, owner.stream.version, owner.stream.program))
            if collected is None:
                continue
            values = [_integer(item, where) for item in json.loads(found[1])]
            count = collected.add(values, where)
            index, _ = collected.pools.setdefault(pool, (len(collected.pools), owner))
            whose = collected.callers.setdefault(caller, len(collected.callers))
            known = (("caller", whose), ("hour", bind_time // _HOUR_US), ("pool", index), ("slot", slot))
            for what, value in known:
                collected.note(what, [value] * count, where)
            collected.note("part", range(count), where)
            yield True


def read_outcomes(
    stream: BinaryIO | TappedStream,
    *,
    name: str,
    game: str,
    version: int,
    program: str,
    width: int,
    most: int | None = None,
) -> RecordedOutcomes:
    """Read the outcomes of one program, at most ``most``, from the beginning of ``stream``; see `OutcomeReader`."""
    return OutcomeReader(stream, name=name, wanted=Wanted(game, version, program, width)).up_to(most)


class _Prefixed:
    """A line that was read already, and then the stream."""

    def __init__(self, line: bytes, stream: BinaryIO | TappedStream) -> None:
        self._line: bytes | None = line
        self._stream = stream

    def readline(self, limit: int) -> bytes:
        line, self._line = self._line, None
        return self._stream.readline(limit) if line is None else line


def _plain_lines(width: int) -> Callable[[bytes], object]:
    """Return what says whether bytes are lines of ``width`` integers with one separator between two, and no others."""
    between = rb"(?:[,; \t]" + _PLAIN + rb"){%d}" % (width - 1) if width > 1 else b""
    return re.compile(rb"(?:" + _PLAIN + between + rb"\r?\n)++").fullmatch


def _lines(first: bytes, stream: BinaryIO | TappedStream, name: str) -> Iterator[str]:
    line, number = first, 1
    while line:
        yield _text(line, number, name)
        line = stream.readline(_MAX_LINE_BYTES + 1)
        number += 1


def _text(line: bytes, number: int, name: str) -> str:
    if len(line) > _MAX_LINE_BYTES:
        raise MalformedError(f"{name}: line {number} is longer than {_MAX_LINE_BYTES} bytes")
    try:
        return line.decode("ascii").strip()
    except UnicodeDecodeError:
        raise MalformedError(f"{name}: line {number} is not text of integers") from None


def _json_line(collected: _Collected, where: str, line: str) -> int:
    """Add what a line holds, and return how many outcomes that is."""
    if not line:
        return 0
    try:
        value: Any = json.loads(line, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise MalformedError(f"{where} is not JSON") from None
    members: dict[str, Any] = value if isinstance(value, dict) else {}
    found = members.get("outcome") if isinstance(value, dict) else value
    items = found if isinstance(found, list) else [found]
    count = collected.add([_integer(item, where) for item in items], where)
    caller, bind_time = members.get("caller"), members.get("bind_time")
    for what, stated in (("caller", caller), ("hour", bind_time)):
        if stated is None and what in collected.known:
            raise MalformedError(f"{where}: has no {what}, and the lines before have one")
    if caller is not None:
        if not isinstance(caller, str):
            raise MalformedError(f"{where}: a caller is text")
        whose = collected.callers.setdefault(caller, len(collected.callers))
        collected.note("caller", [whose] * count, where)
    if bind_time is not None:
        collected.note("hour", [_integer(bind_time, where) // _HOUR_US] * count, where)
    return count


def _no_number(name: str) -> None:
    raise ValueError(name)


def _csv_line(collected: _Collected, where: str, line: str, number: int) -> int:
    """Add what a line holds, and return how many outcomes that is."""
    fields = line.replace(",", " ").replace(";", " ").split()
    if not fields or (number == 1 and not any(character.isdigit() for character in line)):
        return 0  # nothing, or headings
    return collected.add([_integer(item, where) for item in fields], where)


def _integer(item: object, where: str) -> int:
    """Return an integer that stands as a number, or as text, as exports write those from 2^53 on."""
    if isinstance(item, str) and _INTEGER(item):
        item = int(item)
    if type(item) is int and 0 <= item <= _MAX_INTEGER:  # bool is a subclass of int
        return item
    raise MalformedError(f"{where}: expected integers from 0 to 2^64 - 1, found {str(item)[:40]!r}")
