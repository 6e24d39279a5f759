"""Request ids: UUIDv7 (RFC 9562), in their 36-character lowercase form outside and as 16 bytes inside."""

import os
import re
import time
import uuid

from anchor.errors import MalformedError

_FORM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")


def parse_request_id(text: str) -> bytes:
    """Return the 16 bytes of a UUIDv7; raise MalformedError for any other spelling, version or variant."""
    if not _FORM.match(text):
        raise MalformedError("expected a UUIDv7 in lowercase, for instance 0190b5a4-7b1c-7e2f-8a3d-5f6e7d8c9b0a")
    return bytes.fromhex(text.replace("-", ""))


def format_request_id(raw: bytes) -> str:
    """Return the 36-character form of 16 bytes."""
    return str(uuid.UUID(bytes=raw))


def request_id_time_us(raw: bytes) -> int:
    """Return the time that the id states: its first 48 bits are milliseconds UTC (RFC 9562, section 5.7)."""
    return int.from_bytes(raw[:6], "big") * 1_000


def new_request_id(now_ms: int | None = None) -> str:
    """Return a new UUIDv7: 48 bits of milliseconds, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    raw = bytearray(milliseconds.to_bytes(6, "big") + os.urandom(10))
    raw[6] = raw[6] & 0x0F | 0x70
    raw[8] = raw[8] & 0x3F | 0x80
    return format_request_id(bytes(raw))
