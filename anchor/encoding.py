"""Text forms shared by the C2SP formats: canonical base64, decimal numbers, safe lines.

Python's decoders accept more than one text for the same value (trailing base64 bits, signs, underscores,
other scripts' digits); these accept exactly the text that the encoder would have written.
"""

import base64
import binascii
import re

from anchor.errors import MalformedError

_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,18})\Z")
_MAX_NUMBER = 2**63 - 1


def base64_text(data: bytes) -> str:
    """Return the standard padded base64 of ``data`` (RFC 4648, section 4)."""
    return base64.b64encode(data).decode("ascii")


def parse_base64(text: str, *, what: str) -> bytes:
    """Return the bytes whose `base64_text` is ``text``; raises MalformedError, naming ``what``."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise MalformedError(f"{what}: not padded standard base64") from None
    if base64_text(data) != text:
        raise MalformedError(f"{what}: base64 that is not canonical")
    return data


def parse_hash(text: str, *, what: str) -> bytes:
    """Return the 32 bytes that ``text`` encodes in base64; raises MalformedError otherwise."""
    data = parse_base64(text, what=what)
    if len(data) != 32:
        raise MalformedError(f"{what}: a hash has 32 bytes, found {len(data)}")
    return data


def parse_number(text: str, *, what: str) -> int:
    """Return the decimal number below 2^63 that ``text`` writes without sign or leading zeros."""
    if not _DECIMAL.match(text) or int(text) > _MAX_NUMBER:
        raise MalformedError(f"{what}: expected a decimal number below 2^63, found {text[:32]!r}")
    return int(text)
