"""Published tables of returns (PROTOCOL.md, section 10)."""

from dataclasses import dataclass
from typing import ClassVar

from rng_service.entry_fields import Count, Hash
from rng_service.log_entries.base import Entry


@dataclass(frozen=True, kw_only=True)
class RtpTable(Entry):
    """A table over the digests ``from_digest`` … ``to_digest``: SHA-256 of its document, its CSV and its page."""

    TYPE: ClassVar[str] = "rtp.table"

    seq: Count
    from_totals: Count
    to_totals: Count
    from_digest: Count
    to_digest: Count
    table: Hash
    csv: Hash
    page: Hash
