"""Weights files: rows of ``id,weight,payout``, payouts in hundredths, as Stake Engine's tools write them.

A row that does not hold is named by file and line. What the tools write is taken: LF or CRLF, a last line without an
end, ids in any order, and rows of weight 0, which their optimiser leaves where an outcome is never to come.
"""

import re
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate
from typing import BinaryIO

from anchor.errors import MalformedError
from rng_service.outcome.lookup import MAX_ROWS, MAX_TOTAL, LookupTable

__all__ = ["MAX_PAYOUT", "MAX_WEIGHTS_BYTES", "Weights", "read_weights"]

MAX_WEIGHTS_BYTES = 1 << 30
# A hundredth part of it times any stake that a record can hold is far from any limit.
MAX_PAYOUT = 2**53 - 1
_CHUNK = 1 << 20
# Three numbers of 20 digits, two commas and the end of the line.
_LONGEST_LINE = 64
_NUMBER = rb"(?:0|[1-9][0-9]{0,19})"
_ROW = re.compile(_NUMBER + rb"," + _NUMBER + rb"," + _NUMBER)
_ROWS = re.compile(rb"(?:" + _ROW.pattern + rb"\n)*+")
_WORDS = "expected id,weight,payout: three whole numbers without signs, spaces or decimals"


@dataclass(frozen=True, slots=True)
class Weights:
    """A weights file that was read: its table, and the id of each row in an ``array("Q")``."""

    table: LookupTable
    ids: "array[int]"


def read_weights(file: BinaryIO, *, name: str) -> Weights:
    """Read a weights file of at most 1 GiB and 16,777,216 rows; ``name`` is what complaints call it.

    Raises MalformedError with file and line for a row that is not three whole numbers, a weight or a sum of weights
    above 2^64 - 1, a payout above 2^53 - 1, an id that stands there twice; and when there are no rows, too many, or
    none that can be drawn.
    """
    hashed = sha256()
    ids, weights, payouts = array("Q"), array("Q"), array("Q")
    for lines in _chunks(file, name, hashed.update):
        first = len(ids) + 1
        if _ROWS.fullmatch(lines) is None:
            _refuse_row(lines, first, name)
        numbers = lines.replace(b"\n", b",").split(b",")
        try:
            ids.extend(map(int, numbers[0:-1:3]))
            weights.extend(map(int, numbers[1::3]))
            payouts.extend(map(int, numbers[2::3]))
        except OverflowError:
            _refuse_size(lines, first, name)
        if len(ids) > MAX_ROWS:
            raise MalformedError(f"{name}: more than {MAX_ROWS} rows")
    if not ids:
        raise MalformedError(f"{name}: no rows; {_WORDS}")
    if max(payouts) > MAX_PAYOUT:
        line = next(line for line, payout in enumerate(payouts, 1) if payout > MAX_PAYOUT)
        raise MalformedError(f"{name}, line {line}: a payout above {MAX_PAYOUT}")
    _check_ids(ids, name)
    return Weights(LookupTable(hashed.digest(), _cumulative(weights, name), payouts), ids)


def _chunks(file: BinaryIO, name: str, update: Callable[[bytes], None]) -> Iterator[bytes]:
    """Yield whole lines, each ended by LF alone, about a mebibyte at a time."""
    rest, size = b"", 0
    while data := file.read(_CHUNK):
        update(data)
        size += len(data)
        if size > MAX_WEIGHTS_BYTES:
            raise MalformedError(f"{name}: more than {MAX_WEIGHTS_BYTES} bytes")
        lines, end, rest = (rest + data).rpartition(b"\n")
        if len(rest) > _LONGEST_LINE and not end:
            # One line that has no end: the next reads would only make it longer.
            break
        if end:
            yield (lines + end).replace(b"\r\n", b"\n")
    if rest:
        yield rest.removesuffix(b"\r") + b"\n"


def _refuse_row(lines: bytes, first: int, name: str) -> None:
    for line, row in enumerate(lines.split(b"\n"), first):
        if _ROW.fullmatch(row):
            continue
        columns = row.count(b",") + 1
        found = ascii(row[:_LONGEST_LINE].decode("latin-1"))
        if columns != 3:
            raise MalformedError(f"{name}, line {line}: {columns} columns in {found}; {_WORDS}")
        raise MalformedError(f"{name}, line {line}: {found}; {_WORDS}")


def _refuse_size(lines: bytes, first: int, name: str) -> None:
    for line, row in enumerate(lines.split(b"\n"), first):
        for word, number in zip(("id", "weight", "payout"), row.split(b","), strict=False):
            if number and int(number) > MAX_TOTAL:
                raise MalformedError(f"{name}, line {line}: the {word} is above 2^64 - 1")


def _check_ids(ids: "array[int]", name: str) -> None:
    # Tools write ascending ids, and those need no memory to be told apart.
    if all(map(int.__lt__, ids, ids[1:])):
        return
    seen: dict[int, int] = {}
    for line, number in enumerate(ids, 1):
        before = seen.setdefault(number, line)
        if before != line:
            raise MalformedError(f"{name}, line {line}: the id {number} stands on line {before} already")


def _cumulative(weights: "array[int]", name: str) -> "array[int]":
    total = sum(weights)
    if not total:
        raise MalformedError(f"{name}: every weight is 0, so no row could ever be drawn")
    if total > MAX_TOTAL:
        line = next(line for line, upto in enumerate(accumulate(weights), 1) if upto > MAX_TOTAL)
        raise MalformedError(f"{name}, line {line}: up to here the weights sum to more than 2^64 - 1")
    return array("Q", accumulate(weights))
