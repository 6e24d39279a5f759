"""One pool as the vault sees it: a pure state machine that decides which binding may open which slot.

    sealed ──activate──▶ active ──every slot drawn or void──▶ erased
       └──────────────────┴──never opened──▶ void

A slot is free, reserved by a ticket, or bound for ever to one binding hash. `PoolState.plan` decides without
changing anything; the owner then calls `apply`, journals, and calls `revert` when the journal could not be
written.
"""

from enum import IntEnum, StrEnum
from hashlib import sha256
from typing import Any, Final, NamedTuple

from anchor.errors import MalformedError
from rng_service.records.record import binding_hash
from rng_service.vault.binding import read_binding

__all__ = ["Decision", "Kind", "Life", "PoolState", "Refusal"]

HASH_BYTES: Final = 32


class Kind(IntEnum):
    """What a binding does with its slots; the numbers are those of the vault's proto."""

    DRAW = 1
    TICKET = 2
    VOID = 3


class Life(StrEnum):
    """The states of a pool."""

    SEALED = "sealed"
    ACTIVE = "active"
    VOID = "void"
    ERASED = "erased"


class Refusal(StrEnum):
    """Why a binding is refused; stable slugs of the vault's proto."""

    UNKNOWN_POOL = "unknown-pool"
    POOL_NOT_ACTIVE = "pool-not-active"
    SLOT_OUT_OF_RANGE = "slot-out-of-range"
    BOUND_OTHERWISE = "bound-otherwise"
    BINDING_MISMATCH = "binding-mismatch"
    TICKET_MISMATCH = "ticket-mismatch"
    SEED_MISMATCH = "seed-mismatch"
    KEY_UNREADABLE = "key-unreadable"


class Decision(NamedTuple):
    """The answer to one opening: refused, a repetition of what stands already, or fresh."""

    refused: Refusal | None
    binding_hash: bytes = b""
    fresh: bool = False


class PoolState:
    """The bindings of one pool of ``size`` slots, committed to under ``slot_root``; ``deal`` when it is a deal."""

    __slots__ = (
        "_bound",
        "_kinds",
        "_tickets",
        "bindings_digest",
        "deal",
        "drawn",
        "life",
        "pool_id",
        "size",
        "slot_root",
        "ticketed",
        "voided",
    )

    def __init__(self, pool_id: str, size: int, slot_root: bytes, *, deal: bool = False) -> None:
        self.pool_id = pool_id
        self.deal = deal
        self.size = size
        self.slot_root = slot_root
        self.life = Life.SEALED
        self.drawn = 0
        self.ticketed = 0
        self.voided = 0
        # Kept when the bindings themselves are forgotten, for the word on an erased pool.
        self.bindings_digest = b""
        # 32 bytes and one kind for each slot; zero while nothing opened it. Tickets are rarer, so they are
        # sparse.
        self._bound = bytearray()
        self._kinds = bytearray()
        self._tickets: dict[int, bytes] = {}

    @property
    def untouched(self) -> bool:
        """Whether no slot was ever opened or reserved."""
        return not (self.drawn or self.voided or self._tickets)

    @property
    def complete(self) -> bool:
        """Whether every slot was drawn or thrown away."""
        return self.drawn + self.voided == self.size

    def activate(self) -> None:
        """Let slots be opened from now on."""
        self._bound = bytearray(HASH_BYTES * self.size)
        self._kinds = bytearray(self.size)
        self.life = Life.ACTIVE

    def end(self, life: Life) -> None:
        """Enter ``life``, `Life.VOID` or `Life.ERASED`: nothing can be opened any more."""
        if life is Life.ERASED:
            self.bindings_digest = self._digest_bindings()
        self.life = life
        self._bound = bytearray()
        self._kinds = bytearray()
        self._tickets = {}

    def plan(self, slot: int, count: int, kind: int, binding: bytes, ticket_binding: bytes) -> Decision:
        """Decide whether ``count`` slots from ``slot`` on may be used for ``binding``; changes nothing."""
        if self.life is not Life.ACTIVE:
            return Decision(Refusal.POOL_NOT_ACTIVE)
        if not (0 <= slot < self.size and 1 <= count <= self.size - slot):
            return Decision(Refusal.SLOT_OUT_OF_RANGE)
        try:
            fields = read_binding(binding)
        except MalformedError:
            return Decision(Refusal.BINDING_MISMATCH)
        if not self._fits(fields, slot, count, kind):
            return Decision(Refusal.BINDING_MISMATCH)
        hashed = binding_hash(binding)
        kinds = self._kinds[slot : slot + count]
        if kind == Kind.TICKET:
            return self._plan_ticket(slot, kinds[0], hashed)
        if any(kinds):
            same = self._bound[HASH_BYTES * slot : HASH_BYTES * (slot + count)] == hashed * count
            if same and kinds[0] == kind:
                return Decision(None, hashed)
            return Decision(Refusal.BOUND_OTHERWISE)
        if kind == Kind.DRAW:
            refused = self._check_draw(fields, slot, count, ticket_binding)
        else:
            refused = self._check_void(fields, slot, count)
        return Decision(refused) if refused else Decision(None, hashed, fresh=True)

    def apply(self, slot: int, count: int, kind: int, hashed: bytes) -> None:
        """Bind slots as a fresh `Decision` allowed, or as the journal says they were."""
        if kind == Kind.TICKET:
            self._tickets[slot] = hashed
            self.ticketed += 1
            return
        self._bound[HASH_BYTES * slot : HASH_BYTES * (slot + count)] = hashed * count
        self._kinds[slot : slot + count] = bytes((kind,)) * count
        self._count(kind, count, self._tickets_in(slot, count))

    def revert(self, slot: int, count: int, kind: int) -> None:
        """Undo the newest `apply` to these slots, because it could not be journaled."""
        if kind == Kind.TICKET:
            del self._tickets[slot]
            self.ticketed -= 1
            return
        self._bound[HASH_BYTES * slot : HASH_BYTES * (slot + count)] = bytes(HASH_BYTES * count)
        self._kinds[slot : slot + count] = bytes(count)
        self._count(kind, -count, -self._tickets_in(slot, count))

    def bound_to(self, slot: int) -> tuple[Kind, bytes] | None:
        """Return kind and hash of the binding that opened ``slot``, None while none did."""
        if not self._kinds[slot]:
            return None
        return Kind(self._kinds[slot]), bytes(self._bound[HASH_BYTES * slot : HASH_BYTES * (slot + 1)])

    def ticket_of(self, slot: int) -> bytes | None:
        """Return the hash of the ticket that reserved ``slot``, whether or not it was used since."""
        return self._tickets.get(slot)

    def _digest_bindings(self) -> bytes:
        # SHA-256 over the slots in order, one byte and 32 each (PROTOCOL.md, section 11).
        width = 1 + HASH_BYTES
        rows = bytearray(width * self.size)
        rows[::width] = self._kinds
        for position in range(HASH_BYTES):
            rows[1 + position :: width] = self._bound[position::HASH_BYTES]
        return sha256(rows).digest()

    def _count(self, kind: int, slots: int, tickets: int) -> None:
        if kind == Kind.DRAW:
            self.drawn += slots
        else:
            self.voided += slots
        self.ticketed -= tickets

    def _tickets_in(self, slot: int, count: int) -> int:
        if not self._tickets:
            return 0
        return sum(position in self._tickets for position in range(slot, slot + count))

    def _fits(self, fields: dict[str, Any], slot: int, count: int, kind: int) -> bool:
        stated = fields.get("slot"), fields.get("count", 1)
        # Types first: True == 1 in Python, and a verifier would read another value.
        if type(stated[0]) is not int or type(stated[1]) is not int or stated != (slot, count):
            return False
        if fields.get("pool") != self.pool_id:
            return False
        # Each kind has a field that the others must not have, so no bytes can be read as two kinds.
        if kind == Kind.DRAW:
            return "caller" in fields and "client_seed_hash" not in fields and "reason" not in fields
        if kind == Kind.TICKET:
            return count == 1 and _hex_hash(fields.get("client_seed_hash")) and "reason" not in fields
        return (
            kind == Kind.VOID
            and isinstance(fields.get("reason"), str)
            and "caller" not in fields
            and "client_seed_hash" not in fields
        )

    def _plan_ticket(self, slot: int, opened: int, hashed: bytes) -> Decision:
        existing = self._tickets.get(slot)
        if existing == hashed:
            return Decision(None, hashed)
        if existing is not None or opened:
            return Decision(Refusal.BOUND_OTHERWISE)
        return Decision(None, hashed, fresh=True)

    def _check_draw(self, fields: dict[str, Any], slot: int, count: int, ticket_binding: bytes) -> Refusal | None:
        stated = fields.get("ticket")
        ticket = self._tickets.get(slot)
        if count > 1:
            free = stated is None and not ticket_binding and not self._tickets_in(slot, count)
            return None if free else Refusal.TICKET_MISMATCH
        if ticket is None:
            return None if stated is None and not ticket_binding else Refusal.TICKET_MISMATCH
        if stated != ticket.hex() or binding_hash(ticket_binding) != ticket:
            return Refusal.TICKET_MISMATCH
        # The hash fits, so these are the very bytes that were checked when the ticket was made.
        reserved = read_binding(ticket_binding)
        for name in ("caller", "program", "session", "session_seq"):
            if fields.get(name) != reserved.get(name):
                return Refusal.TICKET_MISMATCH
        return _check_seed(fields.get("client_seed"), reserved["client_seed_hash"])

    def _check_void(self, fields: dict[str, Any], slot: int, count: int) -> Refusal | None:
        # A reserved slot is thrown away alone, and under its ticket's name, so that whoever holds it finds out.
        ticket = self._tickets.get(slot)
        if count > 1:
            return Refusal.TICKET_MISMATCH if "ticket" in fields or self._tickets_in(slot, count) else None
        return None if fields.get("ticket") == (None if ticket is None else ticket.hex()) else Refusal.TICKET_MISMATCH


def _check_seed(client_seed: object, expected: str) -> Refusal | None:
    if not isinstance(client_seed, str):
        return Refusal.SEED_MISMATCH
    try:
        seed = bytes.fromhex(client_seed)
    except ValueError:
        return Refusal.SEED_MISMATCH
    # The first comparison refuses upper case and spaces, which fromhex would let pass, the second no seed at all.
    if seed.hex() != client_seed or not 16 <= len(seed) <= 64 or sha256(seed).hexdigest() != expected:
        return Refusal.SEED_MISMATCH
    return None


def _hex_hash(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and not value.strip("0123456789abcdef")
