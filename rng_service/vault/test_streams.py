"""Test-only streams: bits for batteries and laboratories, from the instance that makes keys, and never an outcome.

Each stream is a CTR_DRBG of its own. Its seed is one output of the vault's generator, asked for with fresh entropy and
with a label that no key is asked for with; its personalisation has the label and the stream's number. Whoever had
broken a stream down to its seed would hold one output of the generator, which says nothing of those before and behind.
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from rng_service.vault.drbg import MAX_BYTES_PER_REQUEST, CtrDrbg
from rng_service.vault.errors import VaultRefusedError

__all__ = ["BYTES_PER_SECOND", "MAX_STREAM_BYTES", "Part", "Seeded", "TestStreams"]

MAX_STREAM_BYTES: Final = 1 << 30
# Openings share a processor with this.
BYTES_PER_SECOND: Final = 32 * 2**20

_PATIENCE_S: Final = 600.0
_SLOWEST_BYTES_PER_SECOND: Final = 1 << 20


class Part(NamedTuple):
    """The next bytes of stream ``number``, seeded by this instance of the vault's generator."""

    number: int
    instance: str
    epoch: int
    data: bytes


class Seeded(NamedTuple):
    """A fresh generator: stream ``number`` of those that this instance of the vault's generator has seeded."""

    generator: CtrDrbg
    number: int
    instance: str
    epoch: int


class TestStreams:
    """Gives one stream at a time, at most 1 GiB long and 32 MiB a second; counts what was given.

    ``pause`` waits for so many seconds, ``clock_s`` is a clock that only goes forward. A reader that takes less than a
    mebibyte a second, after ten minutes, has to make room for the next one. ``streams`` counts over all instances,
    `next_number` from 1 in each: a report of statistics names the stream that it is about, and gaps show which others
    were read.
    """

    __test__ = False  # pytest collects classes by this name's beginning

    def __init__(self, pause: Callable[[float], object], clock_s: Callable[[], float] = time.monotonic) -> None:
        self._pause = pause
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._reader: _Reader | None = None
        self._instance = ""
        self._of_instance = 0
        self.streams = 0
        self.given_bytes = 0

    def next_number(self, instance: str) -> int:
        """Return the number that the next stream of ``instance`` has; for the ``seed`` of `read`, which may fail."""
        return self._of_instance + 1 if instance == self._instance else 1

    def read(self, seed: Callable[[], Seeded], n_bytes: int) -> Iterator[Part]:
        """Yield ``n_bytes`` in parts of at most 64 KiB, from the generator that ``seed`` returns.

        Raises VaultRefusedError ``test-stream-size``, ``test-stream-busy``, ``test-stream-slow``, and what ``seed``
        raises.
        """
        if not 1 <= n_bytes <= MAX_STREAM_BYTES:
            raise VaultRefusedError("test-stream-size", f"{n_bytes} bytes, expected 1 to {MAX_STREAM_BYTES}")
        reader = self._admit(n_bytes)
        try:
            seeded = seed()
            self.streams += 1
            self._instance, self._of_instance = seeded.instance, seeded.number
            try:
                for start in range(0, n_bytes, MAX_BYTES_PER_REQUEST):
                    if self._reader is not reader:
                        raise VaultRefusedError("test-stream-slow", "the stream was read too slowly, and has ended")
                    data = seeded.generator.generate(min(MAX_BYTES_PER_REQUEST, n_bytes - start))
                    self.given_bytes += len(data)
                    yield Part(seeded.number, seeded.instance, seeded.epoch, data)
                    self._pause(len(data) / BYTES_PER_SECOND)
            finally:
                seeded.generator.uninstantiate()
        finally:
            with self._lock:
                if self._reader is reader:
                    self._reader = None

    def _admit(self, n_bytes: int) -> "_Reader":
        now_s = self._clock_s()
        with self._lock:
            if self._reader is not None and now_s < self._reader.until_s:
                raise VaultRefusedError("test-stream-busy", "another stream is being read; one is given at a time")
            self._reader = _Reader(now_s + _PATIENCE_S + n_bytes / _SLOWEST_BYTES_PER_SECOND)
            return self._reader


class _Reader:
    """Who reads at the moment, and until when nobody takes its place."""

    def __init__(self, until_s: float) -> None:
        self.until_s = until_s
