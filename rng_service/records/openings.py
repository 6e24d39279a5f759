"""Openings: what committed totals and tables withhold from the public, for auditors (PROTOCOL.md, section 12).

A text file of canonical JSON lines. Each line behind the first opens one commitment: the row's own bytes, and the
salt before them. Nothing in it can be changed without missing the commitment that the log holds.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, BinaryIO, Final

from anchor import canonical
from anchor.errors import MalformedError
from rng_service.encoding import RTP_ROW_LABEL, TOTALS_LABEL
from rng_service.entry_fields import Count, FieldTable, Hash, Origin, one_of, text
from rng_service.log_entries import TotalsRow

__all__ = [
    "FORMAT",
    "MAX_LINE_BYTES",
    "SALT_BYTES",
    "Opening",
    "OpeningsHeader",
    "commitment",
    "read_openings",
    "read_totals_row",
    "totals_row_bytes",
    "write_openings",
]

FORMAT: Final = "sealdraw/openings@v1"
MAX_LINE_BYTES: Final = 16_777_216
SALT_BYTES: Final = 32
_LABELS: Final = {"totals": TOTALS_LABEL, "table": RTP_ROW_LABEL}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningsHeader:
    """What the file covers: every row of these totals entries, and of every table over no others."""

    origin: Origin
    from_totals: Count
    to_totals: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """One opened row: ``place`` counts the rows of totals entry or table ``seq`` from 0; ``row`` is canonical JSON."""

    kind: Annotated[str, one_of("table", "totals")]
    seq: Count
    place: Count
    salt: Hash
    row: Annotated[str, text(str)]

    @property
    def commitment(self) -> bytes:
        """What the log, or the table that it names, has for this row."""
        return commitment(self.kind, self.salt, self.row.encode("ascii"))

    def line(self) -> bytes:
        """Return the line of a file of openings, with its newline."""
        return canonical.encode(_LINE.write(self)) + b"\n"


_HEADER = FieldTable(OpeningsHeader)
_LINE = FieldTable(Opening)
_ROW = FieldTable(TotalsRow)


def commitment(kind: str, salt: bytes, row: bytes) -> bytes:
    """Return SHA-256(label || salt, 32 bytes || row), the label that of ``totals`` or of ``table``."""
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    return sha256(_LABELS[kind] + salt + row).digest()


def totals_row_bytes(row: TotalsRow) -> bytes:
    """Return a row of totals as it stands in open totals, and as it is committed to."""
    return canonical.encode(_ROW.write(row))


def read_totals_row(opening: Opening) -> TotalsRow:
    """Return the row of totals that an opening shows; raises MalformedError."""
    members = canonical.decode_object(opening.row.encode("ascii"), what="row of totals")
    row: TotalsRow = _ROW.read(members)
    return row


def write_openings(stream: BinaryIO, header: OpeningsHeader, openings: Iterable[Opening]) -> int:
    """Write a file of openings and return how many there are."""
    stream.write(canonical.encode({**_HEADER.write(header), "format": FORMAT}) + b"\n")
    written = 0
    for opening in openings:
        stream.write(opening.line())
        written += 1
    return written


def read_openings(stream: BinaryIO) -> tuple[OpeningsHeader, Iterator[Opening]]:
    """Return the header of a file of openings, and its lines one by one; both raise MalformedError."""
    members = _members(stream)
    if members is None or members.pop("format", None) != FORMAT:
        raise MalformedError(f"openings: expected the format {FORMAT} in the first line")
    header: OpeningsHeader = _HEADER.read(members)
    if header.to_totals < header.from_totals:
        raise MalformedError("openings: to_totals lies before from_totals")
    return header, _openings(stream)


def _openings(stream: BinaryIO) -> Iterator[Opening]:
    while (members := _members(stream)) is not None:
        opening: Opening = _LINE.read(members)
        yield opening


def _members(stream: BinaryIO) -> dict[str, object] | None:
    data = stream.readline(MAX_LINE_BYTES + 1)
    if not data:
        return None
    if data[-1:] != b"\n":
        raise MalformedError("openings: a line is too long, or the last one has no newline")
    return canonical.decode_object(data[:-1], limit=MAX_LINE_BYTES, what="line of openings")
