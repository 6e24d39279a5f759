"""The vault's generator: CTR_DRBG instantiated from the operating system, reseeded for every pool.

Whatever the operating system gives passes the health tests of SP 800-90B, section 4.4, on its way (`TestedSource`).
"""

import os
import threading
import weakref
from collections.abc import Callable
from typing import Final

from rng_service.encoding import lp, u64
from rng_service.vault.drbg import SEED_BYTES, CtrDrbg
from rng_service.vault.errors import DrbgError, EntropyFailedError, ForkedError
from rng_service.vault.secret import KeyEncryptionKey, PoolKey, SecretBytes, SigningSeed
from stats_tests.health import HealthFailureError, HealthTests, most_common_value_bits

__all__ = ["CLAIMED_BITS", "FALSE_POSITIVE_BITS", "EntropySource", "TestedSource", "VaultDrbg", "system_entropy"]

EntropySource = Callable[[int], bytes]

_PERSONALIZATION: Final = lp(b"sealdraw/v1/drbg")
# No pool is named like it: lp() begins with a zero byte.
_TEST_STREAM: Final = lp(b"sealdraw/v1/test-stream")
_NONCE_BYTES: Final = 32
_KERNEL_REQUEST: Final = 256

# H of the health tests, in bits a byte. The kernel's bytes are conditioned and should have 8; 48 bytes of a source of
# 7 still hold 336 bits for a generator that needs 256.
CLAIMED_BITS: Final = 7
# The strictest rate of false alarms that section 4.4 recommends, 2^-40: a false one stops sealing until a person comes.
# With this claim a perfect source is accused once in 2^48 samples, a thousand years of testing all the time.
FALSE_POSITIVE_BITS: Final = 40
# Samples around every block that is used: two windows of the adaptive proportion test before it, and two behind it.
_AROUND: Final = 1024
# Samples of a test on demand: 128 windows.
_ON_DEMAND: Final = 65_536


def system_entropy(n_bytes: int) -> bytes:
    """Return ``n_bytes`` from the kernel, waiting until its pool was initialised."""
    # Not every kernel that Python runs on has getrandom; the fallback reads the same pool. Up to 256 bytes come whole,
    # whatever signals arrive.
    source: EntropySource = getattr(os, "getrandom", os.urandom)
    return b"".join(source(min(_KERNEL_REQUEST, n_bytes - at)) for at in range(0, n_bytes, _KERNEL_REQUEST))


class TestedSource:
    """An entropy source of which no byte is used untested; itself an `EntropySource`.

    Every sample of ``raw`` goes through one repetition count and one adaptive proportion test, for good. A block that
    is used lies between 1,024 samples that are thrown away, and is handed out only when all of them passed. The first
    failure is final for this object: every later call raises EntropyFailedError at once. An error of ``raw`` itself
    goes through to the caller, who gets no byte. May be shared by threads.
    """

    __test__ = False  # pytest collects classes by this name's beginning

    def __init__(self, raw: EntropySource) -> None:
        self._raw = raw
        self._lock = threading.Lock()
        self._tests = HealthTests(CLAIMED_BITS, FALSE_POSITIVE_BITS)
        self._failure: tuple[str, str] | None = None

    @property
    def samples(self) -> int:
        """How many samples passed."""
        return self._tests.samples

    @property
    def failure(self) -> EntropyFailedError | None:
        """The failure that ended the source, None while it is good."""
        # A new error each time: one that is raised often would grow.
        return None if self._failure is None else EntropyFailedError(*self._failure)

    def test(self) -> None:
        """Test 65,536 samples that nothing is made of: the start-up test, and the test on demand.

        So many samples also show a value that comes too often for the claim, and not often enough for a window.
        """
        with self._lock:
            found = most_common_value_bits(self._read(_ON_DEMAND))
            if found < CLAIMED_BITS:
                raise self._fail(
                    "most-common-value", f"{found:.3f} bits of min-entropy in {_ON_DEMAND} samples, not {CLAIMED_BITS}"
                )

    def __call__(self, n_bytes: int) -> bytes:
        """Return ``n_bytes`` that were tested with what came before and behind them."""
        with self._lock:
            return self._read(_AROUND + n_bytes + _AROUND)[_AROUND : _AROUND + n_bytes]

    def _read(self, n_samples: int) -> bytes:
        """Return samples of which all passed; the caller holds the lock."""
        if (failure := self.failure) is not None:
            raise failure
        samples = self._raw(n_samples)
        if len(samples) != n_samples:
            raise DrbgError(f"the entropy source gave {len(samples)} bytes, not what was asked for")
        try:
            self._tests.feed(samples)
        except HealthFailureError as error:
            raise self._fail(error.test, str(error)) from error
        return samples

    def _fail(self, test: str, message: str) -> EntropyFailedError:
        self._failure = test, message
        return EntropyFailedError(test, message)


class VaultDrbg:
    """One instantiation of the generator, bound to the process that made it.

    ``epoch`` counts instantiations of this vault. Every secret is generated with prediction resistance: 48
    fresh bytes from ``entropy`` are mixed in first. After a fork the child's copy is destroyed and the
    parent's pid no longer fits, so the child gets ForkedError until it instantiates its own. Two equal blocks
    from ``entropy`` in a row raise DrbgError: the source is stuck.
    """

    def __init__(self, origin: str, epoch: int, created_us: int, *, entropy: EntropySource = system_entropy) -> None:
        self.instance = entropy(8).hex()
        self.epoch = epoch
        self.created_us = created_us
        self._entropy = entropy
        self._last_block = b""
        personalization = (
            _PERSONALIZATION + lp(origin.encode()) + lp(self.instance.encode()) + u64(epoch) + u64(os.getpid())
        )
        self._drbg = CtrDrbg(self._fresh_block(), entropy(_NONCE_BYTES), personalization)
        self._process_id = os.getpid()
        _live.add(self)

    def new_pool_key(self, pool_id: str) -> PoolKey:
        """Return the key of a new pool."""
        return PoolKey(self._generate(pool_id.encode()))

    def new_key_encryption_key(self) -> KeyEncryptionKey:
        """Return a new key-encryption key."""
        return KeyEncryptionKey(self._generate(b"kek"))

    def new_signing_seed(self, purpose: str) -> SigningSeed:
        """Return the seed of a new Ed25519 key."""
        return SigningSeed(self._generate(purpose.encode()))

    def new_test_stream(self, number: int) -> CtrDrbg:
        """Return a generator for test-only stream ``number``, seeded by one output of this one (see `test_streams`)."""
        label = _TEST_STREAM + u64(number)
        seed = self._generate(label, SEED_BYTES)
        return CtrDrbg(seed, self._entropy(_NONCE_BYTES), label + lp(self.instance.encode()) + u64(self.epoch))

    def retire(self) -> None:
        """Destroy the state; the instance refuses from now on."""
        self._drbg.uninstantiate()

    def _generate(self, purpose: bytes, n_bytes: int = SecretBytes.SIZE) -> bytes:
        if self._process_id != os.getpid():
            raise ForkedError("this generator belongs to another process; instantiate a new one")
        return self._drbg.generate_with_prediction_resistance(n_bytes, self._fresh_block(), purpose)

    def _fresh_block(self) -> bytes:
        block = self._entropy(SEED_BYTES)
        if block == self._last_block:
            raise DrbgError("the entropy source returned the same 48 bytes twice in a row")
        self._last_block = block
        return block


_live: "weakref.WeakSet[VaultDrbg]" = weakref.WeakSet()


def _retire_all_in_child() -> None:
    for generator in list(_live):
        generator.retire()


os.register_at_fork(after_in_child=_retire_all_in_child)
