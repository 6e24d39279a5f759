"""Test-only streams: bits for batteries and laboratories, from the instance that makes keys, and never an outcome.

Each stream is a CTR_DRBG of its own. Its seed is one output of the vault's generator, asked for with fresh entropy and
with a label that no key is asked for with; its personalisation has the label and the stream's number. Whoever had
broken a stream down to its seed would hold one output of the generator, which says nothing of those before and behind.
"""

import threading
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from rng_service.vault.drbg import MAX_BYTES_PER_REQUEST, CtrDrbg
from rng_service.vault.errors import VaultRefusedError

__all__ = ["BYTES_PER_SECOND", "MAX_STREAM_BYTES", "Part", "Seeded", "TestStreams"]

MAX_STREAM_BYTES: Final = 1 << 30
# Openings share a processor with this.
BYTES_PER_SECOND: Final = 32 * 2**20


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

    ``pause`` waits for so many seconds. ``streams`` counts over all instances, `next_number` from 1 in each: a report
    of statistics names the stream that it is about, and gaps show which others were read.
    """

    __test__ = False  # pytest collects classes by this name's beginning

    def __init__(self, pause: Callable[[float], object]) -> None:
        self._pause = pause
        self._busy = threading.Lock()
        self._instance = ""
        self._of_instance = 0
        self.streams = 0
        self.given_bytes = 0

    def next_number(self, instance: str) -> int:
        """Return the number that the next stream of ``instance`` has; for the ``seed`` of `read`, which may fail."""
        return self._of_instance + 1 if instance == self._instance else 1

    def read(self, seed: Callable[[], Seeded], n_bytes: int) -> Iterator[Part]:
        """Yield ``n_bytes`` in parts of at most 64 KiB, from the generator that ``seed`` returns.

        Raises VaultRefusedError ``test-stream-size``, ``test-stream-busy``, and what ``seed`` raises.
        """
        if not 1 <= n_bytes <= MAX_STREAM_BYTES:
            raise VaultRefusedError("test-stream-size", f"{n_bytes} bytes, expected 1 to {MAX_STREAM_BYTES}")
        if not self._busy.acquire(blocking=False):
            raise VaultRefusedError("test-stream-busy", "another stream is being read; one is given at a time")
        try:
            seeded = seed()
            self.streams += 1
            self._instance, self._of_instance = seeded.instance, seeded.number
            try:
                for start in range(0, n_bytes, MAX_BYTES_PER_REQUEST):
                    data = seeded.generator.generate(min(MAX_BYTES_PER_REQUEST, n_bytes - start))
                    self.given_bytes += len(data)
                    yield Part(seeded.number, seeded.instance, seeded.epoch, data)
                    self._pause(len(data) / BYTES_PER_SECOND)
            finally:
                seeded.generator.uninstantiate()
        finally:
            self._busy.release()
