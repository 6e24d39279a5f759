"""Exports: the records of a run of digests as lines of text, for auditors (PROTOCOL.md, section 12).

The first line says what the file is about; each further line is one record, in the order of the digests.
Writing and reading hold one line at a time.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from json import JSONDecodeError, loads
from typing import BinaryIO, Final, NamedTuple

from anchor import canonical
from anchor.errors import MalformedError
from rng_service.entry_fields import Boolean, Count, FieldTable, Origin
from rng_service.records.receipt import outcome_to_json

FORMAT: Final = "sealdraw/export@v1"
MAX_LINE_BYTES: Final = 16_777_216


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportHeader:
    """What the file covers. A complete export has every record of its digests."""

    origin: Origin
    from_digest: Count
    to_digest: Count
    complete: Boolean


_HEADER = FieldTable(ExportHeader)


class ExportLine(NamedTuple):
    """One record: its digest's number, its bytes, and what followed from it.

    ``outcome`` is in its JSON form (decimal strings from 2^53 on) and payouts are decimal strings: a reader
    that recomputes them compares them as they stand.
    """

    digest: int
    record: bytes
    outcome: list[int | str] | None = None
    payouts_minor: list[str] | None = None


def write_export(stream: BinaryIO, header: ExportHeader, lines: Iterable[ExportLine]) -> int:
    """Write an export and return the number of records in it."""
    stream.write(canonical.encode({**_HEADER.write(header), "format": FORMAT}) + b"\n")
    written = 0
    for line in lines:
        stream.write(line_bytes(line))
        written += 1
    return written


def line_bytes(line: ExportLine) -> bytes:
    """Return one record's line with its newline."""
    members: dict[str, canonical.JSONValue] = {"digest": line.digest, "record": line.record.decode("ascii")}
    if line.outcome is not None:
        members["outcome"] = line.outcome
    if line.payouts_minor is not None:
        members["payouts_minor"] = line.payouts_minor
    return canonical.encode(members) + b"\n"


def draw_line(
    digest: int, record: bytes, outcome: tuple[int, ...], payouts_minor: tuple[int, ...] | None
) -> ExportLine:
    """Return the line of a drawn record."""
    payouts = None if payouts_minor is None else [str(item) for item in payouts_minor]
    return ExportLine(digest, record, outcome_to_json(outcome), payouts)


def read_header(stream: BinaryIO) -> ExportHeader:
    """Read the first line of an export; raises MalformedError."""
    data = _line(stream)
    if data is None:
        raise MalformedError("export: the file is empty")
    members = canonical.decode_object(data, limit=4_096, what="export header")
    if members.pop("format", None) != FORMAT:
        raise MalformedError(f"export: expected the format {FORMAT}")
    header: ExportHeader = _HEADER.read(members)
    if header.to_digest < header.from_digest:
        raise MalformedError("export: to_digest lies before from_digest")
    return header


def read_lines(stream: BinaryIO) -> Iterator[ExportLine]:
    """Yield the records behind the header; raises MalformedError with the number of the bad line.

    What follows from a record is recomputed by whoever verifies an export, so that its line is held to shape
    and size here, not to canonical form: only the record's bytes are hashed, and those are kept as they are.
    """
    number = 1
    while (data := _line(stream)) is not None:
        number += 1
        try:
            members = loads(data)
        except (JSONDecodeError, UnicodeDecodeError, RecursionError):
            raise MalformedError(f"export: line {number} is not JSON") from None
        try:
            yield _export_line(members)
        except MalformedError as error:
            raise MalformedError(f"export: line {number}: {error}") from None


def _export_line(members: object) -> ExportLine:
    if not isinstance(members, dict):
        raise MalformedError("expected an object")
    digest, record = members.pop("digest", None), members.pop("record", None)
    outcome, payouts = members.pop("outcome", None), members.pop("payouts_minor", None)
    if members:
        raise MalformedError(f"unknown field {min(map(str, members))[:64]!r}")
    if type(digest) is not int or digest < 0:
        raise MalformedError("digest is the number of a digest")
    if not isinstance(record, str) or not record.isascii():
        raise MalformedError("record is the record's bytes as a string")
    for values in (outcome, payouts):
        if values is not None and not isinstance(values, list):
            raise MalformedError("outcome and payouts_minor are lists")
    return ExportLine(digest, record.encode("ascii"), outcome, payouts)


def _line(stream: BinaryIO) -> bytes | None:
    data = stream.readline(MAX_LINE_BYTES + 1)
    if not data:
        return None
    if data[-1:] != b"\n":
        raise MalformedError("export: a line is too long, or the last one has no newline")
    return data[:-1]
