"""What an auditor should know, in the operator's words (PROTOCOL.md, section 5)."""

from dataclasses import dataclass
from typing import ClassVar

from rng_service.entry_fields import PoolSize, PoolText, Reason, Slot
from rng_service.log_entries.base import Entry


@dataclass(frozen=True, kw_only=True)
class Incident(Entry):
    """Something that an auditor should know, in the operator's words."""

    TYPE: ClassVar[str] = "incident"

    kind: Reason
    reason: Reason
    pool: PoolText | None = None
    slot: Slot | None = None
    slots: PoolSize | None = None
