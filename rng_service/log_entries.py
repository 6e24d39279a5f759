"""The entries of the log: one frozen dataclass for each type of PROTOCOL.md, sections 5, 9 and 10.

An entry is canonical JSON below 65,536 bytes. Its members are the fields of its class beside ``type`` and
``v``; its leaf hash is SHA-256(0x00 || bytes). `parse_entry` is strict; whoever needs the hash of an entry
that was read uses the bytes that were read, never `Entry.to_bytes`.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, ClassVar

from anchor import canonical
from anchor.errors import MalformedError
from rng_service.entry_fields import (
    Amount,
    BeaconKey,
    Boolean,
    Count,
    Ed25519Bytes,
    FieldTable,
    Hash,
    KeyId,
    Name,
    Names,
    NoteBytes,
    Origin,
    PoolSize,
    PoolText,
    Positive,
    Reason,
    ShortText,
    Signed,
    Slot,
    SlotCount,
    StreamText,
    array,
    integer,
    nested,
    one_of,
    text,
)
from rng_service.names import check_currency
from rng_service.public_files import digest_path

MAX_ENTRY_BYTES = 65_535
NO_DIGEST = bytes(32)
RECORD_KINDS = ("draw", "settle", "ticket", "void")
# What a verifier reads of one digest's records is bounded by this, whatever the log claims.
MAX_DIGEST_RECORDS = 65_536

# An operator that held itself to a century of delay would hold itself to nothing.
MAX_MERGE_DELAY_S = 86_400
MAX_HEARTBEAT_S = 3_600
MAX_CLOSE_DELAY_S = 604_800
MAX_BEACON_MARGIN_S = 86_400


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What every entry has: the log's origin and the operator's clock, which proves nothing."""

    TYPE: ClassVar[str]

    origin: Origin
    time_us: Count

    def to_bytes(self) -> bytes:
        """Return the entry's bytes; raises MalformedError when it is too large for the log."""
        members = _TABLES[self.TYPE].write(self)
        data = canonical.encode({**members, "type": self.TYPE, "v": 1})
        if len(data) > MAX_ENTRY_BYTES:
            raise MalformedError(f"{self.TYPE}: {len(data)} bytes, at most {MAX_ENTRY_BYTES} fit into the log")
        return data


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
    totals_policy: Annotated[str, one_of("open")] = "open"


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


@dataclass(frozen=True, kw_only=True)
class GameRegistration(Entry):
    """A game version and the digest of its definition, for ever."""

    TYPE: ClassVar[str] = "game.register"

    game: Name
    version: Positive
    digest: Hash
    programs: Names


@dataclass(frozen=True, kw_only=True)
class StreamLanes(Entry):
    """How many lanes a stream has from here on."""

    TYPE: ClassVar[str] = "stream.lanes"

    stream: StreamText
    lanes: Positive


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
    kind: Annotated[str, one_of("independent")] = "independent"
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
    """The verdict of a test plan that was named in the commitment."""

    TYPE: ClassVar[str] = "pool.test"

    pool: PoolText
    plan: Hash
    verdict: Annotated[str, one_of("pass", "fail")]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordCounts:
    """How many records of each kind a digest has."""

    draw: Count
    settle: Count
    ticket: Count
    void: Count

    @property
    def total(self) -> int:
        """All records of the digest."""
        return self.draw + self.settle + self.ticket + self.void


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRange:
    """A maximal run of ``slots`` consecutive slots of one pool and kind, made by ``records`` records of equal width.

    Settlements have no slots of their own: their ``slot`` and ``slots`` are absent.
    """

    kind: Annotated[str, one_of(*RECORD_KINDS)]
    pool: PoolText
    records: Positive
    slot: Slot | None = None
    slots: PoolSize | None = None

    def __post_init__(self) -> None:
        if (self.kind == "settle") != (self.slot is None) or (self.slot is None) != (self.slots is None):
            raise MalformedError("range: slot and slots stand together, and not for settlements")
        if self.slots is not None and self.records > self.slots:
            raise MalformedError("range: a record takes at least one slot")

    @property
    def width(self) -> int:
        """How many slots each record has; 0 for settlements. Whether it comes out even is the verifier's to check."""
        return 0 if self.slots is None else self.slots // self.records


@dataclass(frozen=True, kw_only=True)
class Digest(Entry):
    """A second's worth of records, or a heartbeat without any."""

    TYPE: ClassVar[str] = "digest"

    seq: Count
    prev: Hash
    counts: Annotated[RecordCounts, nested(RecordCounts)]
    root: Hash
    ranges: Annotated[tuple[RecordRange, ...], array(RecordRange)]
    beacon: BeaconRoundField | None = None

    def __post_init__(self) -> None:
        if self.counts.total > MAX_DIGEST_RECORDS:
            raise MalformedError(f"digest: {self.counts.total} records, at most {MAX_DIGEST_RECORDS} stand in one")

    @property
    def path(self) -> str:
        """The public path of the file with the record digests."""
        return digest_path(self.seq)


def _check_currency(value: str) -> None:
    # Outcomes without a stake are counted in a row without a currency.
    if value:
        check_currency(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalsRow:
    """The money and the counts of one game version, program, class and currency (PROTOCOL.md, section 10)."""

    game: Name
    version: Positive
    program: Name
    play_class: Annotated[str, one_of("free", "real")]
    currency: Annotated[str, text(_check_currency)]
    outcomes: Count
    plays: Count
    stake_minor: Amount
    payout_minor: Amount
    unsettled: Signed


@dataclass(frozen=True, kw_only=True)
class Totals(Entry):
    """The totals of the digests ``from_digest`` … ``to_digest``."""

    TYPE: ClassVar[str] = "totals"

    seq: Count
    from_digest: Count
    to_digest: Count
    rows: Annotated[tuple[TotalsRow, ...], array(TotalsRow)]
    policy: Annotated[str, one_of("open")] = "open"


@dataclass(frozen=True, kw_only=True)
class Incident(Entry):
    """Something that an auditor should know, in the operator's words."""

    TYPE: ClassVar[str] = "incident"

    kind: Reason
    reason: Reason
    pool: PoolText | None = None
    slot: Slot | None = None
    slots: PoolSize | None = None


ENTRY_TYPES: dict[str, type[Entry]] = {
    kind.TYPE: kind
    for kind in (
        LogConfig,
        ReceiptKey,
        KeyRotation,
        BeaconChainEntry,
        GameRegistration,
        StreamLanes,
        PoolCommit,
        PoolActivate,
        PoolTest,
        PoolQuarantine,
        PoolClose,
        PoolVoid,
        PoolErase,
        Digest,
        Totals,
        Incident,
    )
}

_TABLES = {name: FieldTable(kind) for name, kind in ENTRY_TYPES.items()}


def parse_entry(data: bytes) -> Entry:
    """Parse the bytes of any entry; raises MalformedError for unknown types, fields and forms."""
    members = canonical.decode_object(data, limit=MAX_ENTRY_BYTES, what="log entry")
    name = members.pop("type", None)
    kind = ENTRY_TYPES.get(name) if isinstance(name, str) else None
    if kind is None:
        raise MalformedError(f"log entry: unknown type {str(name)[:64]!r}")
    version = members.pop("v", None)
    if type(version) is not int or version != 1:
        raise MalformedError(f"log entry: {name} of version {str(version)[:16]}, only 1 is known")
    entry: Entry = _TABLES[kind.TYPE].read(members)
    return entry
