"""Records (PROTOCOL.md, sections 7 and 8): the bytes that receipts, digests and signatures cover.

The binding's own bytes stand inside the record, so nothing here parses or re-serialises them; what a binding
may say is checked where bindings are made and where they are verified.
"""

from hashlib import sha256
from typing import Final

from rng_service.encoding import BINDING_LABEL

__all__ = [
    "binding_hash",
    "draw_record",
    "record_digest",
    "settle_record",
    "ticket_record",
    "void_record",
]

_DRAW: Final = b',"kind":"draw","secrets":"'
_VOID: Final = b',"kind":"void","opened":"'
_TICKET: Final = b',"kind":"ticket","v":1}'
_SETTLE: Final = b',"kind":"settle","v":1}'
_BINDING: Final = b'{"binding":'
_END: Final = b'","v":1}'


def binding_hash(binding: bytes) -> bytes:
    """Return SHA-256(label || binding bytes), to which a slot is bound."""
    return sha256(BINDING_LABEL + binding).digest()


def draw_record(binding: bytes, secrets: bytes) -> bytes:
    """Return the record of a draw; ``secrets`` is 32 bytes for each slot of the binding."""
    return _BINDING + binding + _DRAW + secrets.hex().encode("ascii") + _END


def ticket_record(binding: bytes) -> bytes:
    """Return the record of a reservation."""
    return _BINDING + binding + _TICKET


def void_record(binding: bytes, secrets: bytes) -> bytes:
    """Return the record of slots thrown away; it holds the SHA-256 of their concatenated secrets."""
    return _BINDING + binding + _VOID + sha256(secrets).hexdigest().encode("ascii") + _END


def settle_record(binding: bytes) -> bytes:
    """Return the record of a settlement."""
    return _BINDING + binding + _SETTLE


def record_digest(record: bytes) -> bytes:
    """Return SHA-256(0x00 || record): the record's leaf hash in digests and opening signatures."""
    return sha256(b"\x00" + record).digest()
