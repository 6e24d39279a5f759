"""Which slots of one pool have a ticket, a draw or a void: one byte for each slot of an open pool."""

from collections.abc import Iterator
from typing import Final

from anchor.errors import VerificationError
from rng_service.verify.fault import require

_BITS: Final = {"ticket": 1, "draw": 2, "void": 4}
_TICKET: Final = 1
# What a slot may have had before: a ticket comes first, and each thing only once.
_BEFORE: Final = {"ticket": bytes([0]), "draw": bytes([0, _TICKET]), "void": bytes([0, _TICKET])}
_SET: Final = {kind: bytes([value | bit for value in range(256)]) for kind, bit in _BITS.items()}


class Coverage:
    """The slots 0 … size-1 of a pool and what the digests have said about them."""

    __slots__ = ("_flags", "_touched", "bound", "drawn", "tickets", "void")

    def __init__(self, size: int) -> None:
        self._flags = bytearray(size)
        self._touched = 0
        self.bound = 0
        self.drawn = 0
        self.tickets = 0
        self.void = 0

    def take(self, kind: str, start: int, end: int) -> None:
        """Mark the slots [start, end).

        Raises VerificationError ``slot-reused`` for one that had its turn, ``ticket-late`` for a ticket behind it.
        """
        part = self._flags[start:end]
        if part.translate(None, _BEFORE[kind]):
            taken = next(at for at, value in enumerate(part) if value not in _BEFORE[kind])
            if kind == "ticket" and not part[taken] & _TICKET:
                raise VerificationError("ticket-late", f"slot {start + taken} was drawn or void before its ticket")
            raise VerificationError("slot-reused", f"slot {start + taken} has a {kind} or its like already")
        self._touched += part.count(0)
        self._flags[start:end] = part.translate(_SET[kind])
        if kind == "draw":
            self.drawn += end - start
        elif kind == "void":
            self.void += end - start
        else:
            self.tickets += end - start

    def first_without_ticket(self, start: int, end: int) -> int | None:
        """Return the first of the slots [start, end) that never had a ticket, None when each had one."""
        for slot in range(start, end):
            if not self._flags[slot] & _TICKET:
                return slot
        return None

    def first_with_ticket(self, start: int, end: int) -> int | None:
        """Return the first of the slots [start, end) that has or had a ticket, None when none had."""
        if end == start + 1:
            return start if self._flags[start] & _TICKET else None
        return next((slot for slot in range(start, end) if self._flags[slot] & _TICKET), None)

    def check_prefix(self, pool: str) -> None:
        """Check that the slots with any record are the first ones; raises VerificationError ``slot-skipped``."""
        first_free = self._flags.find(0, self.bound)
        self.bound = len(self._flags) if first_free < 0 else first_free
        require(
            self.bound == self._touched,
            "slot-skipped",
            f"{pool}: slot {self.bound} has no record, and later ones have",
        )

    @property
    def complete(self) -> bool:
        """Whether every slot is drawn or void."""
        return self.drawn + self.void == len(self._flags)

    def void_slots(self) -> Iterator[int]:
        """Yield the void slots in order."""
        return (slot for slot, value in enumerate(self._flags) if value & 4)

    def drawn_slots(self) -> Iterator[int]:
        """Yield the drawn slots in order."""
        return (slot for slot, value in enumerate(self._flags) if value & 2)
