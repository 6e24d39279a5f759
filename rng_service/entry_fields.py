"""How the members of log entries are read and written: one codec for each kind of value.

A dataclass names the codec of each of its fields in the annotation (``slot_root: Hash``); `FieldTable`
reads these annotations once per class and turns objects of canonical JSON into arguments and back. Every
member must be known and valid. Fields whose default is None may be absent, and are left out when they are
None; no member is ever JSON's null.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from anchor.canonical import MAX_INTEGER
from anchor.errors import MalformedError
from rng_service.names import check_name, check_reason, parse_pool_id, parse_stream

MAX_POOL_SIZE = 1_048_576
_HEX = re.compile(r"[0-9a-f]*")
_DECIMAL = re.compile(r"0|-?[1-9][0-9]{0,39}")


@dataclasses.dataclass(frozen=True, slots=True)
class Codec:
    """``read`` turns a JSON value into the field's and raises MalformedError; ``write`` does the reverse."""

    read: Callable[[Any], Any]
    write: Callable[[Any], Any]


def hex_text(size: int, most: int | None = None) -> Codec:
    """Return the codec of byte strings of ``size`` bytes, or of ``size`` to ``most``, as lowercase hex."""

    def read(value: Any) -> bytes:
        length = len(value) if isinstance(value, str) else -1
        within = length == 2 * size if most is None else 2 * size <= length <= 2 * most
        if not within or length % 2 or not _HEX.fullmatch(value):
            wanted = f"{size}" if most is None else f"{size} to {most}"
            raise MalformedError(f"expected {wanted} bytes in lowercase hex")
        return bytes.fromhex(value)

    return Codec(read, bytes.hex)


def integer(low: int, high: int = MAX_INTEGER) -> Codec:
    """Return the codec of integers from ``low`` to ``high``."""

    def read(value: Any) -> int:
        # bool is a subclass of int, and true is not the number 1.
        if type(value) is not int or not low <= value <= high:
            raise MalformedError(f"expected an integer from {low} to {high}")
        return value

    return Codec(read, _same)


def text(check: Callable[[str], object]) -> Codec:
    """Return the codec of strings that ``check`` lets pass."""

    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise MalformedError("expected a string")
        check(value)
        return value

    return Codec(read, _same)


def one_of(*words: str) -> Codec:
    """Return the codec of a string that is one of ``words``."""

    def check(value: str) -> None:
        if value not in words:
            raise MalformedError(f"expected one of {', '.join(words)}")

    return text(check)


def nested(kind: type) -> Codec:
    """Return the codec of an object whose members are the fields of the dataclass ``kind``."""
    table = FieldTable(kind)
    return Codec(table.read, table.write)


def array(kind: type) -> Codec:
    """Return the codec of a list of such objects, as a tuple."""
    table = FieldTable(kind)

    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise MalformedError("expected a list")
        return tuple(map(table.read, value))

    return Codec(read, lambda items: [table.write(item) for item in items])


def _same(value: Any) -> Any:
    return value


def _read_boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise MalformedError("expected true or false")
    return value


def _read_amount(value: Any) -> int:
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise MalformedError("expected a decimal string")
    return int(value)


def _read_names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise MalformedError("expected a list of names")
    if sorted(set(value)) != value:
        raise MalformedError("expected sorted names, each once")
    return tuple(check_name(item) for item in value)


def _check_origin(value: str) -> None:
    if not 1 <= len(value) <= 255 or any(character in " +" for character in value):
        raise MalformedError("expected the log's origin: up to 255 characters without spaces or plus signs")


def _check_short(value: str) -> None:
    if not 1 <= len(value) <= 1024:
        raise MalformedError("expected 1 to 1,024 characters")


Hash = Annotated[bytes, hex_text(32)]
KeyId = Annotated[bytes, hex_text(8)]
Ed25519Bytes = Annotated[bytes, hex_text(64)]
BeaconKey = Annotated[bytes, hex_text(48, 96)]
NoteBytes = Annotated[bytes, hex_text(1, 30_000)]
Count = Annotated[int, integer(0)]
Positive = Annotated[int, integer(1)]
PoolSize = Annotated[int, integer(1, MAX_POOL_SIZE)]
Slot = Annotated[int, integer(0, MAX_POOL_SIZE - 1)]
SlotCount = Annotated[int, integer(0, MAX_POOL_SIZE)]
Signed = Annotated[int, integer(-MAX_INTEGER)]
Amount = Annotated[int, Codec(_read_amount, str)]
Boolean = Annotated[bool, Codec(_read_boolean, _same)]
Name = Annotated[str, text(check_name)]
Names = Annotated[tuple[str, ...], Codec(_read_names, list)]
Reason = Annotated[str, text(check_reason)]
Origin = Annotated[str, text(_check_origin)]
ShortText = Annotated[str, text(_check_short)]
PoolText = Annotated[str, text(parse_pool_id)]
StreamText = Annotated[str, text(parse_stream)]


class FieldTable:
    """The codecs of a dataclass's fields, by name."""

    def __init__(self, kind: type) -> None:
        hints = get_type_hints(kind, include_extras=True)
        self._kind = kind
        self._codecs: dict[str, Codec] = {}
        optional: set[str] = set()
        for field in dataclasses.fields(kind):
            self._codecs[_member(field.name)] = _codec_of(hints[field.name])
            if field.default is None:
                optional.add(_member(field.name))
        self._required = self._codecs.keys() - optional

    def read(self, value: Any) -> Any:
        """Return the dataclass that the object ``value`` describes; raises MalformedError."""
        if not isinstance(value, Mapping):
            raise MalformedError(f"{self._kind.__name__}: expected an object")
        if unknown := value.keys() - self._codecs.keys():
            raise MalformedError(f"{self._kind.__name__}: unknown field {min(unknown)[:64]!r}")
        if missing := self._required - value.keys():
            raise MalformedError(f"{self._kind.__name__}: field {min(missing)!r} is missing")
        arguments = {}
        for name, item in value.items():
            try:
                arguments[_attribute(name)] = self._codecs[name].read(item)
            except MalformedError as error:
                raise MalformedError(f"{self._kind.__name__}.{name}: {error}") from None
        return self._kind(**arguments)

    def write(self, value: Any) -> dict[str, Any]:
        """Return the object for canonical JSON that `read` turns into ``value``."""
        found = {}
        for name, codec in self._codecs.items():
            item = getattr(value, _attribute(name))
            if item is not None:
                found[name] = codec.write(item)
        return found


def _member(attribute: str) -> str:
    # "class" is a word of Python's own.
    return "class" if attribute == "play_class" else attribute


def _attribute(member: str) -> str:
    return "play_class" if member == "class" else member


def _codec_of(hint: Any) -> Codec:
    if get_origin(hint) is Annotated:
        for extra in get_args(hint)[1:]:
            if isinstance(extra, Codec):
                return extra
    for part in get_args(hint):
        if get_origin(part) is Annotated:
            return _codec_of(part)
    raise TypeError(f"{hint} names no codec")
