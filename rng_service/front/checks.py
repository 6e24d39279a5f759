"""Checks of request fields: everything that is wrong is reported at once, each with its field path."""

from collections.abc import Callable
from typing import TypeVar

from google.protobuf.message import DecodeError, Message
from sealdraw.v1 import types_pb2

from anchor.errors import MalformedError
from rng_service.errors import InvalidArgument
from rng_service.games.rounds import MAX_STEP
from rng_service.names import check_currency, check_name, check_reason, check_session, parse_pool_id
from rng_service.request_id import parse_request_id

MAX_TAG = 128
MAX_MONEY = 2**53 - 1
CLASSES = {types_pb2.PLAY_CLASS_REAL: "real", types_pb2.PLAY_CLASS_FREE: "free"}
_TAGS = ("player", "kyc_reference", "jurisdiction", "brand", "channel", "source_address")

Value = TypeVar("Value")
Request = TypeVar("Request", bound=Message)


def parse(kind: type[Request], data: bytes, limit: int) -> Request:
    """Parse a request of at most ``limit`` bytes.

    Fields that this version does not know are refused: they might have changed the request's meaning.
    """
    if len(data) > limit:
        raise InvalidArgument(("", f"the message has {len(data)} bytes, at most {limit} are accepted"))
    request = kind()
    try:
        request.ParseFromString(data)
    except DecodeError:
        raise InvalidArgument(("", "the message cannot be parsed")) from None
    size = request.ByteSize()
    request.DiscardUnknownFields()
    if request.ByteSize() != size:
        raise InvalidArgument(("", "the message has fields that this version of the service does not know"))
    return request


class Checks:
    """Collects violations; `finish` raises them together."""

    def __init__(self) -> None:
        self._found: list[tuple[str, str]] = []

    def refuse(self, field: str, description: str) -> None:
        """Note that ``field`` is wrong."""
        self._found.append((field, description))

    def finish(self) -> None:
        """Raise InvalidArgument when anything was refused."""
        if self._found:
            raise InvalidArgument(*self._found)

    def _value(self, field: str, check: Callable[[str], Value], text: str, default: Value) -> Value:
        try:
            return check(text)
        except MalformedError as error:
            self.refuse(field, str(error))
            return default

    def request_id(self, text: str, field: str = "request_id") -> bytes:
        """Return the 16 bytes of a request id."""
        return self._value(field, parse_request_id, text, bytes(16))

    def name(self, field: str, text: str) -> str:
        """Return a game, program or caller name."""
        return self._value(field, check_name, text, "")

    def pool_id(self, text: str) -> str:
        """Return a pool's name."""
        return self._value("pool_id", lambda name: str(parse_pool_id(name)), text, "")

    def session(self, text: str) -> str:
        """Return a session, which may be absent."""
        return self._value("session", check_session, text, "") if text else ""

    def round(self, round_id: str, step: int) -> tuple[str, int]:
        """Return a round and the step in it, which are both there or both absent."""
        found = self._value("round_id", lambda text: check_session(text, "round"), round_id, "") if round_id else ""
        if bool(round_id) != bool(step):
            self.refuse("step" if round_id else "round_id", "a round and the step in it, from 1, stand together")
        if step > MAX_STEP:
            self.refuse("step", f"expected 1 to {MAX_STEP}, found {step}")
        return found, step

    def reason(self, text: str) -> str:
        """Return a reason slug."""
        return self._value("reason", check_reason, text, "")

    def slug(self, field: str, text: str) -> str:
        """Return a slug, as reasons are."""
        return self._value(field, check_reason, text, "")

    def currency(self, field: str, text: str) -> str:
        """Return a currency."""
        return self._value(field, check_currency, text, "")

    def play_class(self, value: "types_pb2.PlayClass.ValueType") -> str:
        """Return `real` or `free`."""
        if value not in CLASSES:
            self.refuse("play_class", "expected PLAY_CLASS_REAL or PLAY_CLASS_FREE")
        return CLASSES.get(value, "")

    def exactly(self, field: str, value: bytes, size: int) -> bytes:
        """Return ``value`` of exactly ``size`` bytes."""
        if len(value) != size:
            self.refuse(field, f"expected {size} bytes, found {len(value)}")
        return value

    def seed(self, field: str, value: bytes) -> bytes:
        """Return a client seed: none, or 16 to 64 bytes."""
        if value and not 16 <= len(value) <= 64:
            self.refuse(field, f"expected none or 16 to 64 bytes, found {len(value)}")
        return value

    def money(self, field: str, value: int, *, least: int) -> int:
        """Return an amount in minor units."""
        if not least <= value <= MAX_MONEY:
            self.refuse(field, f"expected {least} to {MAX_MONEY}")
        return value

    def tags(self, tags: types_pb2.Tags) -> dict[str, str]:
        """Return the tags that are set."""
        found = {}
        for name in _TAGS:
            text = getattr(tags, name)
            if text:
                if len(text) > MAX_TAG or not text.isascii() or not text.isprintable():
                    self.refuse(f"tags.{name}", f"expected at most {MAX_TAG} printable ASCII characters")
                found[name] = text
        return found
