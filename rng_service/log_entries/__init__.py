"""The entries of the log: one frozen dataclass for each type of PROTOCOL.md, sections 5, 9 and 10.

An entry is canonical JSON below 65,536 bytes. Its members are the fields of its class beside ``type`` and
``v``; its leaf hash is SHA-256(0x00 || bytes). `parse_entry` is strict; whoever needs the hash of an entry
that was read uses the bytes that were read, never `Entry.to_bytes`.
"""

from anchor import canonical
from anchor.errors import MalformedError
from rng_service.log_entries.base import MAX_ENTRY_BYTES, Entry, field_table
from rng_service.log_entries.digests import (
    MAX_DIGEST_RECORDS,
    NO_DIGEST,
    RECORD_KINDS,
    Digest,
    RecordCounts,
    RecordRange,
)
from rng_service.log_entries.games import GamePar, GameRegistration, StreamLanes
from rng_service.log_entries.incidents import Incident
from rng_service.log_entries.log import (
    MAX_BEACON_MARGIN_S,
    MAX_CLOSE_DELAY_S,
    MAX_HEARTBEAT_S,
    MAX_MERGE_DELAY_S,
    BeaconChainEntry,
    KeyRotation,
    LogConfig,
    ReceiptKey,
)
from rng_service.log_entries.pools import (
    BeaconRound,
    BeaconRoundField,
    DealApprove,
    PoolActivate,
    PoolClose,
    PoolCommit,
    PoolErase,
    PoolQuarantine,
    PoolTest,
    PoolVoid,
)
from rng_service.log_entries.rtp import RtpAlarm
from rng_service.log_entries.statistics import StatsBegin, StatsReport
from rng_service.log_entries.tables import RtpTable
from rng_service.log_entries.totals import CommittedRow, CommittedTotals, Totals, TotalsRow

__all__ = [
    "ENTRY_TYPES",
    "MAX_BEACON_MARGIN_S",
    "MAX_CLOSE_DELAY_S",
    "MAX_DIGEST_RECORDS",
    "MAX_ENTRY_BYTES",
    "MAX_HEARTBEAT_S",
    "MAX_MERGE_DELAY_S",
    "NO_DIGEST",
    "RECORD_KINDS",
    "BeaconChainEntry",
    "BeaconRound",
    "BeaconRoundField",
    "CommittedRow",
    "CommittedTotals",
    "DealApprove",
    "Digest",
    "Entry",
    "GamePar",
    "GameRegistration",
    "Incident",
    "KeyRotation",
    "LogConfig",
    "PoolActivate",
    "PoolClose",
    "PoolCommit",
    "PoolErase",
    "PoolQuarantine",
    "PoolTest",
    "PoolVoid",
    "ReceiptKey",
    "RecordCounts",
    "RecordRange",
    "RtpAlarm",
    "RtpTable",
    "StatsBegin",
    "StatsReport",
    "StreamLanes",
    "Totals",
    "TotalsRow",
    "parse_entry",
]

ENTRY_TYPES: dict[str, type[Entry]] = {
    kind.TYPE: kind
    for kind in (
        LogConfig,
        ReceiptKey,
        KeyRotation,
        BeaconChainEntry,
        GameRegistration,
        GamePar,
        StreamLanes,
        PoolCommit,
        PoolActivate,
        PoolTest,
        PoolQuarantine,
        PoolClose,
        PoolVoid,
        PoolErase,
        DealApprove,
        Digest,
        Totals,
        RtpTable,
        RtpAlarm,
        StatsBegin,
        StatsReport,
        Incident,
    )
}


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
    if kind is Totals and members.get("policy") == "committed":
        kind = CommittedTotals
    entry: Entry = field_table(kind).read(members)
    return entry
