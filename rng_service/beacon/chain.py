"""A beacon chain: who signs its rounds, when each is published, and whether a signature is the round's.

A chain is named by its 32-byte chain hash, which fixes its public key and its schedule. Everything here is
pure: relays are in `relay`, the forms that chains are written in are in `information`. Times are integer
microseconds UTC, as everywhere in the protocol, except the two fields that drand itself counts in seconds,
`period_s` and `genesis_time`.

Source: PROTOCOL.md section 6; drand `common/chain/info.go` (chain hash) and `common/chain/beacon_time.go`.
"""

import hashlib
import re
from dataclasses import dataclass, field

from anchor.errors import MalformedError, VerificationError
from rng_service.beacon.scheme import SCHEMES, Scheme
from rng_service.encoding import u32, u64

__all__ = [
    "DEVELOPMENT_BEACON_ID",
    "KNOWN_CHAINS",
    "MAX_ROUND",
    "QUICKNET",
    "SCHEMES",
    "ChainInfo",
    "beacon_value",
    "require_pool_chain",
    "verify_round",
]

# Rounds are JSON integers in the log, so they end where those do: 285 million years at a round a second.
MAX_ROUND = 2**53 - 1
# The id takes part in the chain hash, so a chain of this program's own beacon never passes for another.
DEVELOPMENT_BEACON_ID = "sealdraw-development"
_MICROSECONDS = 1_000_000
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}\Z")


@dataclass(frozen=True, slots=True)
class ChainInfo:
    """The fixed facts of one chain.

    ``name`` is what configuration calls it and takes no part in comparisons. ``public_key`` is compressed;
    ``group_hash`` is 32 bytes; ``genesis_time`` is the Unix second of round 1 and ``period_s`` the seconds
    between rounds. Raises MalformedError for an unknown scheme, a key or hash of another length, a number out
    of range, a name or id outside [a-z0-9][a-z0-9-]{0,31}.
    """

    name: str = field(compare=False)
    scheme: str
    public_key: bytes
    period_s: int
    genesis_time: int
    group_hash: bytes
    beacon_id: str

    def __post_init__(self) -> None:
        if self.scheme not in SCHEMES:
            raise MalformedError(f"beacon scheme {self.scheme[:64]!r} is unknown; known are {sorted(SCHEMES)}")
        if len(self.public_key) != self.bundle.public_key_length:
            raise MalformedError(
                f"a public key of {self.scheme} has {self.bundle.public_key_length} bytes, "
                f"this one has {len(self.public_key)}"
            )
        if len(self.group_hash) != 32:
            raise MalformedError(f"a beacon's group hash has 32 bytes, this one has {len(self.group_hash)}")
        if not 1 <= self.period_s < 2**32:
            raise MalformedError(f"a beacon's period is 1 to 2^32 - 1 seconds, this one is {self.period_s}")
        if not 0 <= self.genesis_time < 2**40:
            raise MalformedError(f"a beacon's genesis is a Unix time in seconds, not {self.genesis_time}")
        if not _NAME.match(self.beacon_id) or not _NAME.match(self.name):
            raise MalformedError("a beacon's name and id are 1 to 32 of a-z, 0-9 and -, and do not begin with -")

    @property
    def bundle(self) -> Scheme:
        """The scheme's algorithms."""
        return SCHEMES[self.scheme]

    @property
    def chain_hash(self) -> bytes:
        """The chain's name, 32 bytes.

        SHA-256(u32(period) || u64(genesis) || public key || group hash || beacon id), the id left out when it
        is "default".
        drand does not hash the scheme. It is pinned all the same: keys of different lengths tell the schemes
        of the table apart, and the length was checked before this hash can be asked for.
        """
        beacon_id = b"" if self.beacon_id == "default" else self.beacon_id.encode("ascii")
        return hashlib.sha256(
            u32(self.period_s) + u64(self.genesis_time) + self.public_key + self.group_hash + beacon_id
        ).digest()

    @property
    def development(self) -> bool:
        """Whether the operator itself signs this chain, which then protects nobody."""
        return self.beacon_id == DEVELOPMENT_BEACON_ID

    def round_at(self, time_us: int) -> int:
        """Return the newest round that is published at ``time_us``, 0 before the first."""
        elapsed_us = time_us - self.genesis_time * _MICROSECONDS
        return 0 if elapsed_us < 0 else elapsed_us // (self.period_s * _MICROSECONDS) + 1

    def time_of(self, round_number: int) -> int:
        """Return the microsecond at which ``round_number`` is published. Raises ValueError below 1."""
        if round_number < 1:
            raise ValueError(f"rounds count from 1, not {round_number}")
        return (self.genesis_time + (round_number - 1) * self.period_s) * _MICROSECONDS

    def first_round_from(self, time_us: int) -> int:
        """Return the first round that is published at ``time_us`` or later, as a commitment names it."""
        return self.round_at(time_us - 1) + 1


# The League of Entropy's unchained chain. Its hash was compared with the one that the relays are asked for,
# 52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971, and a test does so again.
QUICKNET = ChainInfo(
    name="quicknet",
    scheme="bls-unchained-g1-rfc9380",
    public_key=bytes.fromhex(
        "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451"
        "0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
    ),
    period_s=3,
    genesis_time=1_692_803_367,
    group_hash=bytes.fromhex("f477d5c89f21a17c863a7f937c6a6d15859414d2be09cd448d4279af331c5d3e"),
    beacon_id="quicknet",
)

KNOWN_CHAINS: dict[str, ChainInfo] = {chain.name: chain for chain in (QUICKNET,)}


def require_pool_chain(chain: ChainInfo) -> None:
    """Check that a pool may name ``chain``.

    A chained scheme is refused: its rounds cannot be checked without the signature before them, which the log
    does not hold. Raises VerificationError with reason ``beacon-scheme``.
    """
    if chain.bundle.chained:
        raise VerificationError(
            "beacon-scheme", f"a pool's beacon must be unchained, but {chain.name} signs with {chain.scheme}"
        )


def verify_round(chain: ChainInfo, round_number: int, signature: bytes, *, previous_signature: bytes = b"") -> None:
    """Check that ``signature`` (compressed) is the one signature of ``round_number`` on ``chain``.

    ``previous_signature`` is that of the round before (for round 1 the group hash), given for a chained
    scheme and for no other. Raises VerificationError with reason ``beacon-signature``, BeaconLibraryMissing.
    """
    if not 1 <= round_number <= MAX_ROUND:
        raise VerificationError("beacon-signature", f"there is no round {round_number} on {chain.name}")
    if bool(previous_signature) != chain.bundle.chained:
        expected = "needs the previous signature" if chain.bundle.chained else "has no previous signature"
        raise VerificationError("beacon-signature", f"a round of {chain.scheme} {expected}")
    message = chain.bundle.message(round_number, previous_signature)
    try:
        chain.bundle.verify(chain.public_key, message, signature)
    except VerificationError as error:
        raise VerificationError(error.reason, f"round {round_number} of {chain.name}: {error.message}") from None


def beacon_value(signature: bytes) -> bytes:
    """Return B, the 32 bytes that a verified round contributes: SHA-256 of the compressed signature."""
    return hashlib.sha256(signature).digest()
