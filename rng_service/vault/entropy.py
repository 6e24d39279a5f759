"""The vault's generator: CTR_DRBG instantiated from the operating system, reseeded for every pool."""

import os
import weakref
from collections.abc import Callable
from typing import Final

from rng_service.encoding import lp, u64
from rng_service.vault.drbg import SEED_BYTES, CtrDrbg
from rng_service.vault.errors import DrbgError, ForkedError
from rng_service.vault.secret import KeyEncryptionKey, PoolKey, SecretBytes, SigningSeed

__all__ = ["EntropySource", "VaultDrbg", "system_entropy"]

EntropySource = Callable[[int], bytes]

_PERSONALIZATION: Final = lp(b"sealdraw/v1/drbg")
_NONCE_BYTES: Final = 32


def system_entropy(n_bytes: int) -> bytes:
    """Return ``n_bytes`` (at most 256) from the kernel, waiting until its pool was initialised."""
    # Not every kernel that Python runs on has getrandom; the fallback reads the same pool.
    source: EntropySource = getattr(os, "getrandom", os.urandom)
    return source(n_bytes)


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
        return PoolKey(self._generate(pool_id))

    def new_key_encryption_key(self) -> KeyEncryptionKey:
        """Return a new key-encryption key."""
        return KeyEncryptionKey(self._generate("kek"))

    def new_signing_seed(self, purpose: str) -> SigningSeed:
        """Return the seed of a new Ed25519 key."""
        return SigningSeed(self._generate(purpose))

    def retire(self) -> None:
        """Destroy the state; the instance refuses from now on."""
        self._drbg.uninstantiate()

    def _generate(self, purpose: str) -> bytes:
        if self._process_id != os.getpid():
            raise ForkedError("this generator belongs to another process; instantiate a new one")
        return self._drbg.generate_with_prediction_resistance(SecretBytes.SIZE, self._fresh_block(), purpose.encode())

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
