"""A stream with a tap: its size, its digest and whoever listens learn of every byte that is read."""

from collections.abc import Callable
from hashlib import sha256
from typing import BinaryIO

__all__ = ["TappedStream"]


class TappedStream:
    """Reads ``stream``, and remembers how many bytes were read and their SHA-256.

    ``hear`` is called with every piece, in order; nothing is ever read twice.
    """

    def __init__(self, stream: BinaryIO, hear: Callable[[bytes], None] | None = None) -> None:
        self._stream = stream
        self._hear = hear
        self._digest = sha256()
        self.size = 0

    @property
    def sha256(self) -> bytes:
        """The digest of what was read so far."""
        return self._digest.digest()

    def read(self, size: int = -1) -> bytes:
        """Read up to ``size`` bytes, as the stream does."""
        return self._passed(self._stream.read(size))

    def readline(self, limit: int = -1) -> bytes:
        """Read up to the next end of a line, and ``limit`` bytes at most."""
        return self._passed(self._stream.readline(limit))

    def _passed(self, data: bytes) -> bytes:
        self._digest.update(data)
        self.size += len(data)
        if self._hear is not None:
            self._hear(data)
        return data
