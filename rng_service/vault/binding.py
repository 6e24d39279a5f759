"""What the vault reads in a binding before it opens a slot for it (PROTOCOL.md, section 7)."""

import json
from collections.abc import Callable
from typing import Any, Final, NoReturn

from anchor.errors import MalformedError

__all__ = ["MAX_BINDING_BYTES", "read_binding"]

MAX_BINDING_BYTES: Final = 65_535


def read_binding(data: bytes) -> dict[str, Any]:
    """Return the object that ``data`` states; raises MalformedError when it could be read in two ways.

    This is on the path of every draw, so it does not re-encode to compare, as a verifier does. It refuses
    what could make the vault read another value than a verifier (duplicate keys, floats, non-ASCII, anything
    around the object); a binding that is merely not canonical binds a slot that no verifier will accept.
    """
    if len(data) > MAX_BINDING_BYTES:
        raise MalformedError(f"binding: {len(data)} bytes, at most {MAX_BINDING_BYTES} are accepted")
    try:
        text = data.decode("ascii")
        value, end = _scan(text, 0)
    except (ValueError, StopIteration, RecursionError):
        raise MalformedError("binding: not JSON of the canonical subset") from None
    if type(value) is not dict or end != len(text):
        raise MalformedError("binding: expected one object and nothing around it")
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("duplicate key")
    return result


def _refuse(_text: str) -> NoReturn:
    raise ValueError("not an integer")


# The scanner itself, not `decode`, which would skip white space around the object.
_decoder: Final[Any] = json.JSONDecoder(
    object_pairs_hook=_without_duplicates, parse_float=_refuse, parse_constant=_refuse
)
_scan: Final[Callable[[str, int], tuple[Any, int]]] = _decoder.scan_once
