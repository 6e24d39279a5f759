"""Where a record stands in a digest: in the ranges that the digest states, and at the place that they leave for it.

The ranges are what the whole log is audited by; the file is what single records are looked up in. A record that stands
in the file where the ranges have no room for it was given its slot behind the auditor's back.
Source: PROTOCOL.md, section 8, step 9.
"""

from rng_service.log_entries import Digest, RecordRange
from rng_service.verify.fault import require
from rng_service.verify.opened import OpenedRecord


def check_place(entry: Digest, record: OpenedRecord, place: int) -> None:
    """Check that the ranges of a digest have this record, and that ``place``, counted from 0, is its place.

    The ranges were checked by `check_digest_form`. Only a settlement may stand at several places: behind the slot
    records of its pool. Raises VerificationError ``digest-range``, ``digest-place``.
    """
    require(
        any(_has(item, record) for item in entry.ranges),
        "digest-range",
        f"digest {entry.seq} has the {record.kind} of slot {record.slot} of {record.pool} in its file, "
        "and no range of its kind with these slots",
    )
    least = sum(_before(item, record) for item in entry.ranges)
    most = least
    if record.kind == "settle":
        most += sum(item.records - 1 for item in entry.ranges if _has(item, record))
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


def _has(item: RecordRange, record: OpenedRecord) -> bool:
    """Say whether one of the range's records has exactly the slots of this one; settlements may be of any slot."""
    if item.pool != record.pool or item.kind != record.kind:
        return False
    if item.slot is None or item.slots is None:
        return True
    offset = record.slot - item.slot
    return 0 <= offset < item.slots and offset % item.width == 0 and record.slots == item.width


def _before(item: RecordRange, record: OpenedRecord) -> int:
    """Return how many records of a range stand before the record, settlements of its own pool left out."""
    # Pool ids are ASCII, so that their order as text is their order as bytes.
    if item.pool != record.pool:
        return item.records if item.pool < record.pool else 0
    if item.slot is None:
        return 0
    if record.kind == "settle":
        return item.records
    # Records that begin below this slot stand before it; of one slot, the kinds stand in the order of their names.
    below = record.slot + (item.kind < record.kind) - item.slot
    return min(max(-(-below // item.width), 0), item.records)
