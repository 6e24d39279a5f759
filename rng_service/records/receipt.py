"""Receipt files: one record with everything that proves it (PROTOCOL.md, section 8).

A receipt is canonical JSON. The record's own bytes stand inside as a string, so that whoever checks a receipt
hashes bytes that were never parsed and printed again.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from anchor import canonical
from anchor.errors import MalformedError
from rng_service.entry_fields import Codec, Count, Ed25519Bytes, FieldTable, KeyId, Origin, Positive, nested
from rng_service.records.protection import Protection

FORMAT: Final = "sealdraw/receipt@v1"
# A thousand outcomes of a thousand integers each, and their secrets, fit; nothing larger is read at all.
MAX_RECEIPT_BYTES: Final = 16_777_216
MAX_PATH_HASHES: Final = 63
_SAFE = 2**53


def outcome_to_json(values: tuple[int, ...]) -> list[int | str]:
    """Return outcome values as they stand in JSON: decimal strings at and above 2^53."""
    return [value if value < _SAFE else str(value) for value in values]


def outcome_from_json(values: Any) -> tuple[int, ...]:
    """Return the integers of an outcome, 0 ≤ value < 2^64; raises MalformedError for another spelling."""
    if not isinstance(values, list):
        raise MalformedError("outcome: expected a list")
    for value in values:
        if type(value) is int:
            if not 0 <= value < _SAFE:
                raise MalformedError("outcome: integers lie from 0 to 2^53 - 1, larger ones are strings")
        elif not _is_large(value):
            raise MalformedError("outcome: expected integers, or decimal strings from 2^53 to 2^64 - 1")
    return tuple(map(int, values))


def payouts_from_json(values: Any) -> tuple[int, ...]:
    """Return payouts in minor units, each not negative; raises MalformedError."""
    if not isinstance(values, list):
        raise MalformedError("payouts_minor: expected a list")
    for value in values:
        if not isinstance(value, str) or len(value) > 40 or not _is_decimal(value):
            raise MalformedError("payouts_minor: expected decimal strings")
    return tuple(map(int, values))


def _is_decimal(value: str) -> bool:
    return value.isascii() and value.isdigit() and (value == "0" or value[0] != "0")


def _is_large(value: Any) -> bool:
    return isinstance(value, str) and 16 <= len(value) <= 20 and _is_decimal(value) and _SAFE <= int(value) < 2**64


def _path(most: int) -> Codec:
    def read(value: Any) -> tuple[bytes, ...]:
        if not isinstance(value, list) or len(value) > most:
            raise MalformedError(f"expected a list of at most {most} hashes")
        if any(not isinstance(item, str) or len(item) != 64 or item.strip("0123456789abcdef") for item in value):
            raise MalformedError("expected hashes of 32 bytes in lowercase hex")
        return tuple(map(bytes.fromhex, value))

    return Codec(read, lambda path: [item.hex() for item in path])


def _read_bytes(value: Any) -> bytes:
    if not isinstance(value, str) or not value:
        raise MalformedError("expected the record's bytes as a string")
    return value.encode("ascii")


Path = Annotated[tuple[bytes, ...], _path(MAX_PATH_HASHES)]
RecordBytes = Annotated[bytes, Codec(_read_bytes, lambda data: data.decode("ascii"))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The vault's signature over a group of record digests, and this record's place in the group."""

    index: Count
    size: Positive
    key_id: KeyId
    path: Path
    signature: Ed25519Bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A receipt file; ``record`` and ``ticket`` are records' bytes, ``outcome`` is flat over all slots."""

    origin: Origin
    commit_index: Count
    activate_index: Count
    record: RecordBytes
    outcome: Annotated[tuple[int, ...], Codec(outcome_from_json, outcome_to_json)]
    slot_path: Path
    opening: Annotated[Opening, nested(Opening)]
    protection: Annotated[Protection, nested(Protection)]
    payouts_minor: (
        Annotated[tuple[int, ...], Codec(payouts_from_json, lambda values: [str(item) for item in values])] | None
    ) = None
    ticket: RecordBytes | None = None

    def to_bytes(self) -> bytes:
        """Return the receipt file."""
        return canonical.encode({**_TABLE.write(self), "format": FORMAT})


_TABLE = FieldTable(Receipt)


def parse_receipt(data: bytes) -> Receipt:
    """Parse a receipt file of at most 16 MiB; raises MalformedError for anything but its canonical form."""
    members = canonical.decode_object(data, limit=MAX_RECEIPT_BYTES, what="receipt")
    if members.pop("format", None) != FORMAT:
        raise MalformedError(f"receipt: expected the format {FORMAT}")
    receipt: Receipt = _TABLE.read(members)
    return receipt
