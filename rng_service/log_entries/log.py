"""What the log announces once: its promises, its keys, the beacon chains (PROTOCOL.md, section 5)."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, ClassVar

from anchor.errors import MalformedError
from rng_service.entry_fields import (
    BeaconKey,
    Boolean,
    Count,
    Ed25519Bytes,
    Hash,
    KeyId,
    Name,
    Positive,
    ShortText,
    integer,
    one_of,
)
from rng_service.log_entries.base import Entry

# An operator that held itself to a century of delay would hold itself to nothing.
MAX_MERGE_DELAY_S = 86_400
MAX_HEARTBEAT_S = 3_600
MAX_CLOSE_DELAY_S = 604_800
MAX_BEACON_MARGIN_S = 86_400


@dataclass(frozen=True, kw_only=True)
class LogConfig(Entry):
    """What the operator holds itself to; index 0 of every log."""

    TYPE: ClassVar[str] = "log.config"

    environment: Name
    log_key: ShortText
    merge_delay_s: Annotated[int, integer(1, MAX_MERGE_DELAY_S)]
    heartbeat_s: Annotated[int, integer(1, MAX_HEARTBEAT_S)]
    close_delay_s: Annotated[int, integer(1, MAX_CLOSE_DELAY_S)]
    beacon_margin_s: Annotated[int, integer(1, MAX_BEACON_MARGIN_S)]
    totals_policy: Annotated[str, one_of("open", "committed")] = "open"


@dataclass(frozen=True, kw_only=True)
class ReceiptKey(Entry):
    """A key of the vault that signs openings and erasures; ``signature`` is the log key's word for it."""

    TYPE: ClassVar[str] = "key.receipt"

    key_id: KeyId
    public_key: Hash
    epoch: Positive
    signature: Ed25519Bytes

    def __post_init__(self) -> None:
        if self.key_id != sha256(self.public_key).digest()[:8]:
            raise MalformedError("key.receipt: key_id is not the beginning of the public key's hash")


@dataclass(frozen=True, kw_only=True)
class KeyRotation(Entry):
    """The vault began another epoch of its key-encryption key or its generator."""

    TYPE: ClassVar[str] = "key.rotate"

    kind: Annotated[str, one_of("kek", "drbg")]
    epoch: Count
    instance: ShortText | None = None


@dataclass(frozen=True, kw_only=True)
class BeaconChainEntry(Entry):
    """The facts of a beacon chain that commitments may name."""

    TYPE: ClassVar[str] = "beacon.chain"

    chain: Hash
    name: Name
    scheme: ShortText
    public_key: BeaconKey
    period_s: Positive
    genesis_time: Count
    group_hash: Hash
    beacon_id: Name
    development: Boolean
