"""Records as an auditor reads them: canonical bytes, known fields, each of its own form (PROTOCOL.md, 7 and 8).

A record of the usual form is recognised by one regular expression for its kind, which is a parser and a check
of canonical form in one. Everything else goes the long way, which says what is wrong, or accepts what is merely
unusual (a bet that nests, a string with an escape). Tests hold the two ways against each other.
"""

import re
from functools import lru_cache
from typing import Any, NamedTuple

from anchor import canonical
from anchor.errors import MalformedError
from rng_service.entry_fields import MAX_POOL_SIZE
from rng_service.games.rounds import MAX_STEP
from rng_service.records.record import binding_hash, record_digest

MAX_RECORD_BYTES = 8_388_608
_START = b'{"binding":'

_HASH = "[0-9a-f]{64}"
_NAME = "[a-z0-9][a-z0-9-]{0,31}"
# What this recognises lies below 2^53; the few numbers between 9 * 10^15 and 2^53 go the long way.
_INTEGER = "0|[1-9][0-9]{0,14}|[1-8][0-9]{15}"
_HEX = re.compile(r"[0-9a-f]*").fullmatch

# How each text of a binding is spelled.
_TEXTS = {
    "bettor": _HASH,
    "caller": _NAME,
    "client_seed": "(?:[0-9a-f]{2}){16,64}",
    "client_seed_hash": _HASH,
    "currency": "[A-Z]{3}",
    "draw": _HASH,
    "nonce": "[0-9a-f]{32}",
    "payload": _HASH,
    "pool": "[a-z0-9/-]{9,256}",
    "program": _NAME,
    "request": _HASH,
    "round": "[A-Za-z0-9._:-]{1,64}",
    "session": "[A-Za-z0-9._:-]{1,64}",
    "status": "final|confirm|void",
    "tags": _HASH,
    "ticket": _HASH,
}
_VOID_REASON = "ticket-expired|quarantine|retired|frozen|recovered"
_SETTLE_REASON = "[a-z0-9-]{1,64}"
_INTEGERS = frozenset(
    ("bind_time", "count", "expires", "payout_minor", "session_seq", "slot", "stake_minor", "step", "v")
)
# The members of each kind of binding; a question mark stands behind those that may be absent.
_MEMBERS = {
    "draw": (
        "bet? bind_time caller client_seed? count? currency? nonce payload pool program request round? "
        "session? session_seq? slot stake_minor? step? tags? ticket? v"
    ),
    "settle": (
        "bet? bettor bind_time caller currency draw nonce payload payout_minor pool reason? request slot "
        "stake_minor status v"
    ),
    "ticket": (
        "bind_time caller client_seed_hash expires nonce payload pool program request session? session_seq? "
        "slot tags? v"
    ),
    "void": "bind_time count? nonce pool reason slot ticket? v",
}
# The one member that a record of each kind has beside binding, kind and v.
_OPENINGS = {"draw": "secrets", "void": "opened", "ticket": None, "settle": None}


class _Shape:
    """One kind of record: which members it has, how they are spelled, and the expression for its usual form."""

    def __init__(self, kind: str) -> None:
        names = _MEMBERS[kind].split()
        self.known = frozenset(name.rstrip("?") for name in names)
        self.required = frozenset(name for name in names if not name.endswith("?"))
        spelled = {**_TEXTS, "reason": _VOID_REASON if kind == "void" else _SETTLE_REASON}
        self.texts = {name: re.compile(spelled[name]).fullmatch for name in self.known if name in spelled}
        self.integers = self.known & _INTEGERS
        usual = re.compile(self._expression(kind, names, spelled))
        self.groups = tuple(sorted(usual.groupindex, key=usual.groupindex.__getitem__))
        self.usual = usual.fullmatch

    def _expression(self, kind: str, names: list[str], spelled: dict[str, str]) -> str:
        parts = []
        for name in names:
            plain = name.rstrip("?")
            if plain == "v":
                parts.append('"v":1')
                continue
            if plain == "bet":
                # A flat object of words, numbers and lists of numbers; others go the long way.
                value = r'(?P<bet>\{[a-z0-9_:",\[\]-]*\})'
            elif plain in spelled:
                value = f'"(?P<{plain}>{spelled[plain]})"'
            else:
                value = f"(?P<{plain}>{_INTEGER})"
            member = f'"{plain}":{value},'
            parts.append(f"(?:{member})?" if name.endswith("?") else member)
        opening = _OPENINGS[kind]
        opened = "" if opening is None else f'"{opening}":"(?P<opening>(?:{_HASH})+)",'
        return r'\{"binding":(?P<binding>\{' + "".join(parts) + rf'\}}),"kind":"{kind}",{opened}"v":1\}}'


_SHAPES = {kind: _Shape(kind) for kind in _MEMBERS}
_KIND = re.compile(rb'"kind":"(draw|settle|ticket|void)"')


class OpenedRecord(NamedTuple):
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
    if len(data) > MAX_RECORD_BYTES:
        raise MalformedError(f"record: {len(data)} bytes, at most {MAX_RECORD_BYTES} are accepted")
    kind = _KIND.search(data)
    if kind is not None and data.isascii():
        name = kind[1].decode("ascii")
        shape = _SHAPES[name]
        found = shape.usual(data.decode("ascii"))
        if found is not None:
            return _usual_record(data, name, shape, found)
    return _unusual_record(data)


def _usual_record(data: bytes, kind: str, shape: _Shape, found: re.Match[str]) -> OpenedRecord:
    binding: dict[str, Any] = {}
    # Faster than groupdict, which names also the many members that are absent.
    for name, value in zip(shape.groups, found.groups(), strict=True):
        if value is not None:
            binding[name] = int(value) if name in _INTEGERS else value
    binding_text, opening = binding.pop("binding"), binding.pop("opening", None)
    binding["v"] = 1
    if "bet" in binding:
        binding["bet"] = _read_bet(binding["bet"])
    return _record(data, kind, binding, binding_text.encode("ascii"), opening)


@lru_cache(4_096)
def _read_bet(text: str) -> Any:
    # Few bets make up an export. What is returned is shared, and nobody changes it.
    return canonical.decode(text.encode("ascii"), what="binding: bet")


def _unusual_record(data: bytes) -> OpenedRecord:
    members = canonical.decode_object(data, limit=MAX_RECORD_BYTES, what="record")
    kind, binding = members.get("kind"), members.get("binding")
    if not isinstance(kind, str) or kind not in _SHAPES or not isinstance(binding, dict):
        raise MalformedError("record: expected a binding and a kind")
    opening = _OPENINGS[kind]
    if len(members) != (3 if opening is None else 4) or members.get("v") != 1 or members["v"] is True:
        raise MalformedError(f"record: a {kind} has other members than these")
    _check_members(kind, binding)
    value = None if opening is None else members.get(opening)
    if opening is not None and (type(value) is not str or len(value) % 64 or not _HEX(value)):
        raise MalformedError(f"record: {opening} is 32 bytes for each slot in lowercase hex")
    # What stands behind the binding has one spelling, so its length gives the binding's own bytes.
    opened = "" if opening is None else f'"{opening}":"{value}",'
    tail = f',"kind":"{kind}",{opened}"v":1}}'
    return _record(data, kind, binding, data[len(_START) : -len(tail)], value)


def _record(data: bytes, kind: str, binding: dict[str, Any], binding_bytes: bytes, opening: str | None) -> OpenedRecord:
    slots = _check_numbers(kind, binding)
    opened = b"" if opening is None else bytes.fromhex(opening)
    if opening is not None and len(opened) != (32 * slots if kind == "draw" else 32):
        raise MalformedError(f"record: a {kind} of {slots} slots does not open to {len(opened)} bytes")
    return OpenedRecord(
        kind,
        record_digest(data),
        binding,
        binding_bytes,
        binding["pool"],
        binding["slot"],
        slots,
        opened if kind == "draw" else b"",
        opened if kind == "void" else b"",
    )


def _check_members(kind: str, binding: dict[str, Any]) -> None:
    """Check the names of a binding's members, and how each is spelled."""
    shape, names = _SHAPES[kind], binding.keys()
    if not names <= shape.known:
        raise MalformedError(f"binding: unknown field {min(names - shape.known)[:64]!r} in a {kind}")
    if not shape.required <= names:
        raise MalformedError(f"binding: field {min(shape.required - names)!r} of a {kind} is missing")
    for name, value in binding.items():
        check = shape.texts.get(name)
        if check is not None:
            if type(value) is not str or not check(value):
                raise MalformedError(f"binding: {name} is not spelled as it must be")
        elif name in shape.integers and (type(value) is not int or not 0 <= value <= canonical.MAX_INTEGER):
            raise MalformedError(f"binding: {name} is an integer from 0 to 2^53 - 1")
    if binding["v"] != 1:
        raise MalformedError("binding: only version 1 is known")


def _check_numbers(kind: str, binding: dict[str, Any]) -> int:
    """Check what members say about each other; return how many slots the binding takes."""
    if kind == "draw" or kind == "ticket":  # noqa: PLR1714 - on the path of every record of an export
        if ("session" in binding) != ("session_seq" in binding):
            raise MalformedError("binding: session and session_seq stand together")
        if "session_seq" in binding and binding["session_seq"] == 0:
            raise MalformedError("binding: session_seq counts from 1")
        if ("stake_minor" in binding) != ("currency" in binding):
            raise MalformedError("binding: stake_minor and currency stand together")
        if "bet" in binding and "stake_minor" not in binding:
            # Nobody would be paid by it, and a settlement could tell another one.
            raise MalformedError("binding: a bet has a stake")
        if "round" in binding or "step" in binding:
            _check_step(binding)
    slots: int = 1
    if "count" in binding:
        slots = binding["count"]
        if slots < 2:
            raise MalformedError("binding: count is only there above 1")
        if "ticket" in binding:
            raise MalformedError("binding: a ticket has one slot")
    if binding["slot"] + slots > MAX_POOL_SIZE:
        raise MalformedError("binding: its slots do not lie in a pool")
    return slots


def _check_step(binding: dict[str, Any]) -> None:
    if ("round" in binding) != ("step" in binding):
        raise MalformedError("binding: round and step stand together")
    if not 1 <= binding["step"] <= MAX_STEP:
        raise MalformedError(f"binding: step counts from 1 to {MAX_STEP}")
    if "count" in binding:
        raise MalformedError("binding: a step of a round has one slot")
