"""Canonical JSON: the subset of RFC 8785 that the log and the records use.

Objects with ASCII keys in code order, arrays, printable ASCII strings, integers below 2^53 in magnitude,
booleans. No floats, no null, no duplicate keys, no white space. Bytes are lowercase hex strings; larger
integers and fractions are decimal strings. What is hashed is stored and served as the bytes that were
hashed: `decode` gives a value for reading and refuses every byte string that `encode` would not have
produced.
"""

import json
import re
from typing import Any, NoReturn

from anchor.errors import MalformedError

JSONValue = Any

MAX_INTEGER = 2**53 - 1
_PRINTABLE = re.compile(r"[\x20-\x7e]*\Z")
_NEEDS_WALK = re.compile(rb"\\|null|[0-9]{16}")
_dumps = json.JSONEncoder(ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":")).encode


def encode(value: JSONValue) -> bytes:
    """Return the one canonical encoding of ``value``.

    Raises MalformedError for floats, None, non-string keys, characters outside 0x20 to 0x7e and integers at
    or beyond 2^53. Source: RFC 8785, restricted as the module says.
    """
    _check(value, "$")
    return _dumps(value).encode("ascii")


def encode_valid(value: JSONValue) -> bytes:
    """Do as `encode` for a value whose strings and numbers were validated already; several times as fast."""
    return _dumps(value).encode("ascii")


def decode(data: bytes, *, limit: int = 65_535, what: str = "canonical JSON") -> JSONValue:
    """Parse ``data`` of at most ``limit`` bytes, accepting only the canonical encoding.

    Raises MalformedError, naming ``what``, for anything else (size first, then syntax, then canonical
    form).
    """
    if len(data) > limit:
        raise MalformedError(f"{what}: {len(data)} bytes, at most {limit} are accepted")
    try:
        value = json.loads(data.decode("ascii"), parse_float=_no_float, parse_constant=_no_float)
        canonical = _dumps(value).encode("ascii")
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"{what}: not JSON of the canonical subset ({error})") from None
    if canonical != data:
        raise MalformedError(f"{what}: not in canonical form (sorted keys, no white space, no duplicates)")
    if _NEEDS_WALK.search(data):
        # Escapes, null and long numbers survive the comparison above; only then is the slower walk needed.
        try:
            _check(value, "$")
        except MalformedError as error:
            raise MalformedError(f"{what}: {error}") from None
    return value


def decode_object(data: bytes, *, limit: int = 65_535, what: str = "canonical JSON") -> dict[str, JSONValue]:
    """Do as `decode`, and require an object at the top."""
    value = decode(data, limit=limit, what=what)
    if not isinstance(value, dict):
        raise MalformedError(f"{what}: expected an object")
    return value


def _no_float(text: str) -> NoReturn:
    raise ValueError(f"number {text[:32]} is not an integer")


def _check(value: JSONValue, path: str) -> None:
    if value is True or value is False:
        return
    if isinstance(value, str):
        if not _PRINTABLE.match(value):
            raise MalformedError(f"{path}: only printable ASCII is allowed in strings")
    elif isinstance(value, int):
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise MalformedError(f"{path}: integers of 2^53 and above are written as decimal strings")
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str) or not _PRINTABLE.match(key):
                raise MalformedError(f"{path}: keys are printable ASCII strings")
            _check(item, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for position, item in enumerate(value):
            _check(item, f"{path}[{position}]")
    else:
        raise MalformedError(f"{path}: {type(value).__name__} has no canonical form")
