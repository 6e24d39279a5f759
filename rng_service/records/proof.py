"""What a proof file says beside the log's own proof: the digest entry, and the record's place in its tree.

Source: PROTOCOL.md, section 12: canonical JSON ``{"entry": hex, "index": n, "path": [hex, …]}`` in the ``extra`` of a
C2SP tlog-proof.
"""

from dataclasses import dataclass
from typing import Annotated

from anchor import canonical
from anchor.proof import MAX_EXTRA
from rng_service.entry_fields import Count, FieldTable, hex_text
from rng_service.log_entries import MAX_ENTRY_BYTES
from rng_service.records.receipt import Path

EntryBytes = Annotated[bytes, hex_text(1, MAX_ENTRY_BYTES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPlace:
    """The bytes of a digest entry, and where a record digest stands in the digest's tree."""

    entry: EntryBytes
    index: Count
    path: Path

    def to_bytes(self) -> bytes:
        """Return the proof's ``extra``."""
        return canonical.encode(_TABLE.write(self))


_TABLE = FieldTable(RecordPlace)


def parse_record_place(data: bytes) -> RecordPlace:
    """Parse the ``extra`` of a proof file; raises MalformedError for anything but its canonical form."""
    members = canonical.decode_object(data, limit=MAX_EXTRA, what="proof, extra")
    place: RecordPlace = _TABLE.read(members)
    return place
