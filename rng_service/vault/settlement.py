"""What the vault signs as a settlement: exactly a settlement's binding (PROTOCOL.md, section 7), and nothing else.

A settlement opens nothing, so no journal entry stands behind it. It is signed beside draws, with the same key: whatever
is accepted here can be shown as the vault's word. So the vault is given bindings, not digests, checks each member, and
makes the record itself; its ``"kind":"settle"`` keeps it from being read as anything else.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from anchor import canonical
from anchor.canonical import MAX_INTEGER
from anchor.errors import MalformedError
from rng_service.names import check_currency, check_name, check_reason, parse_pool_id
from rng_service.pools.slots import MAX_POOL_SIZE
from rng_service.records.record import settle_record
from rng_service.vault.binding import MAX_BINDING_BYTES
from rng_service.vault.errors import VaultRefusedError

__all__ = ["settlement_record"]

_HEX: Final = re.compile(r"[0-9a-f]*")


def settlement_record(binding: bytes) -> bytes:
    """Return the record of the settlement that ``binding`` states.

    Raises VaultRefusedError ``settlement-mismatch`` for bytes that are not a settlement's binding in canonical JSON.
    """
    try:
        fields = canonical.decode_object(binding, limit=MAX_BINDING_BYTES, what="settlement")
        _check(fields)
    except MalformedError as error:
        raise VaultRefusedError("settlement-mismatch", str(error)) from error
    return settle_record(binding)


def _check(fields: Mapping[str, Any]) -> None:
    missing = _REQUIRED.keys() - fields.keys()
    unknown = fields.keys() - _REQUIRED.keys() - _OPTIONAL.keys()
    if missing or unknown:
        raise MalformedError(f"settlement: not the members of one: {', '.join(sorted(missing | unknown))[:200]}")
    for name, value in fields.items():
        try:
            (_REQUIRED.get(name) or _OPTIONAL[name])(value)
        except MalformedError as error:
            raise MalformedError(f"settlement: {name}: {error}") from None
    status = fields["status"]
    if status == "final" and "bet" not in fields:
        raise MalformedError("settlement: a final one has a bet")
    if (status == "void") != ("reason" in fields):
        raise MalformedError("settlement: a void one has a reason, no other has")
    if status == "void" and fields["payout_minor"]:
        raise MalformedError("settlement: a void one pays 0")


def _hex_text(size: int) -> Callable[[Any], None]:
    def check(value: Any) -> None:
        if not isinstance(value, str) or len(value) != 2 * size or not _HEX.fullmatch(value):
            raise MalformedError(f"expected {size} bytes in lowercase hex")

    return check


def _integer(low: int, high: int) -> Callable[[Any], None]:
    def check(value: Any) -> None:
        # bool is a subclass of int, and true is not the number 1.
        if type(value) is not int or not low <= value <= high:
            raise MalformedError(f"expected an integer from {low} to {high}")

    return check


def _text(check_text: Callable[[str], object]) -> Callable[[Any], None]:
    def check(value: Any) -> None:
        if not isinstance(value, str):
            raise MalformedError("expected a string")
        check_text(value)

    return check


def _status(value: str) -> None:
    if value not in {"final", "confirm", "void"}:
        raise MalformedError("expected final, confirm or void")


def _bet(value: Any) -> None:
    if not isinstance(value, dict):
        raise MalformedError("expected an object")


_REQUIRED: Final[Mapping[str, Callable[[Any], None]]] = {
    "bettor": _hex_text(32),
    "bind_time": _integer(0, MAX_INTEGER),
    "caller": _text(check_name),
    "currency": _text(check_currency),
    "draw": _hex_text(32),
    "nonce": _hex_text(16),
    "payload": _hex_text(32),
    "payout_minor": _integer(0, MAX_INTEGER),
    "pool": _text(parse_pool_id),
    "request": _hex_text(32),
    "slot": _integer(0, MAX_POOL_SIZE - 1),
    "stake_minor": _integer(0, MAX_INTEGER),
    "status": _text(_status),
    "v": _integer(1, 1),
}
_OPTIONAL: Final[Mapping[str, Callable[[Any], None]]] = {"bet": _bet, "reason": _text(check_reason)}
