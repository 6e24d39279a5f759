"""One book and the path that proves it: PROTOCOL.md, section 4. All that an auditor needs, and nothing to install."""

from dataclasses import dataclass, field

from anchor import canonical
from anchor.errors import MalformedError, VerificationError
from anchor.merkle import HASH_SIZE, MAX_PATH, leaf_hash, verify_inclusion
from rng_service.games.models.lookup import Books

__all__ = ["MAX_BOOK_BYTES", "MAX_BOOK_FILE_BYTES", "Book", "book_file", "parse_book_file", "verify_book"]

# A book is answered in one message with its receipt.
MAX_BOOK_BYTES = 2 << 20
_FORMAT = "sealdraw/book@v1"
_MAX_HEADER = 16 * 1024
MAX_BOOK_FILE_BYTES = MAX_BOOK_BYTES + _MAX_HEADER


@dataclass(frozen=True, slots=True)
class Book:
    """A line of a books file, without its end, and its inclusion path from the leaf up to the root."""

    data: bytes = field(repr=False)
    path: tuple[bytes, ...] = field(repr=False)


def verify_book(book: Book, row: int, books: Books) -> None:
    """Check that ``book`` is the one that the definition commits to for ``row``.

    Raises VerificationError ``book``.
    """
    try:
        verify_inclusion(index=row, size=books.size, leaf=leaf_hash(book.data), path=book.path, root=books.root)
    except VerificationError as error:
        message = f"the book is not that of row {row}: {error.message}"
        raise VerificationError("book", message) from None


def book_file(book: Book) -> bytes:
    """Return the file in which a book is kept: a line of canonical JSON with the path, then the book's bytes."""
    header = canonical.encode({"format": _FORMAT, "path": [node.hex() for node in book.path]})
    return header + b"\n" + book.data


def parse_book_file(data: bytes) -> Book:
    """Return the book in a file; raises MalformedError."""
    if len(data) > MAX_BOOK_FILE_BYTES:
        raise MalformedError(f"book file: {len(data)} bytes, at most {MAX_BOOK_FILE_BYTES} are accepted")
    header, newline, book = data.partition(b"\n")
    fields = canonical.decode_object(header, limit=_MAX_HEADER, what="book file, line 1")
    if not newline or set(fields) != {"format", "path"} or fields["format"] != _FORMAT:
        raise MalformedError(f"book file, line 1: expected the format {_FORMAT}, a path, and the book on line 2")
    nodes = fields["path"]
    if not isinstance(nodes, list) or len(nodes) > MAX_PATH:
        raise MalformedError(f"book file, line 1: expected a path of at most {MAX_PATH} hashes")
    return Book(book, tuple(_hash(node) for node in nodes))


def _hash(node: object) -> bytes:
    if not isinstance(node, str) or len(node) != 2 * HASH_SIZE or not set(node) <= set("0123456789abcdef"):
        raise MalformedError("book file, line 1: a path is of hashes, each 64 hex digits in lower case")
    return bytes.fromhex(node)
