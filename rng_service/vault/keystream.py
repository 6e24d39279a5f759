"""The secrets of one open pool, a block of neighbouring slots at a time."""

from typing import Final

from rng_service.pools.slots import SECRET_BYTES, slot_secrets_range
from rng_service.vault.secret import PoolKey

__all__ = ["SecretStream"]

# Slots are opened in order; setting up the cipher costs as much as a thousand blocks of keystream.
_BLOCK_SLOTS: Final = 512


class SecretStream:
    """Slot secrets of a pool under its key; keeps the block of the newest access. Not thread-safe."""

    __slots__ = ("_block", "_first", "_pool_key")

    def __init__(self, pool_key: PoolKey) -> None:
        self._pool_key = pool_key
        self._first = 0
        self._block = b""

    def secrets(self, slot: int, count: int) -> bytes:
        """Return s_slot || … for ``count`` slots; only the owner of a durable binding may ask."""
        offset = SECRET_BYTES * (slot - self._first)
        end = offset + SECRET_BYTES * count
        if offset < 0 or end > len(self._block):
            self._first = slot
            size = max(count, _BLOCK_SLOTS)
            self._block = slot_secrets_range(self._pool_key.reveal_secret(), slot, size)
            offset, end = 0, SECRET_BYTES * count
        return self._block[offset:end]

    def wipe(self) -> None:
        """Forget the key and the block, as far as the interpreter lets go of them."""
        self._pool_key.wipe()
        self._block = b""

    def __repr__(self) -> str:
        return "<SecretStream withheld>"
