"""The life of a pool, from its commitment to its erasure (PROTOCOL.md, sections 5 and 11)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from anchor.errors import MalformedError
from rng_service.entry_fields import (
    Amount,
    BeaconKey,
    Count,
    Ed25519Bytes,
    Hash,
    KeyId,
    Name,
    NoteBytes,
    PoolSize,
    PoolText,
    Positive,
    Reason,
    ShortText,
    SlotCount,
    nested,
    one_of,
)
from rng_service.log_entries.base import Entry


@dataclass(frozen=True, slots=True)
class BeaconRound:
    """A round of a chain, by the chain's hash."""

    chain: Hash
    round: Positive


BeaconRoundField = Annotated[BeaconRound, nested(BeaconRound)]


@dataclass(frozen=True, kw_only=True)
class PoolCommit(Entry):
    """The commitment to a pool; its leaf hash is D of every draw from it."""

    TYPE: ClassVar[str] = "pool.commit"

    pool: PoolText
    kind: Annotated[str, one_of("deal", "independent")] = "independent"
    size: PoolSize
    slot_root: Hash
    game_digest: Hash
    program: Name
    drbg_instance: ShortText
    drbg_epoch: Count
    key_epoch: Count
    deadline_us: Count
    beacon: BeaconRoundField | None = None
    test_plan: Hash | None = None


@dataclass(frozen=True, kw_only=True)
class PoolActivate(Entry):
    """The pool may be drawn from: its round has come, or it names none."""

    TYPE: ClassVar[str] = "pool.activate"

    pool: PoolText
    commit_index: Count
    commit: Hash
    checkpoint: NoteBytes
    beacon_signature: BeaconKey | None = None
    beacon_value: Hash | None = None

    def __post_init__(self) -> None:
        if (self.beacon_signature is None) != (self.beacon_value is None):
            raise MalformedError("pool.activate: beacon_signature and beacon_value stand together")


@dataclass(frozen=True, kw_only=True)
class PoolTest(Entry):
    """The vault's verdict under the test plan that was named in the commitment; ``test`` is the one that failed."""

    TYPE: ClassVar[str] = "pool.test"

    pool: PoolText
    plan: Hash
    verdict: Annotated[str, one_of("pass", "fail")]
    test: Reason | None = None
    key_id: KeyId
    signature: Ed25519Bytes

    def __post_init__(self) -> None:
        if (self.verdict == "fail") != (self.test is not None):
            raise MalformedError("pool.test: a failure, and nothing else, names the test")


@dataclass(frozen=True, kw_only=True)
class PoolQuarantine(Entry):
    """Nothing is drawn from the pool any more, from ``from_slot`` on, and never again."""

    TYPE: ClassVar[str] = "pool.quarantine"

    pool: PoolText
    reason: Reason
    from_slot: SlotCount


@dataclass(frozen=True, kw_only=True)
class PoolClose(Entry):
    """The census of a pool of which every slot is drawn or void."""

    TYPE: ClassVar[str] = "pool.close"

    pool: PoolText
    reason: Reason
    size: PoolSize
    drawn: SlotCount
    void: SlotCount
    voids_digest: Hash
    # Of a deal only, and of every deal: SHA-256 of the file that opens it in full, and its money.
    opened_digest: Hash | None = None
    stake_minor: Amount | None = None
    payout_minor: Amount | None = None

    def __post_init__(self) -> None:
        stated = (self.opened_digest, self.stake_minor, self.payout_minor)
        if any(item is None for item in stated) != all(item is None for item in stated):
            raise MalformedError("pool.close: opened_digest, stake_minor and payout_minor stand together")


@dataclass(frozen=True, kw_only=True)
class PoolVoid(Entry):
    """A pool that was thrown away before anything was bound, opened in full by its key."""

    TYPE: ClassVar[str] = "pool.void"

    pool: PoolText
    reason: Reason
    key: Hash


@dataclass(frozen=True, kw_only=True)
class PoolErase(Entry):
    """The vault's word on what it opened the pool for, and that the pool's key is gone."""

    TYPE: ClassVar[str] = "pool.erase"

    pool: PoolText
    slot_root: Hash
    drawn: SlotCount
    void: SlotCount
    bindings_digest: Hash
    key_id: KeyId
    signature: Ed25519Bytes


@dataclass(frozen=True, kw_only=True)
class DealApprove(Entry):
    """Somebody let the sale of an activated deal begin.

    ``approver`` is ``automatic`` under a development beacon only.
    """

    TYPE: ClassVar[str] = "deal.approve"

    pool: PoolText
    game_digest: Hash
    approver: Reason
    reference: ShortText | None = None
