"""The draw key, the byte stream behind it, and unbiased integers: PROTOCOL.md, "Outcome".

    draw key   HMAC(s_i, lp("sealdraw/v1/draw") || D || u64(i) || lp(B) || lp(program_id) || lp(client_seed))
    block j    HMAC(draw key, u32(j)),  j = 0, 1, 2 …, one contiguous byte stream
    uniform(n) k = bit length of n-1; ceil(k/8) bytes big-endian & (2^k - 1), repeat while ≥ n

Both keys are 32 bytes, so HMAC (RFC 2104) is written out as two SHA-256 calls over translated pads: every
draw and every re-derivation by an auditor comes through here, and `hmac.digest` costs twice as much.
"""

from hashlib import sha256

from anchor.errors import MalformedError
from rng_service.encoding import DRAW_LABEL, lp

MAX_BOUND = 2**64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
# A SHA-256 block is 64 bytes; the key fills the first 32, these are the pads of the zeros after it.
_INNER_TAIL = b"\x36" * 32
_OUTER_TAIL = b"\x5c" * 32
_COUNTERS = tuple(counter.to_bytes(4, "big") for counter in range(16))
_INNER_FIRST = _INNER_TAIL + _COUNTERS[0]


class OutcomeStream:
    """The byte stream of one draw key, read from its beginning, never rewound.

    Owned by whoever derives one outcome; two readers would consume each other's bytes.
    """

    __slots__ = ("_buffer", "_key", "_next_block", "_position")

    def __init__(self, key: bytes) -> None:
        """Start at byte 0 of the stream under the 32-byte draw key ``key``."""
        if len(key) != 32:
            raise MalformedError(f"draw key: {len(key)} bytes, expected 32")
        self._key = key
        # No outcome but the one-valued ones gets by without block 0, so it is made at once.
        inner = sha256(key.translate(_INNER) + _INNER_FIRST).digest()
        self._buffer = sha256(key.translate(_OUTER) + _OUTER_TAIL + inner).digest()
        self._next_block = 1
        self._position = 0

    def _more(self, end: int) -> None:
        """Extend the buffer to at least ``end`` bytes after dropping what was consumed."""
        start = self._position
        self._position = 0
        buffer = self._buffer[start:]
        needed = end - start
        inner = self._key.translate(_INNER) + _INNER_TAIL
        outer = self._key.translate(_OUTER) + _OUTER_TAIL
        while len(buffer) < needed:
            block = self._next_block
            counter = _COUNTERS[block] if block < 16 else block.to_bytes(4, "big")
            buffer += sha256(outer + sha256(inner + counter).digest()).digest()
            self._next_block = block + 1
        self._buffer = buffer

    def read(self, size: int) -> bytes:
        """Return the next ``size`` bytes of the stream."""
        if self._position + size > len(self._buffer):
            self._more(self._position + size)
        start = self._position
        self._position = start + size
        return self._buffer[start : start + size]

    def below(self, bound: int, size: int, mask: int) -> int:
        """Do as `uniform` with the constants of ``bound`` worked out before (see `uniform_constants`)."""
        while True:
            start = self._position
            end = start + size
            if end > len(self._buffer):
                self._more(end)
                start, end = 0, size
            self._position = end
            value = int.from_bytes(self._buffer[start:end], "big") & mask
            if value < bound:
                return value

    def uniform(self, bound: int) -> int:
        """Return an integer uniform over 0 … bound - 1; a bound of 1 consumes no byte.

        Raises ValueError unless 1 ≤ bound ≤ 2^64.
        """
        return self.below(*uniform_constants(bound))


def uniform_constants(bound: int) -> tuple[int, int, int]:
    """Return (bound, bytes per attempt, mask) of the rejection rule for ``bound``, 1 ≤ bound ≤ 2^64."""
    if not 1 <= bound <= MAX_BOUND:
        raise ValueError(f"a uniform bound lies in 1 … 2^64, got {bound}")
    bits = (bound - 1).bit_length()
    return bound, (bits + 7) // 8, (1 << bits) - 1


class DrawKeyDeriver:
    """Draw keys of one pool and program: what is constant over the pool's slots is laid out once."""

    __slots__ = ("_prefix", "_suffix")

    def __init__(self, commit_hash: bytes, beacon: bytes, program_id: str) -> None:
        """Prepare for the pool whose commit entry has leaf hash ``commit_hash`` (D, 32 bytes).

        ``beacon`` is B: 32 bytes, or empty for a pool without one. Raises MalformedError for other lengths.
        """
        if len(commit_hash) != 32:
            raise MalformedError(f"commit hash: {len(commit_hash)} bytes, expected 32")
        if len(beacon) not in {0, 32}:
            raise MalformedError(f"beacon value: {len(beacon)} bytes, expected 0 or 32")
        if not program_id.isascii():
            raise MalformedError("program id: expected ASCII")
        self._prefix = _INNER_TAIL + DRAW_LABEL + commit_hash
        self._suffix = lp(beacon) + lp(program_id.encode("ascii"))

    def draw_key(self, secret: bytes, slot: int, client_seed: bytes) -> bytes:
        """Return the 32-byte draw key of ``slot`` (0 ≤ slot < 2^64) opened to ``secret`` (32 bytes).

        ``client_seed`` is raw: empty, or 16 to 64 bytes. Raises MalformedError for other lengths.
        """
        seed_length = len(client_seed)
        if len(secret) != 32:
            raise MalformedError(f"slot secret: {len(secret)} bytes, expected 32")
        if seed_length and not 16 <= seed_length <= 64:
            raise MalformedError(f"client seed: {seed_length} bytes, expected 0 or 16 to 64")
        inner = sha256(
            b"".join(
                (
                    secret.translate(_INNER),
                    self._prefix,
                    slot.to_bytes(8, "big"),
                    self._suffix,
                    seed_length.to_bytes(4, "big"),
                    client_seed,
                )
            )
        ).digest()
        return sha256(secret.translate(_OUTER) + _OUTER_TAIL + inner).digest()

    def outcome_stream(self, secret: bytes, slot: int, client_seed: bytes) -> OutcomeStream:
        """Return the outcome's byte stream, at its beginning; arguments and errors as for `draw_key`."""
        return OutcomeStream(self.draw_key(secret, slot, client_seed))


def draw_key(secret: bytes, commit_hash: bytes, slot: int, beacon: bytes, program_id: str, client_seed: bytes) -> bytes:
    """Return one draw key; lengths and errors as for `DrawKeyDeriver` and its `draw_key`."""
    return DrawKeyDeriver(commit_hash, beacon, program_id).draw_key(secret, slot, client_seed)
