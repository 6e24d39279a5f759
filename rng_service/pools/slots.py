"""The slots of a pool (PROTOCOL.md, section 3): secrets from the keystream, leaves, and the tree over them.

The vault seals with it and the auditor checks with it, so it needs the cipher library and nothing of the
server.
"""

import sys
from array import array
from hashlib import sha256
from struct import iter_unpack
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from anchor.merkle import root_of
from rng_service.encoding import SLOT_LABEL, lp, u64

__all__ = [
    "MAX_POOL_SIZE",
    "SECRET_BYTES",
    "slot_leaf",
    "slot_leaves",
    "slot_root",
    "slot_secrets",
    "slot_secrets_range",
]

MAX_POOL_SIZE: Final = 1_048_576
SECRET_BYTES: Final = 32

_BLOCKS_PER_SECRET: Final = 2
_WORD: Final = 8
# Leaves are assembled in runs that stay in the processor's cache.
_RUN: Final = 4096


def slot_secrets(key: bytes, size: int) -> bytes:
    """Return s_0 || s_1 || … of a pool with ``size`` slots: 32 bytes a slot.

    The keystream of AES-256-CTR (SP 800-38A) under ``key``, its 128-bit big-endian counter starting at 0.
    """
    return slot_secrets_range(key, 0, size)


def slot_secrets_range(key: bytes, first: int, count: int) -> bytes:
    """Return s_first || … of ``count`` consecutive slots: keystream bytes from 32·first on."""
    counter = (_BLOCKS_PER_SECRET * first).to_bytes(16, "big")
    return Cipher(AES(key), CTR(counter)).encryptor().update(bytes(SECRET_BYTES * count))


def slot_leaf(pool_id: str, slot: int, secret: bytes) -> bytes:
    """Return the leaf hash of one slot: SHA-256(0x00 || label || lp(pool_id) || u64(slot) || secret)."""
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"a slot secret has {SECRET_BYTES} bytes, not {len(secret)}")
    return sha256(_prefix(pool_id) + u64(slot) + secret).digest()


def slot_leaves(pool_id: str, secrets: bytes, first: int = 0) -> list[bytes]:
    """Return the leaf hashes of consecutive slots from ``first`` on, given their concatenated secrets.

    The same values as `slot_leaf` one by one, at the cost of little more than the hash calls.
    """
    if len(secrets) % SECRET_BYTES:
        raise ValueError("secrets are 32 bytes a slot")
    prefix = _prefix(pool_id)
    # Rows are whole words, so that columns can be filled at once; the filling in front is not hashed.
    filling = -len(prefix) % _WORD
    row = bytes(filling) + prefix + bytes(_WORD + SECRET_BYTES)
    preimage = f"{filling}x{len(row) - filling}s"
    leaves: list[bytes] = []
    for start in range(0, len(secrets) // SECRET_BYTES, _RUN):
        part = secrets[SECRET_BYTES * start : SECRET_BYTES * (start + _RUN)]
        rows = _rows(row, first + start, part)
        leaves += [sha256(slot).digest() for (slot,) in iter_unpack(preimage, rows)]
    return leaves


def slot_root(leaves: list[bytes]) -> bytes:
    """Return the slot root: the RFC 9162 tree over all leaf hashes of a pool."""
    return root_of(leaves)


def _prefix(pool_id: str) -> bytes:
    return b"\x00" + SLOT_LABEL + lp(pool_id.encode("ascii"))


def _rows(row: bytes, first: int, secrets: bytes) -> bytearray:
    # A copy of ``row`` for each slot, its last five words filled with u64(slot) || secret, column by column.
    count = len(secrets) // SECRET_BYTES
    rows = bytearray(row * count)
    words = memoryview(rows).cast("Q")
    source = memoryview(secrets).cast("Q")
    numbers = array("Q", range(first, first + count))
    if sys.byteorder == "little":
        numbers.byteswap()
    width = len(row) // _WORD
    words[width - 5 :: width] = memoryview(numbers)
    for column in range(4):
        words[width - 4 + column :: width] = source[column::4]
    return rows
