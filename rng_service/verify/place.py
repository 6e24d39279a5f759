"""Where a record stands in a digest: in the ranges that the digest states, and at a place that they leave for it.

The ranges are what the whole log is audited by; the file is what single records are looked up in. A record that stands
in the file where the ranges have no room for it was given its slot behind the auditor's back.
Source: PROTOCOL.md, section 8, step 9.
"""

from anchor.errors import VerificationError
from rng_service.log_entries import Digest, RecordRange
from rng_service.verify.fault import require
from rng_service.verify.opened import OpenedRecord


def check_place(entry: Digest, record: OpenedRecord, place: int) -> None:
    """Check that the ranges of a digest have this record, and that ``place``, counted from 0, can be its place.

    The ranges were checked to be sorted and apart from each other. Raises VerificationError ``digest-range``,
    ``digest-place``.
    """
    own = next((item for item in entry.ranges if _holds(item, record)), None)
    if own is None:
        raise VerificationError(
            "digest-range",
            f"digest {entry.seq} has the {record.kind} of slot {record.slot} of {record.pool} in its file, "
            "and no range of its kind over it",
        )
    least = most = 0
    for item in entry.ranges:
        low, high = _own_before(item, record) if item is own else _before(item, record)
        least, most = least + low, most + high
    require(
        least <= place <= most,
        "digest-place",
        f"digest {entry.seq} has the {record.kind} of slot {record.slot} of {record.pool} in place {place}, "
        f"its ranges put it from {least} to {most}",
    )


def overlaps(item: RecordRange, record: OpenedRecord) -> bool:
    """Say whether a range has one of the record's slots; the kind is not looked at."""
    if item.pool != record.pool or item.slot is None or item.slots is None:
        return False
    return item.slot < record.slot + record.slots and record.slot < item.slot + item.slots


def _holds(item: RecordRange, record: OpenedRecord) -> bool:
    if item.pool != record.pool or item.kind != record.kind or item.slot is None or item.slots is None:
        return False
    return item.slot <= record.slot and record.slot + record.slots <= item.slot + item.slots


def _own_before(item: RecordRange, record: OpenedRecord) -> tuple[int, int]:
    """Return how many records of the record's own range stand before it, at least and at most."""
    start, slots = item.slot or 0, item.slots or 0
    before, after = record.slot - start, start + slots - record.slot - record.slots
    # Each record takes at least one slot, and slots that are there have at least one record.
    return max(before > 0, item.records - 1 - after), min(before, item.records - 1 - (after > 0))


def _before(item: RecordRange, record: OpenedRecord) -> tuple[int, int]:
    """Return how many records of another range stand before the record, at least and at most."""
    # Pool ids are ASCII, so that their order as text is their order as bytes.
    if item.pool != record.pool:
        return (item.records, item.records) if item.pool < record.pool else (0, 0)
    if item.slot is None or item.slots is None:
        # Settlements may be of any slot.
        return 0, item.records
    # Records that begin below this slot stand before it; of one slot, the kinds stand in the order of their names.
    bound = record.slot + (item.kind < record.kind)
    below, above = bound - item.slot, item.slot + item.slots - bound
    if below <= 0:
        return 0, 0
    if above <= 0:
        return item.records, item.records
    return max(1, item.records - above), min(item.records, below)
