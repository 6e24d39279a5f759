"""The secrets of one open pool, a block of neighbouring slots at a time."""

from array import array
from typing import Final

from rng_service.pools.deals import deal_order, with_places
from rng_service.pools.slots import SECRET_BYTES, slot_secrets_range
from rng_service.vault.secret import PoolKey

__all__ = ["SecretStream"]

# Slots are opened in order; setting up the cipher costs as much as a thousand blocks of keystream.
_BLOCK_SLOTS: Final = 512


class SecretStream:
    """Slot secrets of a pool under its key; keeps the block of the newest access. Not thread-safe."""

    __slots__ = ("_block", "_first", "_order", "_pool_key")

    def __init__(self, pool_key: PoolKey, deal_size: int = 0) -> None:
        """Open the secrets of a pool; ``deal_size`` is the number of tickets of a deal, 0 for any other pool."""
        self._pool_key = pool_key
        self._first = 0
        self._block = b""
        # The sealed order is as secret as the key: whoever has it and the beacon knows every ticket.
        self._order = deal_order(pool_key.reveal_secret(), deal_size) if deal_size else None

    def secrets(self, slot: int, count: int) -> bytes:
        """Return s_slot || … for ``count`` slots; only the owner of a durable binding may ask."""
        offset = SECRET_BYTES * (slot - self._first)
        end = offset + SECRET_BYTES * count
        if offset < 0 or end > len(self._block):
            self._first = slot
            size = max(count, _BLOCK_SLOTS)
            block = slot_secrets_range(self._pool_key.reveal_secret(), slot, size)
            if self._order is not None:
                block = with_places(block[: SECRET_BYTES * (len(self._order) - slot)], self._order, slot)
            self._block = block
            offset, end = 0, SECRET_BYTES * count
        return self._block[offset:end]

    def wipe(self) -> None:
        """Forget the key and the block, as far as the interpreter lets go of them."""
        self._pool_key.wipe()
        self._block = b""
        if self._order is not None:
            self._order[:] = array("I", bytes(self._order.itemsize * len(self._order)))

    def __repr__(self) -> str:
        return "<SecretStream withheld>"
