"""Digests: what was bound since the last one is opened, laid open in a file, and fixed by an entry."""

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, and_, exists, func, insert, or_, select
from sqlalchemy.orm import aliased

from anchor.files import atomic_write
from anchor.merkle import leaf_hash
from rng_service.errors import LedgerError
from rng_service.ledger.models import (
    FAMILY_FINAL,
    FAMILY_TICKET,
    BeaconRoundRow,
    DigestRow,
    DigestTotalRow,
    GroupRow,
    LogEntryRow,
    PoolRow,
    RecordRow,
)
from rng_service.ledger.pool_returns import ReturnSum, add_returns
from rng_service.ledger.rollups import add_delta
from rng_service.ledger.sequencing import append_entry
from rng_service.ledger.statements import execute
from rng_service.log_entries import NO_DIGEST, BeaconRound, Incident, LogConfig, parse_entry
from rng_service.pools.lifecycle import State
from rng_service.records.digest import BuiltDigest, build_digests
from rng_service.records.totals import TotalsFold
from rng_service.rtp.delta import Delta
from rng_service.rtp.stakes import parse_stake_bands
from rng_service.sequencer.accounting import Drawn, add_record, drawn, first_settlements, reference_return
from rng_service.sequencer.announcing import announced_from
from rng_service.sequencer.context import Context
from rng_service.sequencer.facts import PoolFacts, PoolFactsCache
from rng_service.sequencer.groups import (
    StoredGroup,
    candidate,
    independent_batches,
    read_groups,
    records_of_group,
    ticket_bindings,
    unclaimed_groups,
)
from rng_service.sequencer.journal_marks import journal_mark
from rng_service.sequencer.keys import announce_receipt_keys
from rng_service.sequencer.opening import OpenedGroup, OpenedRecord, OpeningRefusedError, open_group
from rng_service.sequencer.refusals import record_refusal
from rng_service.sequencer.rollups import RollupMaker
from rng_service.sequencer.selection import select_groups

__all__ = ["DigestMaker", "bound_slots", "pack_digests"]

# One pass holds at most so much in memory; what is left waits for the next, which follows at once.
MAX_RECORDS: Final = 20_000
MAX_SLOTS: Final = 200_000
_MAX_GROUPS: Final = 2_048
_MOST_POOLS: Final = 10_000
_POOLS_AT_ONCE: Final = 500
_OPENINGS_AT_ONCE: Final = 3
_MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class _Head:
    """Where the chain of digests stands."""

    seq: int
    prev: bytes
    time_us: int | None
    journal: tuple[int, bytes]


@dataclass(frozen=True, slots=True)
class _Part:
    """Groups whose records share one digest (several, when a single group does not fit into one)."""

    groups: tuple[OpenedGroup, ...]
    digests: tuple[BuiltDigest, ...]


@dataclass(frozen=True, slots=True)
class _Sums:
    """What the records of a pass add up to.

    Totals by digest, what goes to the rollups by the first digest of a part, returns of the reference bet by pool.
    """

    totals: dict[int, TotalsFold]
    deltas: dict[int, Delta]
    returns: dict[int, ReturnSum]


@dataclass(slots=True)
class DigestMaker:
    """Makes digests, one pass at a time; everything it keeps is a cache of what the ledger says."""

    facts: PoolFactsCache = field(default_factory=PoolFactsCache)
    _rollups: RollupMaker | None = None
    _refused: set[int] = field(default_factory=set)
    # How many slots of each pool digests have; forgotten while it is not known whether a pass was recorded.
    _bound: dict[int, int] = field(default_factory=dict)

    def make(self, context: Context, *, force: bool = False) -> int:
        """Make the digests that are due and return how many records they have; ``force`` does not wait for the time.

        Without records it is a heartbeat, in good time before the promised one.
        """
        now_us = context.clock_us()
        with context.reading() as connection:
            head = _head(connection)
            waiting = [item for item in unclaimed_groups(connection, limit=_MAX_GROUPS) if item[0] not in self._refused]
        elapsed_us = None if head.time_us is None else now_us - head.time_us
        # A clock that was set back does not hold digests up until it has caught up with the last one.
        rested = elapsed_us is None or elapsed_us >= context.config.log.digest_interval_ms * 1_000
        due = force or rested or context.clock_us.behind
        if waiting and due:
            announce_receipt_keys(context, {key_id for _, key_id in waiting})
        opened, reached = self._open(context, waiting) if waiting and due else ([], {})
        if not opened:
            # Also while everything that waits is held up by something that the vault refused.
            half_us = context.config.log.heartbeat_s * _MICROSECONDS // 2
            if elapsed_us is None or elapsed_us >= half_us:
                self._record(context, head, now_us, [_heartbeat(context, head, now_us)])
            return 0
        # A crash up to here leaves nothing new: the vault opens the same groups again.
        context.on_step("digest.opened")
        with context.reading() as connection:
            beacon = _newest_round(connection, context)
        parts = pack_digests(opened, origin=context.origin, time_us=now_us, seq=head.seq, prev=head.prev, beacon=beacon)
        self._bound = {}
        self._record(context, head, now_us, parts)
        self._bound = reached if len(reached) <= _MOST_POOLS else {}
        return sum(len(group.records) for group in opened)

    def _open(self, context: Context, waiting: Sequence[tuple[int, str]]) -> tuple[list[OpenedGroup], dict[int, int]]:
        """Open the groups that may join now; say how far their pools are bound once they have."""
        with context.reading() as connection:
            groups, reached = self._select(connection, waiting)
            pools = {
                record.pool: self.facts.get(connection, record.pool) for group in groups for record in group.records
            }
            tickets = ticket_bindings(connection, (record for group in groups for record in group.records))
        opened = []
        with ThreadPoolExecutor(_OPENINGS_AT_ONCE, thread_name_prefix="openings") as threads:
            for batch in independent_batches(groups):
                # The vault works on the next groups while the records of this one are built.
                answers = [threads.submit(open_group, context.vault, group, pools, tickets) for group in batch]
                try:
                    opened += [answer.result() for answer in answers]
                except OpeningRefusedError as error:
                    # This group and what depends on it stays out, in the open; every other pool goes on. The next
                    # pass chooses again without it.
                    self._refused.add(error.group)
                    record_refusal(context, error)
                    return [], {}
        return opened, reached

    def _select(
        self, connection: Connection, waiting: Sequence[tuple[int, str]]
    ) -> tuple[list[StoredGroup], dict[int, int]]:
        groups: dict[int, StoredGroup] = {}
        candidates = []
        records = slots = 0
        for group in read_groups(connection, waiting):
            found = candidate(group)
            groups[group.id] = group
            candidates.append(found)
            records, slots = records + found.records, slots + found.slots
            if records >= MAX_RECORDS or slots >= MAX_SLOTS:
                break
        touched = {run.pool for group in candidates for run in (*group.binds, *group.follows)}
        # Only whoever binds a pool's first slot can come before the pools in front of it are used up.
        begun = {run.pool for group in candidates for run in group.binds if run.slot == 0}
        before = {pool: _pools_before(connection, pool) for pool in begun}
        touched.update(pool for earlier in before.values() for pool, _ in earlier)
        bound = {**self._bound, **bound_slots(connection, touched - self._bound.keys())}
        chosen = select_groups(candidates, bound, before, most_records=MAX_RECORDS, most_slots=MAX_SLOTS)
        return [groups[group] for group in chosen.groups], chosen.bound

    def _record(self, context: Context, head: _Head, now_us: int, parts: Sequence[_Part]) -> None:
        sums = self._sums(context, now_us, parts)
        journal = max([head.journal, *(group.journal for part in parts for group in part.groups)])
        for part in parts:
            for digest in part.digests:
                atomic_write(context.config.public_dir / digest.file_path, digest.file)
        # A crash right here leaves files of digests that no entry names; the same numbers are written again.
        context.on_step("digest.files")
        with context.writing() as connection:
            if _head(connection).seq != head.seq:
                raise LedgerError(f"digest {head.seq} exists already")
            _admit_gap(context, connection, head, now_us)
            for part in parts:
                _claim(connection, part)
                first = part.digests[0].entry.seq
                if first in sums.deltas:
                    add_delta(connection, first, sums.deltas[first])
                for digest in part.digests:
                    _insert(connection, digest, now_us, journal, sums.totals.get(digest.entry.seq))
            add_returns(connection, sums.returns)
        # A crash right here leaves entries that wait in the queue of the log, with their files.
        context.on_step("digest.recorded")

    def _sums(self, context: Context, now_us: int, parts: Sequence[_Part]) -> _Sums:
        records: dict[bytes, OpenedRecord] = {
            record.item.digest: record for part in parts for group in part.groups for record in group.records
        }
        if not records:
            return _Sums({}, {}, {})
        ordered = [
            (digest.entry.seq, records[item.digest])
            for part in parts
            for digest in part.digests
            for item in digest.items
        ]
        with context.reading() as connection:
            pools: dict[int, PoolFacts] = {
                record.stored.pool: self.facts.get(connection, record.stored.pool) for record in records.values()
            }
            settlements = [record.stored for _, record in ordered if record.stored.kind == "settle"]
            first = first_settlements(connection, settlements) if settlements else frozenset()
        folds: dict[int, TotalsFold] = {}
        plays: dict[int, Drawn | None] = {}
        returns: dict[int, ReturnSum] = {}
        for seq, record in ordered:
            stored = record.stored
            own = plays[stored.id] = drawn(record, pools[stored.pool])
            add_record(folds.setdefault(seq, TotalsFold()), record, pools, first, own)
            returned = reference_return(record, pools[stored.pool], own)
            if returned is not None:
                returns.setdefault(stored.pool, ReturnSum()).add(stored.slots, returned)
        return _Sums(folds, self._deltas(context, now_us, parts, pools, first, plays), returns)

    def _deltas(
        self,
        context: Context,
        now_us: int,
        parts: Sequence[_Part],
        pools: Mapping[int, PoolFacts],
        first: frozenset[int],
        plays: Mapping[int, Drawn | None],
    ) -> dict[int, Delta]:
        if not context.config.rtp.rollups:
            return {}
        if self._rollups is None:
            self._rollups = RollupMaker(parse_stake_bands(context.config.rtp.stake_bands))
        found = {}
        with context.reading() as connection:
            for part in parts:
                records = [record for group in part.groups for record in group.records]
                delta = self._rollups.delta(connection, now_us, records, pools, first, plays)
                if delta is not None:
                    found[part.digests[0].entry.seq] = delta
        return found


def pack_digests(
    groups: Sequence[OpenedGroup],
    *,
    origin: str,
    time_us: int,
    seq: int,
    prev: bytes,
    beacon: BeaconRound | None,
) -> list[_Part]:
    """Build the digests of ``groups``, in their order, so that no group is torn apart unless it alone is too large.

    Whoever looks for a record then finds it in the digest that claimed its group, or, of a torn group, in those
    that follow.
    """
    items = [record.item for group in groups for record in group.records]
    digests = build_digests(items, origin=origin, time_us=time_us, seq=seq, prev=prev, beacon=beacon)
    if len(digests) == 1 or len(groups) < 2:
        return [_Part(tuple(groups), tuple(digests))]
    middle = len(groups) // 2
    parts = pack_digests(groups[:middle], origin=origin, time_us=time_us, seq=seq, prev=prev, beacon=beacon)
    last = parts[-1].digests[-1]
    return parts + pack_digests(
        groups[middle:], origin=origin, time_us=time_us, seq=last.entry.seq + 1, prev=last.leaf, beacon=beacon
    )


def bound_slots(connection: Connection, pools: Collection[int]) -> dict[int, int]:
    """Return how many slots of each pool, from the first on, digests have: up to the first bound and unclaimed one.

    Reads the groups that no digest has yet, once, and not the pools: cheap however much there already is.
    """
    if not pools:
        return {}
    ticket = aliased(RecordRow)
    has_ticket = exists().where(
        ticket.pool_id == RecordRow.pool_id, ticket.slot == RecordRow.slot, ticket.family == FAMILY_TICKET
    )
    unclaimed = (
        select(RecordRow.pool_id, func.min(RecordRow.slot))
        .select_from(GroupRow)
        .join(RecordRow, records_of_group())
        .where(
            GroupRow.digest_seq.is_(None),
            or_(RecordRow.family == FAMILY_TICKET, and_(RecordRow.family == FAMILY_FINAL, ~has_ticket)),
        )
        .group_by(RecordRow.pool_id)
    )
    first = {row[0]: int(row[1]) for row in connection.execute(unclaimed)}
    wanted = sorted(set(pools) - first.keys())
    found = {pool: first[pool] for pool in pools if pool in first}
    for start in range(0, len(wanted), _POOLS_AT_ONCE):
        part = wanted[start : start + _POOLS_AT_ONCE]
        rows = connection.execute(select(PoolRow.id, PoolRow.next_slot).where(PoolRow.id.in_(part)))
        found.update({row[0]: row[1] for row in rows})
    return found


def _pools_before(connection: Connection, pool: int) -> list[tuple[int, int]]:
    """Return the pools before this one in its lane, and up to which slot each must be used first."""
    this = aliased(PoolRow)
    stopped = {State.QUARANTINED, State.HALTED}
    open_states = (State.SEALED, State.COMMITTED, State.TESTING, State.ACTIVATING, State.ACTIVE, *stopped)
    rows = connection.execute(
        select(PoolRow.id, PoolRow.size, PoolRow.state)
        .join(
            this,
            and_(this.stream_id == PoolRow.stream_id, this.lane == PoolRow.lane, this.number > PoolRow.number),
        )
        .where(this.id == pool, PoolRow.state.in_([state.value for state in open_states]))
    ).all()
    # Of a stopped pool nothing is used behind the slot that its pool.quarantine names, once that is queued.
    found = []
    for row in rows:
        end = announced_from(connection, row.id) if row.state in stopped else None
        found.append((row.id, row.size if end is None else end))
    return found


def _head(connection: Connection) -> _Head:
    row = connection.execute(select(DigestRow.__table__).order_by(DigestRow.seq.desc()).limit(1)).one_or_none()
    if row is None:
        return _Head(0, NO_DIGEST, None, journal_mark(connection))
    return _Head(row.seq + 1, leaf_hash(bytes(row.entry)), row.created_us, journal_mark(connection))


def _admit_gap(context: Context, connection: Connection, head: _Head, now_us: int) -> None:
    """Say in the log that a heartbeat was missed, before the digest that shows it."""
    since_us = _log_began_us(connection) if head.time_us is None else head.time_us
    if now_us - since_us <= context.config.log.heartbeat_s * _MICROSECONDS:
        return
    append_entry(connection, Incident(origin=context.origin, time_us=now_us, kind="outage", reason="heartbeat-missed"))


def _log_began_us(connection: Connection) -> int:
    data = connection.execute(select(LogEntryRow.entry).where(LogEntryRow.type == LogConfig.TYPE)).scalar_one()
    return parse_entry(bytes(data)).time_us


def _heartbeat(context: Context, head: _Head, now_us: int) -> _Part:
    with context.reading() as connection:
        beacon = _newest_round(connection, context)
    digests = build_digests([], origin=context.origin, time_us=now_us, seq=head.seq, prev=head.prev, beacon=beacon)
    return _Part((), tuple(digests))


def _newest_round(connection: Connection, context: Context) -> BeaconRound | None:
    if context.chain is None:
        return None
    chain = context.chain.chain_hash
    newest = connection.execute(select(func.max(BeaconRoundRow.round)).where(BeaconRoundRow.chain == chain)).scalar()
    return None if newest is None else BeaconRound(chain, int(newest))


def _claim(connection: Connection, part: _Part) -> None:
    seq = part.digests[0].entry.seq
    for group in part.groups:
        claimed = execute(
            connection,
            "UPDATE commit_groups SET digest_seq = ?, secrets = ?, signature = ? WHERE id = ? AND digest_seq IS NULL",
            (seq, group.secrets, group.signature, group.id),
        )
        if claimed.rowcount != 1:
            raise LedgerError(f"group {group.id} joined another digest")


def _insert(
    connection: Connection,
    digest: BuiltDigest,
    now_us: int,
    journal: tuple[int, bytes],
    totals: TotalsFold | None,
) -> None:
    entry = digest.entry
    connection.execute(
        insert(DigestRow).values(
            seq=entry.seq,
            entry=digest.data,
            log_entry_id=append_entry(connection, entry),
            created_us=now_us,
            journal_sequence=journal[0],
            journal_head=journal[1],
        )
    )
    rows = () if totals is None else totals.rows()
    if rows:
        connection.execute(
            insert(DigestTotalRow),
            [
                {
                    "digest_seq": entry.seq,
                    "game": row.game,
                    "version": row.version,
                    "program": row.program,
                    "play_class": row.play_class,
                    "currency": row.currency,
                    "outcomes": row.outcomes,
                    "plays": row.plays,
                    "stake_minor": str(row.stake_minor),
                    "payout_minor": str(row.payout_minor),
                    "unsettled": row.unsettled,
                }
                for row in rows
            ],
        )
