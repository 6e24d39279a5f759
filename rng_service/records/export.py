"""Exports: the records of a run of digests as lines of text, for auditors (PROTOCOL.md, section 12).

The first line says what the file is about; each further line is one record, in the order of the digests.
Writing and reading hold one line at a time.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final, NamedTuple

from anchor import canonical
from anchor.errors import MalformedError
from rng_service.entry_fields import Boolean, Count, FieldTable, Origin

FORMAT: Final = "sealdraw/export@v1"
MAX_LINE_BYTES: Final = 16_777_216
_SAFE = 2**53
_LINE = re.compile(
    rb'\{"digest":(0|[1-9][0-9]{0,14}),((?:"outcome":\[[0-9,"]*\],)?(?:"payouts_minor":\[[0-9,"]*\],)?)'
    rb'"record":"(.*)"\}'
).fullmatch
_QUOTED = re.compile(rb'(?:[^"\\]|\\["\\])*').fullmatch
_ESCAPE = re.compile(rb"\\(.)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportHeader:
    """What the file covers. A complete export has every record of its digests."""

    origin: Origin
    from_digest: Count
    to_digest: Count
    complete: Boolean


_HEADER = FieldTable(ExportHeader)


class ExportLine(NamedTuple):
    """One record: its digest's number, its bytes, and the text that states what followed from it.

    ``stated`` is the part of the line before the record, as `stated_text` writes it. A reader recomputes it and
    compares bytes, which needs no parser and accepts one spelling only.
    """

    digest: int
    record: bytes
    stated: bytes = b""


def stated_text(outcome: Sequence[int], payouts_minor: Sequence[int] | None) -> bytes:
    """Return the members ``outcome`` and ``payouts_minor`` as they stand in a line, each with its comma."""
    values = ",".join([str(value) if value < _SAFE else f'"{value}"' for value in outcome])
    if payouts_minor is None:
        return f'"outcome":[{values}],'.encode("ascii")
    payouts = ",".join([f'"{payout}"' for payout in payouts_minor])
    return f'"outcome":[{values}],"payouts_minor":[{payouts}],'.encode("ascii")


def draw_line(digest: int, record: bytes, outcome: Sequence[int], payouts_minor: Sequence[int] | None) -> ExportLine:
    """Return the line of a drawn record."""
    return ExportLine(digest, record, stated_text(outcome, payouts_minor))


def line_bytes(line: ExportLine) -> bytes:
    """Return one record's line with its newline."""
    # The record is canonical JSON: of all its characters only these two are escaped in a string.
    quoted = line.record.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b'{"digest":%d,%b"record":"%b"}\n' % (line.digest, line.stated, quoted)


def write_export(stream: BinaryIO, header: ExportHeader, lines: Iterable[ExportLine]) -> int:
    """Write an export and return the number of records in it."""
    stream.write(canonical.encode({**_HEADER.write(header), "format": FORMAT}) + b"\n")
    written = 0
    for line in lines:
        stream.write(line_bytes(line))
        written += 1
    return written


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

    Only the frame of a line is read here: whoever verifies an export recomputes ``stated`` and parses the record.
    """
    number = 1
    while (data := _line(stream)) is not None:
        number += 1
        found = _LINE(data)
        if found is None:
            raise MalformedError(f"export: line {number} is not a record's canonical line")
        digest, stated, quoted = found.groups()
        yield ExportLine(int(digest), _unquoted(quoted, number), stated)


def _unquoted(quoted: bytes, number: int) -> bytes:
    """Undo the escapes of a JSON string that has no others than these two; its characters are the record's affair."""
    plain = quoted.replace(b'\\"', b'"')
    # Every quote was escaped when each cost one byte, and nothing else was when no backslash is left.
    if len(quoted) - len(plain) == plain.count(b'"') and b"\\" not in plain:
        return plain
    if _QUOTED(quoted) is None:
        raise MalformedError(f"export: line {number} is not a record's canonical line")
    return _ESCAPE.sub(rb"\1", quoted)


def _line(stream: BinaryIO) -> bytes | None:
    data = stream.readline(MAX_LINE_BYTES + 1)
    if not data:
        return None
    if data[-1:] != b"\n":
        raise MalformedError("export: a line is too long, or the last one has no newline")
    return data[:-1]
