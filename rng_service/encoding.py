"""The byte conventions of PROTOCOL.md: big-endian integers, length prefixes, domain-separating labels."""


def u32(value: int) -> bytes:
    """Return ``value`` as four bytes, big-endian."""
    return value.to_bytes(4, "big")


def u64(value: int) -> bytes:
    """Return ``value`` as eight bytes, big-endian."""
    return value.to_bytes(8, "big")


def lp(data: bytes) -> bytes:
    """Return ``data`` behind its length as u32."""
    return len(data).to_bytes(4, "big") + data


# Every hash and signature input begins with one of these labels, length-prefixed, so that no two uses can collide.
SLOT_LABEL = lp(b"sealdraw/v1/slot")
DRAW_LABEL = lp(b"sealdraw/v1/draw")
DEAL_LABEL = lp(b"sealdraw/v1/deal")
BINDING_LABEL = lp(b"sealdraw/v1/binding")
REQUEST_LABEL = lp(b"sealdraw/v1/request")
PAYLOAD_LABEL = lp(b"sealdraw/v1/payload")
TAGS_LABEL = lp(b"sealdraw/v1/tags")
OPENING_LABEL = lp(b"sealdraw/v1/opening")
ERASE_LABEL = lp(b"sealdraw/v1/erase")
