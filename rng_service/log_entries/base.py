"""What every entry of the log has, and how one is written (PROTOCOL.md, section 5)."""

from dataclasses import dataclass
from typing import ClassVar

from anchor import canonical
from anchor.errors import MalformedError
from rng_service.entry_fields import Count, FieldTable, Origin

MAX_ENTRY_BYTES = 65_535


_tables: "dict[type[Entry], FieldTable]" = {}


def field_table(kind: "type[Entry]") -> FieldTable:
    """Return how the members of one kind of entry are read and written."""
    if kind not in _tables:
        _tables[kind] = FieldTable(kind)
    return _tables[kind]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What every entry has: the log's origin and the operator's clock, which proves nothing."""

    TYPE: ClassVar[str]

    origin: Origin
    time_us: Count

    def to_bytes(self) -> bytes:
        """Return the entry's bytes; raises MalformedError when it is too large for the log."""
        members = field_table(type(self)).write(self)
        data = canonical.encode({**members, "type": self.TYPE, "v": 1})
        if len(data) > MAX_ENTRY_BYTES:
            raise MalformedError(f"{self.TYPE}: {len(data)} bytes, at most {MAX_ENTRY_BYTES} fit into the log")
        return data
