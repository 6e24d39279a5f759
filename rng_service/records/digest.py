"""Digests: which records a second had, fixed by one root and laid open by one file (PROTOCOL.md, section 9).

The builder is pure: records in, log entries and files out. Whoever writes them puts the file down before the
entry that names it, so that a crash in between leaves a file that nothing names and that is written again.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from anchor.merkle import leaf_hash, root_of
from rng_service.entry_fields import MAX_POOL_SIZE
from rng_service.log_entries import MAX_DIGEST_RECORDS, BeaconRound, Digest, RecordCounts, RecordRange
from rng_service.names import parse_pool_id
from rng_service.public_files import digest_path

MAX_DIGEST_ENTRY = 60_000
_LARGEST = 2**53 - 1
# Within one slot a ticket comes before its draw, and a draw before its settlements.
_LIFE = {"ticket": 0, "draw": 1, "void": 2, "settle": 3}


class DigestItem(NamedTuple):
    """One record as the digest sees it; ``slot`` is its first slot, or the slot that a settlement settles."""

    pool: str
    slot: int
    slots: int
    kind: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class BuiltDigest:
    """A digest entry, its bytes and leaf hash, and the file that goes with it.

    ``items`` are its records in the order of the tree, so that a record's place and path can be kept.
    """

    entry: Digest
    data: bytes
    leaf: bytes
    file_path: str
    file: bytes
    items: tuple[DigestItem, ...]


def sort_key(item: DigestItem) -> tuple[bytes, bool, int, str, bytes]:
    """Return what the records of a digest are sorted by: pool id, settlements last, slot, kind, record digest.

    Settlements, whose slots no range states, stand behind the others so that each of these has one place only.
    """
    return item.pool.encode("ascii"), item.kind == "settle", item.slot, item.kind, item.digest


def build_digests(
    items: Iterable[DigestItem],
    *,
    origin: str,
    time_us: int,
    seq: int,
    prev: bytes,
    beacon: BeaconRound | None = None,
) -> list[BuiltDigest]:
    """Return the digests of one second's records, the first numbered ``seq`` and chained to ``prev``.

    Without records it is one heartbeat. More than one comes out when an entry would pass 60,000 bytes or 65,536
    records; each part then keeps the prefix and the lane order, because it is cut in the order of lanes, pools and
    slots, and of one slot the ticket first.
    """
    built = []
    for part in _parts(sorted(items, key=_use_order), origin, beacon):
        digest = _build(part, origin=origin, time_us=time_us, seq=seq, prev=prev, beacon=beacon)
        built.append(digest)
        seq, prev = seq + 1, digest.leaf
    return built


def ranges_of(items: Sequence[DigestItem]) -> tuple[RecordRange, ...]:
    """Return the ranges of records that are sorted by `sort_key`: maximal runs of equal width."""
    ranges: list[RecordRange] = []
    # Pool ids are ASCII, so that their order as text is their order as bytes.
    of_kind = itemgetter(DigestItem._fields.index("pool"), DigestItem._fields.index("kind"))
    for (pool, kind), group in groupby(sorted(items, key=of_kind), key=of_kind):
        if kind == "settle":
            ranges.append(RecordRange(kind=kind, pool=pool, records=sum(1 for _ in group)))
        else:
            ranges.extend(_runs(pool, kind, group))
    return tuple(ranges)


def _runs(pool: str, kind: str, items: Iterator[DigestItem]) -> Iterator[RecordRange]:
    head = next(items)
    slot, width, records = head.slot, head.slots, 1
    for item in items:
        # Records of another width begin a range of their own: a range then says where each of its records begins.
        if (item.slot, item.slots) != (slot + width * records, width):
            yield RecordRange(kind=kind, pool=pool, records=records, slot=slot, slots=width * records)
            slot, width, records = item.slot, item.slots, 0
        records += 1
    yield RecordRange(kind=kind, pool=pool, records=records, slot=slot, slots=width * records)


def _use_order(item: DigestItem) -> tuple[str, int, int, int, int]:
    pool = parse_pool_id(item.pool)
    return f"{pool.environment}/{pool.stream}", pool.lane, pool.number, item.slot, _LIFE[item.kind]


def _parts(items: list[DigestItem], origin: str, beacon: BeaconRound | None) -> Iterator[Sequence[DigestItem]]:
    if len(items) < 2 or (len(items) <= MAX_DIGEST_RECORDS and _fits(_largest_entry(items, origin, beacon))):
        yield items
    else:
        # Halving keeps both parts near each other in size, and needs no second model of what a range costs.
        middle = len(items) // 2
        yield from _parts(items[:middle], origin, beacon)
        yield from _parts(items[middle:], origin, beacon)


def _largest_entry(items: list[DigestItem], origin: str, beacon: BeaconRound | None) -> Digest:
    """Return the entry of these records with the longest numbers that it could have."""
    return _entry(
        sorted(items, key=sort_key),
        origin=origin,
        time_us=_LARGEST,
        seq=_LARGEST,
        prev=bytes(32),
        root=bytes(32),
        beacon=beacon,
    )


def _fits(entry: Digest) -> bool:
    # The longest pool id with its numbers is below 300 bytes, so 180 ranges always fit.
    if len(entry.ranges) <= 180:
        return True
    return len(entry.ranges) <= MAX_DIGEST_ENTRY // 90 and len(entry.to_bytes()) <= MAX_DIGEST_ENTRY


def _entry(
    items: Sequence[DigestItem],
    *,
    origin: str,
    time_us: int,
    seq: int,
    prev: bytes,
    root: bytes,
    beacon: BeaconRound | None,
) -> Digest:
    counts = dict.fromkeys(_LIFE, 0)
    for item in items:
        if not 0 <= item.slot < item.slot + item.slots <= MAX_POOL_SIZE:
            raise ValueError(f"slots {item.slot} + {item.slots} of {item.pool} do not lie in a pool")
        counts[item.kind] += 1
    return Digest(
        origin=origin,
        time_us=time_us,
        seq=seq,
        prev=prev,
        counts=RecordCounts(**counts),
        root=root,
        ranges=ranges_of(items),
        beacon=beacon,
    )


def _build(
    items: Sequence[DigestItem],
    *,
    origin: str,
    time_us: int,
    seq: int,
    prev: bytes,
    beacon: BeaconRound | None,
) -> BuiltDigest:
    ordered = tuple(sorted(items, key=sort_key))
    leaves = [item.digest for item in ordered]
    entry = _entry(ordered, origin=origin, time_us=time_us, seq=seq, prev=prev, root=root_of(leaves), beacon=beacon)
    data = entry.to_bytes()
    return BuiltDigest(entry, data, leaf_hash(data), digest_path(seq), b"".join(leaves), ordered)
