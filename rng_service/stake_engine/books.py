"""A books file against its weights: every line is the book of exactly one row, and pays what the row pays."""

import json
from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO, Final, NoReturn, Protocol

import msgspec

from anchor.errors import MalformedError
from anchor.merkle import packed_levels
from rng_service.books.proof import MAX_BOOK_BYTES
from rng_service.games.models.lookup import Books
from rng_service.games.weights import Weights
from rng_service.stake_engine.zstandard_lines import read_lines

__all__ = ["BookSink", "CheckedBooks", "check_books"]

_PAYOUT: Final = "payoutMultiplier"


class BookSink(Protocol):
    """Who wants the books that were checked, while they are in memory."""

    def add(self, first_row: int, lines: Sequence[bytes]) -> None:
        """Take the books of consecutive rows."""


@dataclass(frozen=True, slots=True)
class CheckedBooks:
    """Books that go with their weights; ``levels`` is the tree over them in the order of the rows."""

    books: Books
    levels: Sequence[bytes]


class _Line(msgspec.Struct, gc=False):
    """What of a line is looked at; the rest is read strictly and not kept."""

    id: int
    payoutMultiplier: int  # noqa: N815 - the format's own word
    events: list[msgspec.Raw]


def check_books(
    file: BinaryIO,
    weights: Weights,
    *,
    name: str,
    weights_name: str,
    sink: BookSink | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> CheckedBooks:
    """Read a ``.jsonl.zst`` file to its end and check it against ``weights``.

    ``sink`` gets every book, ``progress`` the number of lines so far. Memory does not depend on the size of the books.
    Raises MalformedError that names the line of the books, or the line of the weights that has none.
    """
    hashed = sha256()
    check = _Check(weights, name, weights_name, sink)
    for text in read_lines(file, name=name, longest_line=MAX_BOOK_BYTES, consumed=hashed.update):
        check.take(text)
        progress(check.taken)
    levels = packed_levels(check.finish())
    return CheckedBooks(Books(hashed.digest(), levels[-1], weights.table.rows), levels)


class _Check:
    """The lines so far: which row each belongs to, and its leaf."""

    def __init__(self, weights: Weights, name: str, weights_name: str, sink: BookSink | None) -> None:
        self._ids = weights.ids
        self._payouts = weights.table.payouts
        self._name, self._weights_name = name, weights_name
        self._sink = sink
        self._decode = msgspec.json.Decoder(_Line).decode
        rows = len(weights.ids)
        self._leaves = bytearray(32 * rows)
        # The line on which the book of each row stands, from 1; 0 while there is none.
        self._line_of = array("L", bytes(array("L").itemsize * rows))
        self._row_of: Callable[[int], int | None] | None = None
        self.taken = 0

    def take(self, text: bytes) -> None:
        """Take whole lines."""
        lines = text.split(b"\n")
        lines.pop()
        if not text.isascii():
            self._check_text(lines)
        try:
            found = [self._decode(line) for line in lines]
        except (msgspec.DecodeError, RecursionError):
            self._refuse_line(lines)
        self._check_keys(text, lines, found)
        first, count = self.taken, len(lines)
        ids = [book.id for book in found]
        # Tools write both files in one order; then whole pieces agree at once.
        if (
            self._ids[first : first + count].tolist() == ids
            and self._payouts[first : first + count].tolist() == [book.payoutMultiplier for book in found]
            and not any(self._line_of[first : first + count])
        ):
            self._keep(first, lines)
        else:
            for position, book in enumerate(found):
                self._place(book, lines[position], first + position + 1)
        self.taken += count

    def finish(self) -> bytes:
        """Return the leaves in the order of the rows, once every row has a book."""
        if 0 in self._line_of:
            row = self._line_of.index(0)
            raise MalformedError(
                f"{self._weights_name}, line {row + 1}: the id {self._ids[row]} has no book in {self._name}"
            )
        return bytes(self._leaves)

    def _keep(self, row: int, lines: list[bytes], line: int | None = None) -> None:
        count = len(lines)
        line = row + 1 if line is None else line
        self._line_of[row : row + count] = array("L", range(line, line + count))
        self._leaves[32 * row : 32 * (row + count)] = b"".join([sha256(b"\x00" + text).digest() for text in lines])
        if self._sink is not None:
            self._sink.add(row, lines)

    def _place(self, book: _Line, text: bytes, line: int) -> None:
        row = self._find(book.id)
        if row is None:
            self._refuse(line, f"the id {book.id} stands in no row of {self._weights_name}")
        if self._line_of[row]:
            self._refuse(line, f"the id {book.id} stands on line {self._line_of[row]} already")
        if self._payouts[row] != book.payoutMultiplier:
            self._refuse(
                line,
                f"{_PAYOUT} {book.payoutMultiplier}, but {self._weights_name}, line {row + 1}, "
                f"says {self._payouts[row]} for the id {book.id}",
            )
        self._keep(row, [text], line)

    def _find(self, number: int) -> int | None:
        if self._row_of is None:
            self._row_of = _rows_by_id(self._ids)
        return self._row_of(number)

    def _check_keys(self, text: bytes, lines: list[bytes], found: list[_Line]) -> None:
        """Refuse a book that says its id or its payout twice: readers would differ in which they take."""
        count = len(lines)
        if text.count(b'"payoutMultiplier"') == count and text.count(b'"id"') == count and b"\\u" not in text:
            return
        for position, (line, book) in enumerate(zip(lines, found, strict=True)):
            inner = [bytes(event) for event in book.events]
            if all(line.count(key) - sum(e.count(key) for e in inner) == 1 for key in _KEYS) and b"\\u" not in line:
                continue
            outermost: list[str] = []

            def keep(pairs: list[tuple[str, object]], keys: list[str] = outermost) -> None:
                # The outermost object is the last to be complete.
                keys[:] = [key for key, _ in pairs]

            json.loads(line, object_pairs_hook=keep)
            for key in ("id", _PAYOUT):
                if outermost.count(key) > 1:
                    self._refuse(self.taken + position + 1, f"the key {key!r} stands there twice")

    def _check_text(self, lines: list[bytes]) -> None:
        for position, line in enumerate(lines):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                self._refuse(self.taken + position + 1, f"not UTF-8 at byte {error.start}")

    def _refuse_line(self, lines: list[bytes]) -> NoReturn:
        for position, line in enumerate(lines):
            try:
                self._decode(line)
            except (msgspec.DecodeError, RecursionError) as error:
                what = "an empty line" if not line.strip() else f"no book: {error}"
                self._refuse(self.taken + position + 1, what)
        raise AssertionError("a line that was refused once is read the second time")

    def _refuse(self, line: int, message: str) -> NoReturn:
        raise MalformedError(f"{self._name}, line {line}: {message}")


_KEYS: Final = (b'"id"', b'"payoutMultiplier"')


def _rows_by_id(ids: "array[int]") -> Callable[[int], int | None]:
    """Return what finds the row of an id; ascending ids need no memory for it."""
    if all(map(int.__lt__, ids, ids[1:])):

        def find(number: int) -> int | None:
            row = bisect_left(ids, number)
            return row if row < len(ids) and ids[row] == number else None

        return find
    return {number: row for row, number in enumerate(ids)}.get
