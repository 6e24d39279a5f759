"""Where every key of the vault comes from: its generator, for as long as the entropy source behind it is good.

A source that fails stops the making of keys until the vault is started again. What was sealed since the last good test
is then a suspect, and the journal says so before anything else happens.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rng_service.vault import entries
from rng_service.vault.entropy import TestedSource, VaultDrbg
from rng_service.vault.errors import EntropyFailedError
from rng_service.vault.source_record import SourceRecord

__all__ = ["KeySource"]


class KeySource:
    """The generator that ``instantiate`` makes from ``source``; call `start` once the journal is replayed.

    ``append`` makes a frame of the journal durable, ``in_doubt`` names the pools whose keys were made and not sealed
    yet, and ``lock`` is the vault's, which covers the journal and ``record``.
    """

    def __init__(
        self,
        source: TestedSource,
        instantiate: Callable[[], VaultDrbg],
        *,
        record: SourceRecord,
        append: Callable[[bytes], object],
        in_doubt: Callable[[], set[str]],
        lock: threading.RLock,
    ) -> None:
        self._source = source
        self._instantiate = instantiate
        self._record = record
        self._append = append
        self._in_doubt = in_doubt
        self._lock = lock
        self.drbg: VaultDrbg | None = None
        self.failure: EntropyFailedError | None = None

    def start(self) -> None:
        """Run the start-up test and instantiate the generator; there is none when the source fails."""
        try:
            self._source.test()
            self.drbg = self._instantiate()
        except EntropyFailedError as error:
            self._stop(error)
            return
        if self._record.failed_test:
            # Somebody restarted the vault, and the source passes: keys are made again. Its suspects stay what they are.
            self._write(entries.encode_tested())

    def retire(self) -> None:
        """Forget the generator."""
        if self.drbg is not None:
            self.drbg.retire()

    @property
    def samples(self) -> int:
        """How many samples of the source passed since the start."""
        return self._source.samples

    @contextmanager
    def generator(self) -> Iterator[VaultDrbg]:
        """Give the generator while the source is good; what fails within stops it. The caller holds the lock.

        Raises EntropyFailedError.
        """
        if self.failure is not None or self.drbg is None:
            raise self.failed()
        try:
            yield self.drbg
        except EntropyFailedError as error:
            self._stop(error)
            raise

    def replace(self) -> VaultDrbg:
        """Instantiate a fresh generator in the place of the present one. The caller holds the lock."""
        with self.generator() as old:
            self.drbg = fresh = self._instantiate()
            old.retire()
            return fresh

    def require(self) -> None:
        """Raise EntropyFailedError once the source has failed."""
        if self.failure is not None:
            raise self.failed()

    def failed(self) -> EntropyFailedError:
        """Return what is wrong with the source as a new error: one that is raised often would grow."""
        if self.failure is None:
            return EntropyFailedError("start-up", "the generator was never instantiated")
        return EntropyFailedError(self.failure.test, self.failure.message)

    def check(self) -> None:
        """Test the source on demand; raises EntropyFailedError, now and ever after, when it fails."""
        try:
            self.require()
            self._source.test()
        except EntropyFailedError as error:
            self._stop(error)
            raise

    def test(self) -> None:
        """Do the same, and journal a good test when pools were sealed since the last."""
        with self._lock:
            doubtful = self._record.untested
        self.check()
        with self._lock:
            # What was sealed beside the test waits for the next one.
            if doubtful and doubtful == self._record.untested:
                self._write(entries.encode_tested())

    def tested_since_sealed(self, pool_id: str) -> bytes:
        """Return nothing, or after a test the journal entry of a good one: every pool has a test behind its sealing."""
        if pool_id not in self._record.untested:
            return b""
        self.check()
        return entries.encode_tested()

    def _stop(self, error: EntropyFailedError) -> None:
        """Make no key any more, and journal which pools are suspects; again journals what could not be journaled."""
        with self._lock:
            self.failure = self.failure or error
            if not self._record.failed_test:
                # A crash before this frame is durable leaves no key that was not tested with the samples around it.
                self._write(self._record.failure_frame(error.test, sorted(self._in_doubt())))

    def _write(self, frame: bytes) -> None:
        self._append(frame)
        self._record.apply(frame)
