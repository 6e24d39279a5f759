"""The lines of a zstd-compressed file, a few at a time, however it was made to hurt its reader.

Memory stays below what one piece of input can expand to (a zstd block of four bytes may stand for 128 KiB), one line
and one window. A frame that ends early, bytes that are no frame, and a ratio that no text has are refused.
"""

from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

import zstandard

from anchor.errors import MalformedError

__all__ = ["MAX_COMPRESSED_BYTES", "read_lines"]

MAX_COMPRESSED_BYTES: Final = 4 << 30
# Lines of JSON that differ in nothing but a number shrink to about a hundredth.
_MAX_RATIO: Final = 1_000
_FREE: Final = 64 << 20
_MAX_WINDOW: Final = 1 << 27
_READ: Final = 1 << 18
_PIECE: Final = 1 << 10
_PART: Final = 1 << 18


def read_lines(
    file: BinaryIO,
    *,
    name: str,
    longest_line: int,
    consumed: Callable[[bytes], None] = lambda _: None,
) -> Iterator[bytes]:
    """Yield the text of ``file`` in pieces of whole lines, each line ended by LF alone.

    ``consumed`` gets the compressed bytes as they are read. A last line without an end gets one. Raises MalformedError
    with the file, and the line where that is known.
    """
    rest: list[bytes] = []
    rest_size, line = 0, 1
    for plain in _decompressed(file, name, consumed):
        head, end, tail = plain.rpartition(b"\n")
        if end:
            lines = b"".join([*rest, head, end])
            if b"\r" in lines:
                lines = lines.replace(b"\r\n", b"\n")
            if len(lines) > longest_line:
                _check_longest(lines, line, name, longest_line)
            yield lines
            line += lines.count(b"\n")
            rest, rest_size = [], 0
        rest.append(tail)
        rest_size += len(tail)
        if rest_size > longest_line:
            raise MalformedError(f"{name}, line {line}: longer than {longest_line} bytes")
    if rest_size:
        yield b"".join(rest).removesuffix(b"\r") + b"\n"


def _check_longest(lines: bytes, first: int, name: str, longest_line: int) -> None:
    start = 0
    while start < len(lines):
        # The last end within reach: if there is none, the line that begins here is too long.
        end = lines.rfind(b"\n", start, start + longest_line + 1)
        if end < 0:
            line = first + lines.count(b"\n", 0, start)
            raise MalformedError(f"{name}, line {line}: longer than {longest_line} bytes")
        start = end + 1


def _decompressed(file: BinaryIO, name: str, consumed: Callable[[bytes], None]) -> Iterator[bytes]:
    context = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
    frame = None
    taken = made = 0
    while data := file.read(_READ):
        consumed(data)
        for start in range(0, len(data), _PIECE):
            piece = data[start : start + _PIECE]
            taken += len(piece)
            while piece:
                if frame is None:
                    frame = context.decompressobj()
                try:
                    plain = frame.decompress(piece)
                except zstandard.ZstdError as error:
                    raise MalformedError(f"{name}: no zstd from byte {taken - len(piece)} on: {error}") from None
                piece = frame.unused_data if frame.eof else b""
                frame = None if frame.eof else frame
                made += len(plain)
                if made > _FREE and made > _MAX_RATIO * taken:
                    raise MalformedError(
                        f"{name}: the first {taken} bytes expand to more than {made}; no text is that repetitive"
                    )
                for part in range(0, len(plain), _PART):
                    yield plain[part : part + _PART]
        if taken > MAX_COMPRESSED_BYTES:
            raise MalformedError(f"{name}: more than {MAX_COMPRESSED_BYTES} bytes")
    if frame is not None:
        raise MalformedError(f"{name}: the file ends in the middle of a zstd frame, after {taken} bytes")
