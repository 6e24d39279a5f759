"""Rollups and returns of pools made again from the records, in one transaction: the fold of the digests once more."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from rng_service.errors import LedgerError
from rng_service.games.files import GameFiles
from rng_service.ledger.models import DigestRow, GroupRow
from rng_service.ledger.pool_returns import ReturnSum, add_returns, clear_returns
from rng_service.ledger.rollups import clear_rollups, plan_fold
from rng_service.log_entries import Digest, parse_entry
from rng_service.records.digest import DigestItem, build_digests
from rng_service.records.record import draw_record, record_digest, settle_record, ticket_record, void_record
from rng_service.rtp.delta import Delta
from rng_service.rtp.stakes import StakeBands
from rng_service.sequencer.accounting import drawn, first_settlements, reference_return
from rng_service.sequencer.facts import PoolFactsCache
from rng_service.sequencer.groups import StoredRecord, read_groups
from rng_service.sequencer.opening import OpenedRecord
from rng_service.sequencer.rollups import RollupMaker

__all__ = ["rebuild_rollups"]

_DIGESTS_AT_ONCE = 64
_SECRET = 32


class Rebuilt(NamedTuple):
    """How much a rebuild went through."""

    digests: int
    records: int


def rebuild_rollups(
    connection: Connection,
    bands: StakeBands,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
    files: GameFiles | None = None,
) -> Rebuilt:
    """Delete the rollups and fold the records of every digest again, inside the caller's transaction.

    What each pool returned is made again with them. The caller makes sure that nobody makes digests meanwhile. Tags
    that were erased since are gone from the rows.
    ``progress`` is told the digests done and their number; ``files`` are those that definitions name. A crash before
    the commit leaves the rollups as they were. Raises LedgerError for rows that contradict each other.
    """
    clear_rollups(connection)
    clear_returns(connection)
    newest = connection.execute(select(func.max(DigestRow.seq))).scalar()
    records = 0
    fold = _Refold(connection, bands, files)
    deltas: list[tuple[int, Delta]] = []
    for seq in _claims(connection):
        delta, read = fold.delta(seq)
        records += read
        if delta is not None:
            deltas.append((seq, delta))
        if len(deltas) == _DIGESTS_AT_ONCE:
            _write(connection, deltas)
            deltas = []
            progress(seq, int(newest or 0))
    _write(connection, deltas)
    return Rebuilt(0 if newest is None else int(newest) + 1, records)


def _write(connection: Connection, deltas: Sequence[tuple[int, Delta]]) -> None:
    plan = plan_fold(connection, deltas)
    # These deltas never stood in the ledger, so none has to disappear.
    plan.digests.clear()
    plan.write(connection)


def _claims(connection: Connection) -> Iterator[int]:
    """Yield the digests that groups joined, in order; what one could not hold is in those behind it."""
    after = -1
    while True:
        seq = connection.execute(select(func.min(GroupRow.digest_seq)).where(GroupRow.digest_seq > after)).scalar()
        if seq is None:
            return
        yield int(seq)
        after = int(seq)


class _Refold:
    def __init__(self, connection: Connection, bands: StakeBands, files: GameFiles | None) -> None:
        self._connection = connection
        self._facts = PoolFactsCache(files)
        self._rollups = RollupMaker(bands)

    def delta(self, seq: int) -> tuple[Delta | None, int]:
        """Return what the records that joined the digest ``seq`` add, and how many they are."""
        entry = self._entry(seq)
        records = list(self._records(seq))
        pools = {record.stored.pool: self._facts.get(self._connection, record.stored.pool) for record in records}
        settlements = _in_digest_order(records, entry)
        first = first_settlements(self._connection, settlements, before=seq) if settlements else frozenset()
        plays = {record.stored.id: drawn(record, pools[record.stored.pool]) for record in records}
        returns: dict[int, ReturnSum] = {}
        for record in records:
            stored = record.stored
            returned = reference_return(record, pools[stored.pool], plays[stored.id])
            if returned is not None:
                returns.setdefault(stored.pool, ReturnSum()).add(stored.slots, returned)
        add_returns(self._connection, returns)
        return self._rollups.delta(self._connection, entry.time_us, records, pools, first, plays), len(records)

    def _entry(self, seq: int) -> Digest:
        data = self._connection.execute(select(DigestRow.entry).where(DigestRow.seq == seq)).scalar()
        entry = None if data is None else parse_entry(bytes(data))
        if not isinstance(entry, Digest):
            raise LedgerError(f"commit groups joined digest {seq}, which is not in the ledger")
        return entry

    def _records(self, seq: int) -> Iterator[OpenedRecord]:
        rows = self._connection.execute(
            select(GroupRow.id, GroupRow.key_id, GroupRow.secrets)
            .where(GroupRow.digest_seq == seq)
            .order_by(GroupRow.id)
        ).all()
        secrets = {row.id: bytes(row.secrets or b"") for row in rows}
        for group in read_groups(self._connection, [(row.id, row.key_id) for row in rows]):
            at = 0
            for stored in group.records:
                size = _SECRET * stored.slots if stored.kind in {"draw", "void"} else 0
                opened = secrets[group.id][at : at + size]
                at += size
                name = self._facts.get(self._connection, stored.pool).name
                item = DigestItem(name, stored.slot, stored.slots, stored.kind, _digest(stored, opened))
                yield OpenedRecord(stored, opened if stored.kind in {"draw", "void"} else b"", item)


def _in_digest_order(records: Sequence[OpenedRecord], entry: Digest) -> list[StoredRecord]:
    """Return the settlements in the order in which they stand in their digests."""
    settlements = {record.item.digest: record.stored for record in records if record.stored.kind == "settle"}
    if not settlements:
        return []
    items = [record.item for record in records]
    built = build_digests(
        items, origin=entry.origin, time_us=entry.time_us, seq=entry.seq, prev=entry.prev, beacon=entry.beacon
    )
    return [settlements[item.digest] for digest in built for item in digest.items if item.digest in settlements]


def _digest(record: StoredRecord, secrets: bytes) -> bytes:
    match record.kind:
        case "draw":
            return record_digest(draw_record(record.binding, secrets))
        case "void":
            return record_digest(void_record(record.binding, secrets))
        case "ticket":
            return record_digest(ticket_record(record.binding))
    return record_digest(settle_record(record.binding))
