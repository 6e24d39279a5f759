"""Records as an auditor reads them: canonical bytes, known fields, each of its own form (PROTOCOL.md, 7 and 8)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from anchor import canonical
from anchor.errors import MalformedError
from rng_service.entry_fields import MAX_POOL_SIZE
from rng_service.records.record import binding_hash, record_digest

MAX_RECORD_BYTES = 8_388_608
_START = b'{"binding":'

_HEX = re.compile(r"[0-9a-f]*").fullmatch
_HASH = re.compile(r"[0-9a-f]{64}").fullmatch
_NONCE = re.compile(r"[0-9a-f]{32}").fullmatch
_SEED = re.compile(r"(?:[0-9a-f]{2}){16,64}").fullmatch
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}").fullmatch
_SESSION = re.compile(r"[A-Za-z0-9._:-]{1,64}").fullmatch
_SLUG = re.compile(r"[a-z0-9-]{1,64}").fullmatch
_CURRENCY = re.compile(r"[A-Z]{3}").fullmatch
_VOID_REASON = re.compile(r"ticket-expired|quarantine|retired|frozen|recovered").fullmatch
_STATUS = re.compile(r"final|confirm|void").fullmatch
_POOL = re.compile(r"[a-z0-9/-]{9,256}").fullmatch

Check = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class _Shape:
    """The members of one kind of binding: which must be there, and how each text is spelled."""

    required: frozenset[str]
    texts: Mapping[str, Check]
    integers: frozenset[str]
    anything: frozenset[str]

    @property
    def known(self) -> frozenset[str]:
        """All members that may be there."""
        return frozenset(self.texts) | self.integers | self.anything


def _shape(texts: Mapping[str, Check], integers: str, optional: str, anything: str = "") -> _Shape:
    numbers = frozenset(integers.split())
    free = frozenset(anything.split())
    required = (texts.keys() | numbers | free) - set(optional.split())
    return _Shape(frozenset(required), texts, numbers, free)


_PLACE: dict[str, Check] = {"pool": _POOL, "nonce": _NONCE}
_REQUEST: dict[str, Check] = {"caller": _NAME, "request": _HASH, "payload": _HASH}
_SHAPES = {
    "draw": _shape(
        {
            **_PLACE,
            **_REQUEST,
            "program": _NAME,
            "session": _SESSION,
            "client_seed": _SEED,
            "ticket": _HASH,
            "currency": _CURRENCY,
            "tags": _HASH,
        },
        "v slot count bind_time session_seq stake_minor",
        "count session session_seq client_seed ticket stake_minor currency bet tags",
        "bet",
    ),
    "ticket": _shape(
        {**_PLACE, **_REQUEST, "program": _NAME, "session": _SESSION, "client_seed_hash": _HASH, "tags": _HASH},
        "v slot bind_time expires session_seq",
        "session session_seq tags",
    ),
    "void": _shape({**_PLACE, "ticket": _HASH, "reason": _VOID_REASON}, "v slot count bind_time", "count ticket"),
    "settle": _shape(
        {
            **_PLACE,
            **_REQUEST,
            "draw": _HASH,
            "bettor": _HASH,
            "currency": _CURRENCY,
            "status": _STATUS,
            "reason": _SLUG,
        },
        "v slot bind_time stake_minor payout_minor",
        "bet reason",
        "bet",
    ),
}
# The one member that a record of each kind has beside binding, kind and v.
_OPENINGS = {"draw": "secrets", "void": "opened", "ticket": None, "settle": None}
_TOGETHER = (("session", "session_seq"), ("stake_minor", "currency"))
_KNOWN = {kind: shape.known for kind, shape in _SHAPES.items()}


@dataclass(frozen=True, slots=True)
class OpenedRecord:
    """One record: its digest, and the binding's members as they stand in the JSON.

    ``secrets`` are those of a draw, 32 bytes a slot; ``opened`` is the hash that a void states.
    """

    kind: str
    digest: bytes
    binding: dict[str, Any]
    binding_bytes: bytes
    pool: str
    slot: int
    slots: int
    secrets: bytes
    opened: bytes

    @property
    def binding_hash(self) -> bytes:
        """The hash that the slot was bound to."""
        return binding_hash(self.binding_bytes)

    @property
    def client_seed(self) -> bytes:
        """The raw client seed, empty when there is none."""
        return bytes.fromhex(self.binding.get("client_seed", ""))


def read_record(data: bytes) -> OpenedRecord:
    """Parse a record of at most 8 MiB; raises MalformedError for anything but its one canonical form."""
    members = canonical.decode_object(data, limit=MAX_RECORD_BYTES, what="record")
    kind, binding = members.get("kind"), members.get("binding")
    if not isinstance(kind, str) or kind not in _SHAPES or not isinstance(binding, dict):
        raise MalformedError("record: expected a binding and a kind")
    shape = _SHAPES[kind]
    opening = _OPENINGS[kind]
    if len(members) != (3 if opening is None else 4) or members.get("v") != 1 or members["v"] is True:
        raise MalformedError(f"record: a {kind} has other members than these")
    slots = _check_binding(kind, shape, binding)
    tail = f',"kind":"{kind}","v":1}}' if opening is None else _tail(kind, opening, members, slots)
    return OpenedRecord(
        kind,
        record_digest(data),
        binding,
        data[len(_START) : -len(tail)],
        binding["pool"],
        binding["slot"],
        slots,
        bytes.fromhex(members["secrets"]) if kind == "draw" else b"",
        bytes.fromhex(members["opened"]) if kind == "void" else b"",
    )


def _check_binding(kind: str, shape: _Shape, binding: dict[str, Any]) -> int:
    """Check the members of a binding and return how many slots it takes."""
    names = binding.keys()
    if not names <= _KNOWN[kind]:
        raise MalformedError(f"binding: unknown field {min(names - _KNOWN[kind])[:64]!r} in a {kind}")
    if not shape.required <= names:
        raise MalformedError(f"binding: field {min(shape.required - names)!r} of a {kind} is missing")
    texts, integers = shape.texts, shape.integers
    for name, value in binding.items():
        check = texts.get(name)
        if check is not None:
            if type(value) is not str or not check(value):
                raise MalformedError(f"binding: {name} is not spelled as it must be")
        elif name in integers and (type(value) is not int or value < 0):
            raise MalformedError(f"binding: {name} is an integer that is not negative")
    if binding["v"] != 1:
        raise MalformedError("binding: only version 1 is known")
    for one, other in _TOGETHER:
        if kind in {"draw", "ticket"} and (one in names) != (other in names):
            raise MalformedError(f"binding: {one} and {other} stand together")
    if binding.get("session_seq") == 0:
        raise MalformedError("binding: session_seq counts from 1")
    slots: int = binding.get("count", 1)
    if slots < 1 or ("count" in names and slots == 1):
        raise MalformedError("binding: count is only there above 1")
    if slots > 1 and "ticket" in names:
        raise MalformedError("binding: a ticket has one slot")
    if binding["slot"] + slots > MAX_POOL_SIZE:
        raise MalformedError("binding: its slots do not lie in a pool")
    return slots


def _tail(kind: str, opening: str, members: dict[str, Any], slots: int) -> str:
    value = members.get(opening)
    length = 64 * slots if kind == "draw" else 64
    if type(value) is not str or len(value) != length or not _HEX(value):
        raise MalformedError(f"record: {opening} has {length // 2} bytes in lowercase hex")
    return f',"kind":"{kind}","{opening}":"{value}","v":1}}'
