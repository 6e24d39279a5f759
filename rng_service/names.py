"""Names: what environments, games, streams and pools are called, and which lane a request belongs to.

Source: PROTOCOL.md, section 2. Everything here is strict: a name that this module accepts has one spelling.
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from anchor.errors import MalformedError
from rng_service.encoding import REQUEST_LABEL, lp

PLAY_CLASSES = ("free", "real")

_NAME = "[a-z0-9][a-z0-9-]{0,31}"
# Fifteen digits stay below 2^53, so every number also fits a canonical JSON integer.
_FROM_ONE = "[1-9][0-9]{0,14}"
_FROM_ZERO = f"(?:0|{_FROM_ONE})"
_STREAM = f"({_NAME})/({_FROM_ONE})/({_NAME})/(free|real)"

_NAME_PATTERN = re.compile(_NAME)
_SESSION_PATTERN = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_REASON_PATTERN = re.compile(r"[a-z0-9-]{1,64}")
_CURRENCY_PATTERN = re.compile(r"[A-Z]{3}")
_STREAM_PATTERN = re.compile(_STREAM)
_POOL_PATTERN = re.compile(f"({_NAME})/{_STREAM}/({_FROM_ZERO})/({_FROM_ONE})")


def check_name(text: str, what: str = "name") -> str:
    """Return ``text`` when it can name an environment, game, program or caller; else raise MalformedError."""
    return _matched(_NAME_PATTERN, text, what)


def check_session(text: str, what: str = "session") -> str:
    """Return ``text`` when it is a session (or round) of 1 to 64 allowed characters; raise MalformedError otherwise."""
    return _matched(_SESSION_PATTERN, text, what)


def check_reason(text: str) -> str:
    """Return ``text`` when it is a slug of at most 64 characters; raise MalformedError otherwise."""
    return _matched(_REASON_PATTERN, text, "reason")


def check_currency(text: str) -> str:
    """Return ``text`` when it is three capital letters; raise MalformedError otherwise."""
    return _matched(_CURRENCY_PATTERN, text, "currency")


class Stream(NamedTuple):
    """What a game server asks for: one program of one game version, for money or for fun."""

    game: str
    version: int
    program: str
    play_class: str

    def __str__(self) -> str:
        return f"{self.game}/{self.version}/{self.program}/{self.play_class}"


class Lane(NamedTuple):
    """One queue of pools of a stream; pool numbers are dense within it."""

    environment: str
    stream: Stream
    lane: int

    def __str__(self) -> str:
        return f"{self.environment}/{self.stream}/{self.lane}"


@dataclass(frozen=True, slots=True, order=True)
class PoolId:
    """A pool's name: environment, stream, lane, and its number in the lane (from 1)."""

    environment: str
    stream: Stream
    lane: int
    number: int

    def __str__(self) -> str:
        return f"{self.environment}/{self.stream}/{self.lane}/{self.number}"

    @property
    def queue(self) -> Lane:
        """The lane that this pool is numbered in."""
        return Lane(self.environment, self.stream, self.lane)


def parse_stream(text: str) -> Stream:
    """Parse ``game/version/program/class``; raises MalformedError."""
    found = _STREAM_PATTERN.fullmatch(text)
    if found is None:
        raise MalformedError(f"stream: expected game/version/program/class, found {_shown(text)}")
    game, version, program, play_class = found.groups()
    return Stream(game, int(version), program, play_class)


def parse_pool_id(text: str) -> PoolId:
    """Parse ``environment/game/version/program/class/lane/number``; raises MalformedError."""
    found = _POOL_PATTERN.fullmatch(text)
    if found is None:
        raise MalformedError(
            f"pool id: expected environment/game/version/program/class/lane/number, found {_shown(text)}"
        )
    environment, game, version, program, play_class, lane, number = found.groups()
    return PoolId(environment, Stream(game, int(version), program, play_class), int(lane), int(number))


def lane_of(caller: str, key: str | bytes, lanes: int) -> int:
    """Return the lane, below ``lanes``, of a request; the operator cannot choose it.

    ``key`` is the session, or the 16 bytes of the request id when there is no session. Raises ValueError for
    other sizes: u64(SHA-256(lp(caller) || lp(key))[0:8]) mod lanes (PROTOCOL.md, section 2).
    """
    if lanes < 1:
        raise ValueError(f"a stream has at least one lane, got {lanes}")
    if isinstance(key, str):
        key = check_session(key).encode("ascii")
    elif len(key) != 16:
        raise ValueError(f"a request id has 16 bytes, got {len(key)}")
    digest = sha256(lp(caller.encode("ascii")) + lp(key)).digest()
    return int.from_bytes(digest[:8], "big") % lanes


def request_hash(caller: str, request_id: bytes) -> bytes:
    """Return SHA-256(label || lp(caller) || lp(request id)) for the 16 bytes of a request id (section 2)."""
    if len(request_id) != 16:
        raise ValueError(f"a request id has 16 bytes, got {len(request_id)}")
    return sha256(REQUEST_LABEL + lp(caller.encode("ascii")) + lp(request_id)).digest()


def _matched(pattern: re.Pattern[str], text: str, what: str) -> str:
    if pattern.fullmatch(text) is None:
        raise MalformedError(f"{what}: expected {pattern.pattern}, found {_shown(text)}")
    return text


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
