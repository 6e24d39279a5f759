"""The rows of a game server's list: CSV with a header, or one JSON object a line. Strict on types, in any order.

Fields: `request_id`, `stake_minor`, `payout_minor` and `currency`; and, where they are there, `item` (0 without),
`outcome`, `pool` with `slot`, and `status`. Nothing is kept of the file but the row that is being read.
"""

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from anchor.errors import MalformedError
from rng_service.names import check_currency, parse_pool_id
from rng_service.request_id import parse_request_id

__all__ = ["FileRound", "read_rounds"]

_MAX_LINE: Final = 65_536
_MAX_OUTCOME: Final = 4_096
_MAX_NUMBER: Final = 2**64 - 1
_MAX_ITEM: Final = 65_535
_STATUSES: Final = ("final", "confirm", "void", "unsettled")
_REQUIRED: Final = ("request_id", "stake_minor", "payout_minor", "currency")
_OPTIONAL: Final = ("item", "outcome", "pool", "slot", "status")
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,39}")


class FileRound(NamedTuple):
    """One row: what the game server has of an outcome or a settlement; None where it does not say."""

    request_id: bytes
    item: int
    line: int
    stake_minor: int
    payout_minor: int
    currency: str
    outcome: tuple[int, ...] | None
    pool: str | None
    slot: int | None
    status: str | None


def read_rounds(path: Path) -> Iterator[FileRound]:
    """Yield the rows of ``path`` in the file's order; a name that ends in .jsonl or .ndjson is JSON, any other CSV.

    Raises MalformedError with file and line for the first row that does not hold, OSError for a file that cannot be
    read. Lines have at most 64 KiB.
    """
    with path.open("rb") as file:
        rows = _json_rows(file) if path.suffix in {".jsonl", ".ndjson"} else _csv_rows(file)
        line = 0
        try:
            for line, fields in rows:
                yield _round(line, fields)
        except _RowError as error:
            raise MalformedError(f"{path}:{error.line or line}: {error}") from None


class _RowError(Exception):
    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


def _lines(file: BinaryIO) -> Iterator[tuple[int, str]]:
    number = 0
    while True:
        data = file.readline(_MAX_LINE + 1)
        if not data:
            return
        number += 1
        if len(data) > _MAX_LINE:
            raise _RowError(f"longer than {_MAX_LINE} bytes", number)
        try:
            # A mark of byte order is what spreadsheets put first.
            text = data.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise _RowError("not UTF-8", number) from None
        yield number, text


def _csv_rows(file: BinaryIO) -> Iterator[tuple[int, Mapping[str, Any]]]:
    header: list[str] | None = None
    for number, text in _lines(file):
        try:
            cells = next(csv.reader([text], strict=True), [])
        except csv.Error as error:
            raise _RowError(f"not CSV: {error}; a row is one line", number) from None
        if header is None:
            header = [cell.strip() for cell in cells]
            _check_names(header, number)
        elif cells:
            if len(cells) != len(header):
                raise _RowError(f"{len(cells)} fields, the header has {len(header)}", number)
            # An empty cell says nothing; only the currency of a round without a stake is empty and meant so.
            found = {name: cell for name, cell in zip(header, cells, strict=True) if cell or name == "currency"}
            yield number, found
    if header is None:
        raise _RowError(f"no header; expected {', '.join(_REQUIRED)}", 1)


def _json_rows(file: BinaryIO) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, text in _lines(file):
        if not text.strip():
            continue
        try:
            fields = json.loads(text, parse_float=_refuse_number, parse_constant=_refuse_number)
        except (ValueError, RecursionError):
            raise _RowError("not a JSON object", number) from None
        if not isinstance(fields, dict):
            raise _RowError("not a JSON object", number)
        _check_names(list(fields), number)
        yield number, fields


def _refuse_number(text: str) -> Any:
    raise ValueError(text)


def _check_names(names: list[str], line: int) -> None:
    for name in _REQUIRED:
        if name not in names:
            raise _RowError(f"the field {name} is missing", line)
    for name in names:
        if name not in _REQUIRED + _OPTIONAL:
            raise _RowError(f"unknown field {name[:40]!r}; known are {', '.join(_REQUIRED + _OPTIONAL)}", line)
        if names.count(name) > 1:
            raise _RowError(f"the field {name} stands there twice", line)


def _round(line: int, fields: Mapping[str, Any]) -> FileRound:
    for name in _REQUIRED:
        if name not in fields:
            raise _RowError(f"{name}: empty")
    if ("pool" in fields) != ("slot" in fields):
        raise _RowError("pool and slot go together")
    stake = _integer("stake_minor", fields["stake_minor"], _MAX_NUMBER)
    return FileRound(
        _checked("request_id", fields["request_id"], parse_request_id),
        _integer("item", fields.get("item", 0), _MAX_ITEM),
        line,
        stake,
        _integer("payout_minor", fields["payout_minor"], None),
        "" if not stake and fields["currency"] == "" else _checked("currency", fields["currency"], check_currency),
        _outcome(fields["outcome"]) if "outcome" in fields else None,
        _checked("pool", fields["pool"], lambda text: str(parse_pool_id(text))) if "pool" in fields else None,
        _integer("slot", fields["slot"], _MAX_NUMBER) if "slot" in fields else None,
        _checked("status", fields["status"], _status) if "status" in fields else None,
    )


def _integer(name: str, value: Any, most: int | None) -> int:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = int(value)
    if type(value) is not int or value < 0 or (most is not None and value > most):
        raise _RowError(f"{name}: expected a whole number, found {str(value)[:40]!r}")
    return value


def _outcome(value: Any) -> tuple[int, ...]:
    """Read an outcome: a JSON list, or numbers with spaces between them."""
    parts = value.split() if isinstance(value, str) else value
    if not isinstance(parts, list) or not 1 <= len(parts) <= _MAX_OUTCOME:
        raise _RowError("outcome: expected numbers")
    return tuple(_integer("outcome", part, _MAX_NUMBER) for part in parts)


def _status(text: str) -> str:
    if text not in _STATUSES:
        raise MalformedError(f"expected one of {', '.join(_STATUSES)}")
    return text


def _checked(name: str, value: Any, check: Callable[[str], Any]) -> Any:
    if not isinstance(value, str):
        raise _RowError(f"{name}: expected text")
    try:
        return check(value)
    except MalformedError as error:
        raise _RowError(f"{name}: {error}") from None
