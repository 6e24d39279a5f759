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
    """A fresh generator, and which instance of the vault's it was seeded by."""

    generator: CtrDrbg
    instance: str
    epoch: int


class TestStreams:
    """Gives one stream at a time, at most 1 GiB long and 32 MiB a second; counts what was given.

    ``pause`` waits for so many seconds.
    """

    __test__ = False  # pytest collects classes by this name's beginning

    def __init__(self, pause: Callable[[float], object]) -> None:
        self._pause = pause
        self._busy = threading.Lock()
        self.streams = 0
        self.given_bytes = 0

    def read(self, seed: Callable[[int], Seeded], n_bytes: int) -> Iterator[Part]:
        """Yield ``n_bytes`` in parts of at most 64 KiB, from what ``seed`` returns for the stream's number.

        Raises VaultRefusedError ``test-stream-size``, ``test-stream-busy``, and what ``seed`` raises.
        """
        if not 1 <= n_bytes <= MAX_STREAM_BYTES:
            raise VaultRefusedError("test-stream-size", f"{n_bytes} bytes, expected 1 to {MAX_STREAM_BYTES}")
        if not self._busy.acquire(blocking=False):
            raise VaultRefusedError("test-stream-busy", "another stream is being read; one is given at a time")
        try:
            number = self.streams + 1
            seeded = seed(number)
            self.streams = number
            try:
                for start in range(0, n_bytes, MAX_BYTES_PER_REQUEST):
                    data = seeded.generator.generate(min(MAX_BYTES_PER_REQUEST, n_bytes - start))
                    self.given_bytes += len(data)
                    yield Part(number, seeded.instance, seeded.epoch, data)
                    self._pause(len(data) / BYTES_PER_SECOND)
            finally:
                seeded.generator.uninstantiate()
        finally:
            self._busy.release()
