"""Payload hashes: what two requests under one id must have in common (PROTOCOL.md, sections 2 and 13)."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from anchor import canonical
from rng_service.encoding import PAYLOAD_LABEL


def payload_hash(fields: Mapping[str, Any]) -> bytes:
    """Return the payload hash of a call: SHA-256(label || canonical JSON of its fields), those empty or 0 left out.

    ``fields`` are the method and its arguments as section 13 names them, validated, byte strings in hex.
    """
    present = {key: value for key, value in fields.items() if value}
    return sha256(PAYLOAD_LABEL + canonical.encode_valid(present)).digest()
