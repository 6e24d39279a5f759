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
TOTALS_LABEL = lp(b"sealdraw/v1/totals")
RTP_ROW_LABEL = lp(b"sealdraw/v1/rtp-row")
RECEIPT_KEY_LABEL = lp(b"sealdraw/v1/receipt-key")
POOL_TEST_LABEL = lp(b"sealdraw/v1/pool-test")


def receipt_key_statement(origin: str, public_key: bytes, epoch: int) -> bytes:
    """Return what the log's key signs of a receipt key (PROTOCOL.md, section 5)."""
    return RECEIPT_KEY_LABEL + lp(origin.encode()) + public_key + u64(epoch)


def erase_statement(
    origin: str, pool_id: str, slot_root: bytes, *, drawn: int, void: int, bindings_digest: bytes
) -> bytes:
    """Return what a receipt key signs when a pool's key is destroyed (PROTOCOL.md, section 11)."""
    pool = lp(origin.encode()) + lp(pool_id.encode()) + slot_root
    return ERASE_LABEL + pool + u64(drawn) + u64(void) + bindings_digest


def pool_test_statement(
    origin: str, pool_id: str, *, commit: bytes, beacon: bytes, plan: bytes, verdict: str, test: str
) -> bytes:
    """Return what a receipt key signs of a pool's test (PROTOCOL.md, section 6); ``commit`` is D, ``beacon`` is B."""
    pool = lp(origin.encode()) + lp(pool_id.encode()) + commit + lp(beacon)
    return POOL_TEST_LABEL + pool + plan + lp(verdict.encode()) + lp(test.encode())
