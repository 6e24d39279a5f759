"""Bytes that a command reads once, from a file or from standard input."""

import os
import stat
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

__all__ = ["STANDARD_INPUT", "open_input", "size_of"]

STANDARD_INPUT: Final = "-"


@contextmanager
def open_input(file: str) -> Generator[BinaryIO]:
    """Open ``file``, or standard input for ``-``, which is left open behind it."""
    if file == STANDARD_INPUT:
        yield sys.stdin.buffer
        return
    with Path(file).open("rb") as stream:
        yield stream


def size_of(stream: BinaryIO) -> int:
    """Return how many bytes a regular file has, for a progress bar; 0 for a pipe."""
    try:
        status = os.fstat(stream.fileno())
    except OSError:  # nothing that the operating system knows of
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0
