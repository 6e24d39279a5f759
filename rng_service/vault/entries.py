"""What a journal frame holds: one or more entries, each a fact about one pool or about the entropy source.

    sealed      0x01 || lp(pool_id) || u64(size) || slot root
    activated   0x02 || lp(pool_id)
    opening     0x03 || lp(pool_id) || u64(slot) || u32(count) || u8(kind) || binding hash
    voided      0x04 || lp(pool_id)
    erased      0x05 || lp(pool_id)
    sealed deal 0x06 || lp(pool_id) || u64(size) || slot root
    tested      0x10 || lp("")              the entropy source passed a test on demand
    failed      0x11 || lp(name of a test)  the entropy source failed
    suspected   0x12 || lp(pool_id)         sealed since the last good test before a failure

A draw that opens a reserved slot needs no ticket hash of its own: the ticket's opening stands earlier in the
journal.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Final

from rng_service.encoding import lp, u64
from rng_service.vault.errors import JournalError

__all__ = [
    "Entry",
    "PoolActivated",
    "PoolEntry",
    "PoolErased",
    "PoolSealed",
    "PoolSuspected",
    "PoolVoided",
    "SlotsOpened",
    "SourceEntry",
    "SourceFailed",
    "SourceTested",
    "encode_activated",
    "encode_erased",
    "encode_failed",
    "encode_opened",
    "encode_sealed",
    "encode_suspected",
    "encode_tested",
    "encode_voided",
    "parse_entries",
]

_SEALED: Final = b"\x01"
_ACTIVATED: Final = b"\x02"
_OPENED: Final = b"\x03"
_VOIDED: Final = b"\x04"
_ERASED: Final = b"\x05"
_SEALED_DEAL: Final = b"\x06"
_TESTED: Final = b"\x10"
_FAILED: Final = b"\x11"
_SUSPECTED: Final = b"\x12"
_opened = Struct(">QIB32s")
_sealed = Struct(">Q32s")


@dataclass(frozen=True, slots=True)
class PoolSealed:
    """A pool got its key and its slot root."""

    pool_id: str
    size: int
    slot_root: bytes
    deal: bool = False


@dataclass(frozen=True, slots=True)
class PoolActivated:
    """Slots of the pool may be opened from here on."""

    pool_id: str


@dataclass(frozen=True, slots=True)
class SlotsOpened:
    """Consecutive slots were bound to one binding hash; ``kind`` is a number of the proto's SlotKind."""

    pool_id: str
    slot: int
    count: int
    kind: int
    binding_hash: bytes


@dataclass(frozen=True, slots=True)
class PoolVoided:
    """The pool ended unopened; its key was given out."""

    pool_id: str


@dataclass(frozen=True, slots=True)
class PoolErased:
    """The pool ended opened in full; its key is destroyed."""

    pool_id: str


@dataclass(frozen=True, slots=True)
class SourceTested:
    """The entropy source passed a test on demand: nothing that was sealed before is in doubt."""


@dataclass(frozen=True, slots=True)
class SourceFailed:
    """The entropy source failed at ``test``; what it made since the last good test follows in the same frame."""

    test: str


@dataclass(frozen=True, slots=True)
class PoolSuspected:
    """The pool's key was made since the last good test before a failure; it is never drawn from."""

    pool_id: str


PoolEntry = PoolSealed | PoolActivated | SlotsOpened | PoolVoided | PoolErased
SourceEntry = SourceTested | SourceFailed | PoolSuspected
Entry = PoolEntry | SourceEntry


def encode_sealed(pool_id: str, size: int, slot_root: bytes, *, deal: bool = False) -> bytes:
    """Return the bytes of `PoolSealed`."""
    return (_SEALED_DEAL if deal else _SEALED) + lp(pool_id.encode("ascii")) + u64(size) + slot_root


def encode_activated(pool_id: str) -> bytes:
    """Return the bytes of `PoolActivated`."""
    return _ACTIVATED + lp(pool_id.encode("ascii"))


def encode_opened(pool_id: str, slot: int, count: int, kind: int, binding_hash: bytes) -> bytes:
    """Return the bytes of `SlotsOpened`."""
    return _OPENED + lp(pool_id.encode("ascii")) + _opened.pack(slot, count, kind, binding_hash)


def encode_voided(pool_id: str) -> bytes:
    """Return the bytes of `PoolVoided`."""
    return _VOIDED + lp(pool_id.encode("ascii"))


def encode_erased(pool_id: str) -> bytes:
    """Return the bytes of `PoolErased`."""
    return _ERASED + lp(pool_id.encode("ascii"))


def encode_tested() -> bytes:
    """Return the bytes of `SourceTested`."""
    return _TESTED + lp(b"")


def encode_failed(test: str) -> bytes:
    """Return the bytes of `SourceFailed`."""
    return _FAILED + lp(test.encode("ascii"))


def encode_suspected(pool_id: str) -> bytes:
    """Return the bytes of `PoolSuspected`."""
    return _SUSPECTED + lp(pool_id.encode("ascii"))


def parse_entries(payload: bytes) -> Iterator[Entry]:
    """Yield the entries of one frame; raises JournalError for bytes that no `encode_` function wrote."""
    position = 0
    while position < len(payload):
        kind = payload[position : position + 1]
        start = position + 5
        end = start + int.from_bytes(payload[position + 1 : start], "big")
        pool_id = payload[start:end].decode("ascii", errors="replace")
        if end > len(payload):
            raise JournalError("a journal frame ends inside an entry")
        position = end
        if kind == _OPENED and end + _opened.size <= len(payload):
            yield SlotsOpened(pool_id, *_opened.unpack_from(payload, end))
            position += _opened.size
        elif kind in {_SEALED, _SEALED_DEAL} and end + _sealed.size <= len(payload):
            size, root = _sealed.unpack_from(payload, end)
            yield PoolSealed(pool_id, size, root, kind == _SEALED_DEAL)
            position += _sealed.size
        elif kind == _ACTIVATED:
            yield PoolActivated(pool_id)
        elif kind == _VOIDED:
            yield PoolVoided(pool_id)
        elif kind == _ERASED:
            yield PoolErased(pool_id)
        elif kind == _TESTED:
            yield SourceTested()
        elif kind == _FAILED:
            yield SourceFailed(pool_id)
        elif kind == _SUSPECTED:
            yield PoolSuspected(pool_id)
        else:
            raise JournalError(f"a journal frame holds an unknown entry of type {kind.hex()}")
