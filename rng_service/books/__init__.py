"""Books: what a player is shown for a row of a lookup table; kept for random access, proven by a Merkle path."""

from rng_service.books.proof import MAX_BOOK_BYTES, MAX_BOOK_FILE_BYTES, Book, book_file, parse_book_file, verify_book

__all__ = ["MAX_BOOK_BYTES", "MAX_BOOK_FILE_BYTES", "Book", "book_file", "parse_book_file", "verify_book"]
