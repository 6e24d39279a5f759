"""Digests: what fixes a second's worth of records (PROTOCOL.md, section 9)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from anchor.errors import MalformedError
from rng_service.entry_fields import Count, Hash, PoolSize, PoolText, Positive, Slot, array, nested, one_of
from rng_service.log_entries.base import Entry
from rng_service.log_entries.pools import BeaconRoundField
from rng_service.public_files import digest_path

NO_DIGEST = bytes(32)
RECORD_KINDS = ("draw", "settle", "ticket", "void")
# What a verifier reads of one digest's records is bounded by this, whatever the log claims.
MAX_DIGEST_RECORDS = 65_536


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
