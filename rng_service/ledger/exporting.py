"""Exports from the ledger: every record of a run of digests, with what followed from it, for an auditor's own totals.

The file is that of PROTOCOL.md, section 12. It is written digest by digest, so its size is bounded by the disk only.
"""

import json
from collections.abc import Iterator
from hashlib import sha256
from typing import BinaryIO, NamedTuple

from sqlalchemy import Connection, Engine, func, select

from anchor import canonical
from rng_service.errors import ConfigError, LedgerError
from rng_service.games import parse_game
from rng_service.games.files import GameFiles
from rng_service.ledger.engine import reading
from rng_service.ledger.models import DigestRow, GameRow, GroupRow, PoolRow, StreamRow
from rng_service.ledger.reading import StoredGroup, read_group
from rng_service.ledger.tasks import BoundRecord
from rng_service.log_entries import Digest, PoolCommit, parse_entry
from rng_service.records.digest import DigestItem, build_digests
from rng_service.records.export import ExportHeader, ExportLine, draw_line, write_export
from rng_service.records.record import draw_record, record_digest, settle_record, ticket_record, void_record
from rng_service.verify.evaluation import PoolEvaluator

__all__ = ["digest_range", "export_digests", "read_digests"]

_SLOT_BYTES = 32


def digest_range(engine: Engine) -> tuple[int, int]:
    """Return the first and last digest in the ledger; raises LedgerError when there is none yet."""
    with reading(engine) as connection:
        first, last = connection.execute(select(func.min(DigestRow.seq), func.max(DigestRow.seq))).one()
    if first is None:
        raise LedgerError("the ledger has no digest yet: let the service run first")
    return first, last


def export_digests(
    engine: Engine,
    stream: BinaryIO,
    *,
    origin: str,
    first: int,
    last: int,
    session: tuple[str, str] | None = None,
    files: GameFiles | None = None,
) -> int:
    """Write the export of the digests ``first`` … ``last`` and return the number of records in it.

    With ``session``, a (caller, session) pair, only that session's draws and tickets, and the export says that it is
    not complete. ``files`` are those that game definitions name. Raises ConfigError for digests that the ledger does
    not have, LedgerError for rows that contradict each other.
    """
    known_first, known_last = digest_range(engine)
    if not known_first <= first <= last <= known_last:
        raise ConfigError(f"digests {first} to {last}: the ledger has {known_first} to {known_last}")
    header = ExportHeader(origin=origin, from_digest=first, to_digest=last, complete=session is None)
    return write_export(stream, header, _Export(engine, session, files).lines(first, last))


def read_digests(
    engine: Engine, first: int, last: int, *, files: GameFiles | None = None
) -> Iterator[list[ExportLine]]:
    """Yield the lines of each of the digests ``first`` … ``last``, held against the root that the log has of it."""
    export = _Export(engine, None, files)
    for seq in range(first, last + 1):
        yield list(export.lines(seq, seq))


class _Claim(NamedTuple):
    """The records of the groups that joined one digest, cut as that digest was when it was too long for one entry."""

    seq: int
    parts: list[list[ExportLine]]


class _Export:
    """Reads digests back; keeps what is constant for each pool that it met."""

    def __init__(self, engine: Engine, session: tuple[str, str] | None, files: GameFiles | None) -> None:
        self._engine = engine
        self._files = files
        self._session = session
        self._evaluators: dict[int, PoolEvaluator] = {}
        self._claim = _Claim(-1, [])

    def lines(self, first: int, last: int) -> Iterator[ExportLine]:
        for seq in range(first, last + 1):
            # A transaction for each digest: an export of years must not hold one snapshot open.
            with reading(self._engine) as connection:
                yield from self._digest(connection, seq)

    def _digest(self, connection: Connection, seq: int) -> list[ExportLine]:
        entry = _digest_entry(connection, seq)
        if not entry.counts.total:
            return []
        # A digest that was cut has its groups at the number of the first part.
        claimed = connection.scalar(select(func.max(GroupRow.digest_seq)).where(GroupRow.digest_seq <= seq))
        if claimed is None:
            raise LedgerError(f"digest {seq} has records, and no commit group joined it")
        if self._claim.seq != claimed:
            self._claim = _Claim(claimed, self._parts(connection, claimed))
        if seq - claimed >= len(self._claim.parts):
            raise LedgerError(f"digest {seq} has records that no commit group gives")
        part = self._claim.parts[seq - claimed]
        return [line._replace(digest=seq) for line in part if self._session is None or self._wanted(line)]

    def _parts(self, connection: Connection, seq: int) -> list[list[ExportLine]]:
        lines: dict[bytes, ExportLine] = {}
        items: list[DigestItem] = []
        query = select(GroupRow.id).where(GroupRow.digest_seq == seq).order_by(GroupRow.id)
        for group_id in connection.scalars(query).all():
            for record, secrets in _opened(read_group(connection, group_id)):
                line = self._line(connection, record, secrets)
                digest = record_digest(line.record)
                lines[digest] = line
                items.append(DigestItem(record.pool_id, record.slot, record.count, record.kind, digest))
        entry = _digest_entry(connection, seq)
        built = build_digests(
            items, origin=entry.origin, time_us=entry.time_us, seq=seq, prev=entry.prev, beacon=entry.beacon
        )
        if built[0].entry.root != entry.root:
            raise LedgerError(f"the records in the ledger do not give the root of digest {seq}")
        return [[lines[item.digest] for item in digest.items] for digest in built]

    def _wanted(self, line: ExportLine) -> bool:
        binding = json.loads(line.record)["binding"]
        return (binding.get("caller"), binding.get("session")) == self._session

    def _line(self, connection: Connection, record: BoundRecord, secrets: bytes) -> ExportLine:
        match record.kind:
            case "ticket":
                return ExportLine(0, ticket_record(record.binding))
            case "void":
                return ExportLine(0, void_record(record.binding, secrets))
            case "settle":
                return ExportLine(0, settle_record(record.binding))
        binding = json.loads(record.binding)
        evaluator = self._evaluator(connection, record.pool)
        seed = bytes.fromhex(binding.get("client_seed", ""))
        outcomes = evaluator.outcomes(record.slot, secrets, seed)
        payouts = None
        stake = binding.get("stake_minor")
        if "bet" in binding and isinstance(stake, int):
            payouts = tuple(evaluator.payouts(binding["bet"], stake, outcomes))
        flat = tuple(value for outcome in outcomes for value in outcome)
        return draw_line(0, draw_record(record.binding, secrets), flat, payouts)

    def _evaluator(self, connection: Connection, pool: int) -> PoolEvaluator:
        found = self._evaluators.get(pool)
        if found is None:
            found = self._evaluators[pool] = _read_evaluator(connection, pool, self._files)
        return found


def _digest_entry(connection: Connection, seq: int) -> Digest:
    data = connection.scalar(select(DigestRow.entry).where(DigestRow.seq == seq))
    entry = None if data is None else parse_entry(bytes(data))
    if not isinstance(entry, Digest):
        raise LedgerError(f"digest {seq} is not in the ledger")
    return entry


def _read_evaluator(connection: Connection, pool: int, files: GameFiles | None) -> PoolEvaluator:
    row = connection.execute(
        select(PoolRow.commit_entry, PoolRow.activate_entry, GameRow.definition)
        .join(StreamRow, StreamRow.id == PoolRow.stream_id)
        .join(GameRow, GameRow.id == StreamRow.game_id)
        .where(PoolRow.id == pool)
    ).one()
    commit = parse_entry(bytes(row.commit_entry))
    if not isinstance(commit, PoolCommit) or row.activate_entry is None:
        raise LedgerError(f"pool row {pool} was drawn from, but has no commitment and activation")
    activation = canonical.decode_object(bytes(row.activate_entry), what=f"activation of {commit.pool}")
    beacon = bytes.fromhex(activation.get("beacon_value", ""))
    leaf = sha256(b"\x00" + bytes(row.commit_entry)).digest()
    return PoolEvaluator(commit, leaf, beacon, parse_game(bytes(row.definition), files))


def _opened(group: StoredGroup) -> Iterator[tuple[BoundRecord, bytes]]:
    """Yield the records of a group with their secrets, which stand in the ledger in record order."""
    if group.secrets is None:
        raise LedgerError(f"commit group {group.id} is in a digest and has no secrets")
    position = 0
    for record in group.records:
        size = _SLOT_BYTES * record.count if record.kind in {"draw", "void"} else 0
        yield record, group.secrets[position : position + size]
        position += size
