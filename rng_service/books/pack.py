"""A pack: all books of one table in one file that is read at any row, with the tree that proves each.

    blocks      zstd frames, each of whole lines (with their ends), together about 16 KiB
    levels      the Merkle tree over the lines in the order of the rows, leaves first, 32 bytes a node
    blocks_at   u64 for each block, and one more: where it begins in the file
    rows_at     u64 for each row: number of its block, times 2^24, plus where its line begins in it
    footer      canonical JSON with the places of the three, what the pack is of, and its root
    end         u32 length of the footer, and "sealdraw-books-1"

Numbers are little-endian. A pack never leaves the machine that made it: what is proven to anybody is the root.
"""

import mmap
import os
import sys
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final, Self

import zstandard

from anchor import canonical
from anchor.errors import MalformedError, MissingError
from anchor.merkle import HASH_SIZE, inclusion_ranges
from rng_service.books.proof import Book

__all__ = ["Pack", "PackWriter"]

_MAGIC: Final = b"sealdraw-books-1"
_BLOCK: Final = 16 * 1024
_START_BITS: Final = 24
_MAX_FOOTER: Final = 64 * 1024
_LEVEL: Final = 3


class PackWriter:
    """Writes a pack from its books in any order; the caller makes the file durable and gives it its name."""

    def __init__(self, file: BinaryIO, rows: int) -> None:
        """Begin a pack of ``rows`` books at the beginning of ``file``."""
        self._file = file
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        self._lines: list[bytes] = []
        self._size = 0
        self._blocks_at = array("Q", (0,))
        self._rows_at = array("Q", bytes(8 * rows))

    def add(self, first_row: int, lines: Sequence[bytes]) -> None:
        """Add the books of consecutive rows; each row is added once."""
        for row, line in enumerate(lines, first_row):
            self._rows_at[row] = len(self._blocks_at) - 1 << _START_BITS | self._size
            self._lines.append(line)
            self._size += len(line) + 1
            if self._size >= _BLOCK:
                self._end_block()

    def finish(self, levels: Sequence[bytes], facts: dict[str, canonical.JSONValue]) -> None:
        """Write the tree (`packed_levels`) and the indexes; ``facts`` are kept in the footer."""
        if self._lines:
            self._end_block()
        at = self._blocks_at[-1]
        levels_at: list[canonical.JSONValue] = []
        for level in levels:
            levels_at.append(at)
            self._file.write(level)
            at += len(level)
        footer: dict[str, canonical.JSONValue] = {
            **facts,
            "blocks": len(self._blocks_at) - 1,
            "blocks_at": at,
            "levels_at": levels_at,
            "root": levels[-1].hex(),
            "rows": len(self._rows_at),
            "rows_at": at + 8 * len(self._blocks_at),
        }
        self._file.write(_little(self._blocks_at))
        self._file.write(_little(self._rows_at))
        data = canonical.encode(footer)
        self._file.write(data + len(data).to_bytes(4, "little") + _MAGIC)

    def _end_block(self) -> None:
        self._lines.append(b"")
        data = self._compressor.compress(b"\n".join(self._lines))
        self._file.write(data)
        self._blocks_at.append(self._blocks_at[-1] + len(data))
        self._lines.clear()
        self._size = 0


class Pack:
    """A pack that was opened; reading is safe from any thread."""

    def __init__(self, path: Path) -> None:
        """Map the pack at ``path``; raises MissingError, and MalformedError for a file that is no whole pack."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise MissingError(f"{path}: cannot be read ({error.strerror})") from None
        try:
            size = os.fstat(descriptor).st_size
            if size < len(_MAGIC) + 4:
                raise MalformedError(f"{path}: no pack of books")
            self._map = mmap.mmap(descriptor, size, access=mmap.ACCESS_READ)
        finally:
            os.close(descriptor)
        end = size - len(_MAGIC) - 4
        length = int.from_bytes(self._map[end : end + 4], "little")
        if self._map[end + 4 :] != _MAGIC or not 0 < length <= min(end, _MAX_FOOTER):
            raise MalformedError(f"{path}: no pack of books")
        footer = canonical.decode_object(self._map[end - length : end], limit=_MAX_FOOTER, what=str(path))
        self.facts = footer
        self.rows = _whole(footer, "rows", path)
        self.root = bytes.fromhex(str(footer.get("root", "")))
        self._blocks_at = _whole(footer, "blocks_at", path)
        self._rows_at = _whole(footer, "rows_at", path)
        levels = footer.get("levels_at")
        if not isinstance(levels, list) or not all(type(level) is int for level in levels):
            raise MalformedError(f"{path}: no pack of books")
        self._levels_at: list[int] = [level for level in levels if isinstance(level, int)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()

    def book(self, row: int) -> Book:
        """Return the book of a row, and its inclusion path; about 16 KiB are decompressed for it."""
        if not 0 <= row < self.rows:
            raise IndexError(f"row {row} of {self.rows}")
        block, start = divmod(self._number(self._rows_at + 8 * row), 1 << _START_BITS)
        first, after = (self._number(self._blocks_at + 8 * place) for place in (block, block + 1))
        lines = zstandard.ZstdDecompressor().decompress(self._map[first:after])
        return Book(lines[start : lines.index(b"\n", start)], tuple(self._path(row)))

    def _path(self, row: int) -> list[bytes]:
        path = []
        for start, end in inclusion_ranges(row, self.rows):
            level = (end - start - 1).bit_length()
            at = self._levels_at[level] + HASH_SIZE * (start >> level)
            path.append(self._map[at : at + HASH_SIZE])
        return path

    def _number(self, at: int) -> int:
        return int.from_bytes(self._map[at : at + 8], "little")


def _whole(footer: dict[str, canonical.JSONValue], key: str, path: Path) -> int:
    value = footer.get(key)
    if not isinstance(value, int):
        raise MalformedError(f"{path}: no pack of books")
    return value


def _little(numbers: "array[int]") -> bytes:
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()
