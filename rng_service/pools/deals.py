"""The slots of a finite deal (PROTOCOL.md, section 3): secrets that end in the slot's place in the sealed order.

    c          shuffle(N), its integers read from the pool's keystream from byte 32 N on
    s_i        bytes [32 i, 32 i + 24) of the keystream || u64(c_i)

So a deal is opened, recorded and proven slot by slot exactly as any other pool, and 192 bits still hide a place.
"""

from typing import TYPE_CHECKING

from rng_service.outcome.deals import shuffled
from rng_service.pools.slots import SECRET_BYTES, slot_secrets, slot_secrets_range

if TYPE_CHECKING:
    from array import array

__all__ = ["PLACE_BYTES", "deal_order", "deal_secrets", "place_of", "with_places"]

PLACE_BYTES = 8
# Keystream is made for so many slots' worth at a time.
_CHUNK = 4_096


class _Keystream:
    """The bytes of a pool's keystream from one slot's place on, read in order."""

    def __init__(self, key: bytes, first: int) -> None:
        self._key = key
        self._next = first
        self._buffer = b""
        self._position = 0

    def below(self, bound: int, size: int, mask: int) -> int:
        """Return the next integer under ``bound`` by the rejection rule of `uniform`."""
        while True:
            start = self._position
            end = start + size
            if end > len(self._buffer):
                self._buffer = self._buffer[start:] + slot_secrets_range(self._key, self._next, _CHUNK)
                self._next += _CHUNK
                start, end = 0, size
            self._position = end
            value = int.from_bytes(self._buffer[start:end], "big") & mask
            if value < bound:
                return value


def deal_order(key: bytes, size: int) -> "array[int]":
    """Return c, the sealed order of a deal of ``size`` tickets under the pool key ``key``."""
    return shuffled(size, _Keystream(key, size).below)


def deal_secrets(key: bytes, size: int) -> bytes:
    """Return s_0 || s_1 || … of a deal: 32 bytes a slot."""
    return with_places(slot_secrets(key, size), deal_order(key, size), 0)


def with_places(secrets: bytes, order: "array[int]", first: int) -> bytes:
    """Return the secrets of consecutive slots from ``first`` on with their places in the last eight bytes."""
    parts = bytearray(secrets)
    for number in range(len(secrets) // SECRET_BYTES):
        end = SECRET_BYTES * (number + 1)
        parts[end - PLACE_BYTES : end] = order[first + number].to_bytes(PLACE_BYTES, "big")
    return bytes(parts)


def place_of(secret: bytes) -> int:
    """Return c_i from the secret of a slot of a deal."""
    return int.from_bytes(secret[-PLACE_BYTES:], "big")
