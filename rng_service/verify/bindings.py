"""What a pool was opened for, by the records of an export, beside what its erasure says by the vault's journal.

`bindings_digest` of PROTOCOL.md, section 11: SHA-256 over the slots in order, each as one byte (1 drawn, 3 void) and
the hash of the binding that it was opened for.
"""

from hashlib import sha256

from anchor.errors import VerificationError
from rng_service.log_entries import PoolErase

_MARKS = {"draw": b"\x01", "void": b"\x03"}


class BindingsDigest:
    """The running hash of one pool; slots that end out of order, as those of tickets do, wait for the ones before."""

    __slots__ = ("_ahead", "_hash", "_next")

    def __init__(self) -> None:
        self._hash = sha256()
        self._next = 0
        self._ahead: dict[int, tuple[int, bytes]] = {}

    def add(self, kind: str, slot: int, slots: int, binding_hash: bytes) -> None:
        """Take a draw or void of ``slots`` slots from ``slot`` on."""
        item = _MARKS[kind] + binding_hash
        if slot != self._next:
            self._ahead[slot] = slots, item
            return
        self._hash.update(item if slots == 1 else item * slots)
        self._next += slots
        while self._ahead and (waiting := self._ahead.pop(self._next, None)) is not None:
            self._hash.update(waiting[1] * waiting[0])
            self._next += waiting[0]

    @property
    def known(self) -> int:
        """How many slots, from the first on, have ended."""
        return self._next

    def check(self, entry: PoolErase) -> None:
        """Compare with the vault's word once every slot has ended; raises VerificationError ``erase-bindings``."""
        found = self._hash.digest()
        if found != entry.bindings_digest:
            raise VerificationError(
                "erase-bindings",
                f"{entry.pool}: the records give the bindings digest {found.hex()}, "
                f"by the vault's journal it is {entry.bindings_digest.hex()}",
            )
