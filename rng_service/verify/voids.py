"""The opened voids of a closed pool: each slot that was thrown away, with its secret (PROTOCOL.md, section 11)."""

from collections.abc import Iterable
from hashlib import sha256

from anchor.source import Source
from rng_service.log_entries import PoolClose
from rng_service.pools.slots import slot_leaf
from rng_service.public_files import VOID_SIZE, voids_path
from rng_service.verify.fault import located, read_exactly, require


def read_voids(source: Source, close: PoolClose, void_slots: Iterable[int], leaves: bytes) -> list[tuple[int, bytes]]:
    """Return (slot, secret) for each void slot, once every secret is known to give its slot leaf.

    Raises Fault ``voids-digest``, ``voids-slots`` or ``voids-secret``, naming the file.
    """
    path = voids_path(close.pool)
    with located(path=path):
        data = read_exactly(source, path, VOID_SIZE * close.void, "voids-slots")
        found = sha256(data).digest()
        require(
            found == close.voids_digest,
            "voids-digest",
            f"hashes to {found.hex()}, the close names {close.voids_digest.hex()}",
        )
        voids = []
        for number, expected in enumerate(void_slots):
            at = VOID_SIZE * number
            slot, secret = int.from_bytes(data[at : at + 8], "big"), data[at + 8 : at + VOID_SIZE]
            require(slot == expected, "voids-slots", f"void {number} is slot {slot}, expected {expected}")
            require(
                slot_leaf(close.pool, slot, secret) == leaves[32 * slot : 32 * slot + 32],
                "voids-secret",
                f"the secret of slot {slot} does not give its slot leaf",
            )
            voids.append((slot, secret))
    return voids
