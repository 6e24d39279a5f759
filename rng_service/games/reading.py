"""JSON with paths: a value together with the place where it stands, so that every complaint can name it."""

import json
import re
from collections.abc import Collection, Iterator
from fractions import Fraction
from typing import NoReturn

from anchor.canonical import MAX_INTEGER, JSONValue
from rng_service.games.errors import GameError, nearest, shown

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}\Z")
_INTEGER = re.compile(r"0\Z|[1-9][0-9]{0,29}\Z")
_FRACTION = re.compile(r"(0|[1-9][0-9]{0,19})(?:/([1-9][0-9]{0,19})|\.([0-9]{1,12}))?\Z")
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,12})?\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_PRINTABLE = re.compile(r"[\x20-\x7e]+\Z")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


class _Number:
    """A JSON number that is no integer of reasonable size; kept as text until its path is known."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


class _Object(dict[str, JSONValue]):
    """A JSON object that remembers the first key that stood in it twice."""

    twice: str | None = None


def _pairs(pairs: list[tuple[str, JSONValue]]) -> _Object:
    found = _Object(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                found.twice = key
                break
            seen.add(key)
    return found


def read_json(data: bytes, *, limit: int) -> "Node":
    """Parse ``data`` of at most ``limit`` bytes and return its root.

    Raises GameError at ``$`` for anything that is not JSON, with line and column; floats, oversized integers
    and duplicate keys are reported by the node that meets them, with their path.
    """
    if len(data) > limit:
        raise GameError("$", f"{len(data)} bytes, at most {limit} are accepted")
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_pairs,
            parse_float=_Number,
            parse_constant=_Number,
            parse_int=lambda text: int(text) if len(text) <= 64 else _Number(text),
        )
    except json.JSONDecodeError as error:
        raise GameError("$", f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except (UnicodeDecodeError, RecursionError) as error:
        raise GameError("$", f"not JSON: {type(error).__name__}") from None
    return Node(value, "$")


class Node:
    """A JSON value and its path; each method demands one form and raises GameError with the path if not."""

    __slots__ = ("path", "value")

    def __init__(self, value: JSONValue, path: str) -> None:
        self.value = value
        self.path = path

    def fail(self, message: str) -> NoReturn:
        """Raise GameError at this place."""
        raise GameError(self.path, message)

    def _child(self, key: str) -> "Node":
        name = f".{key}" if _PLAIN_KEY.match(key) else f"[{shown(key)}]"
        return Node(self.value[key], self.path + name)

    def members(self, low: int, high: int) -> dict[str, "Node"]:
        """Return the members of an object of ``low`` to ``high`` freely named keys, in the order written."""
        if not isinstance(self.value, dict):
            self.fail(f"expected an object, got {shown(self.value)}")
        if isinstance(self.value, _Object) and self.value.twice is not None:
            self.fail(f"the key {shown(self.value.twice)} stands here twice")
        if not low <= len(self.value) <= high:
            self.fail(f"expected {low} to {high} members, got {len(self.value)}")
        return {key: self._child(key) for key in self.value}

    def fields(self, required: Collection[str], optional: Collection[str] = ()) -> dict[str, "Node"]:
        """Return the members of an object with fixed keys; an unknown key names the nearest known one."""
        members = self.members(0, 1_000_000)
        known = {*required, *optional}
        for key, member in members.items():
            if key not in known:
                member.fail(f"unknown key; {nearest(key, known)}")
        for key in required:
            if key not in members:
                self.fail(f"the key {key!r} is missing")
        return members

    def items(self, low: int, high: int) -> list["Node"]:
        """Return the items of an array of ``low`` to ``high`` values."""
        if not isinstance(self.value, list):
            self.fail(f"expected an array, got {shown(self.value)}")
        if not low <= len(self.value) <= high:
            self.fail(f"expected {low} to {high} items, got {len(self.value)}")
        return [Node(item, f"{self.path}[{position}]") for position, item in enumerate(self.value)]

    def integer(self, low: int, high: int) -> int:
        """Return an integer from ``low`` to ``high``; from 2^53 on it must be written as a decimal string."""
        value = self.value
        if isinstance(value, str) and high > MAX_INTEGER and _INTEGER.match(value):
            number = int(value)
        elif isinstance(value, int) and not isinstance(value, bool):
            number = value
        else:
            self.fail(f"expected an integer, got {shown(value)}")
        if not low <= number <= high:
            top = "2^64" if high == 2**64 else high
            self.fail(f"expected an integer from {low} to {top}, got {shown(number)}")
        if not isinstance(value, str) and number > MAX_INTEGER:
            self.fail(f'integers of 2^53 and above are written as decimal strings: "{number}"')
        return number

    def fraction(self) -> Fraction:
        """Return a fraction ≥ 0 written as an integer, or as a string like "36", "36/37" or "0.95"."""
        value = self.value
        if isinstance(value, int) and not isinstance(value, bool):
            return Fraction(self.integer(0, MAX_INTEGER))
        if not isinstance(value, str) or not _FRACTION.match(value):
            self.fail(f'expected a fraction ≥ 0 like 36, "36/37" or "0.95", got {shown(value)}')
        return Fraction(value)

    def multiplier(self) -> Fraction:
        """Return a fraction above 0: what a winning bet gets back for each unit staked."""
        pays = self.fraction()
        if pays == 0:
            self.fail("a prize of 0 is a loss: leave it out")
        return pays

    def boolean(self) -> bool:
        """Return true or false."""
        if not isinstance(self.value, bool):
            self.fail(f"expected true or false, got {shown(self.value)}")
        return self.value

    def text(self, longest: int) -> str:
        """Return a string of 1 to ``longest`` printable ASCII characters."""
        value = self.value
        if not isinstance(value, str) or len(value) > longest or not _PRINTABLE.match(value):
            self.fail(f"expected 1 to {longest} printable ASCII characters, got {shown(value)}")
        return value

    def digest(self) -> bytes:
        """Return the 32 bytes that a string of 64 lower-case hex digits stands for."""
        value = self.value
        if not isinstance(value, str) or not _DIGEST.match(value):
            self.fail(f"expected 64 hex digits in lower case, got {shown(value)}")
        return bytes.fromhex(value)

    def decimal(self) -> Fraction:
        """Return a number above 0 exactly as it is written, like 1, 1.0 or 2.50; no float is made of it."""
        value = self.value
        text = value.text if isinstance(value, _Number) else str(value)
        if isinstance(value, str | bool) or not _DECIMAL.match(text):
            self.fail(f"expected a number like 1, 1.0 or 2.50, got {shown(value)}")
        number = Fraction(text)
        if not number:
            self.fail("expected a number above 0")
        return number

    def name(self) -> str:
        """Return a name: lower-case letters, digits and inner hyphens, at most 32."""
        return check_name(self.value, self)

    def choice(self, known: Collection[str]) -> str:
        """Return a string that is one of ``known``."""
        value = self.value
        if not isinstance(value, str) or value not in known:
            self.fail(f"{shown(value)} is not known here; {nearest(str(value), known)}")
        return value


def written_fractions(value: JSONValue) -> Iterator[Fraction]:
    """Yield every string in ``value``, however deep it lies, that is written like a fraction."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if _FRACTION.match(item):
                yield Fraction(item)
        elif isinstance(item, dict):
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


def check_name(value: JSONValue, place: Node) -> str:
    """Return ``value`` when it is a name as PROTOCOL.md has it; raise GameError at ``place`` otherwise."""
    if not isinstance(value, str) or not NAME.match(value):
        place.fail(f"expected a name of a-z, 0-9 and hyphens, at most 32 long, got {shown(value)}")
    return value


def named_members(node: Node, high: int) -> Iterator[tuple[str, Node]]:
    """Yield the members of an object of 1 to ``high`` members whose keys are names."""
    for key, member in node.members(1, high).items():
        yield check_name(key, member), member


def counted_members(node: Node, low: int, high: int) -> Iterator[tuple[int, Node]]:
    """Yield the members of an object whose keys are integers from ``low`` to ``high``, like {"3": …}."""
    for key, member in node.members(1, high - low + 1).items():
        if not _INTEGER.match(key) or not low <= int(key) <= high:
            member.fail(f"expected a key from {low} to {high}, got {shown(key)}")
        yield int(key), member
