"""The records of an export, taken digest by digest while the log is audited."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import BinaryIO

from anchor.errors import VerificationError
from rng_service.log_entries import Digest, RecordRange, Totals
from rng_service.names import Stream, lane_of, parse_pool_id
from rng_service.records.digest import DigestItem, ranges_of
from rng_service.records.export import ExportHeader, ExportLine, read_lines, stated_text
from rng_service.records.totals import TotalsFold
from rng_service.verify.audit import Audit, AuditObserver
from rng_service.verify.evaluation import PoolEvaluator
from rng_service.verify.export_totals import ExportTotals
from rng_service.verify.fault import located, require
from rng_service.verify.opened import OpenedRecord, read_record
from rng_service.verify.outages import due_after
from rng_service.verify.pools import PoolState
from rng_service.verify.registry import MICROSECONDS
from rng_service.verify.sessions import SessionKey, SessionNumbers
from rng_service.verify.settlements import Settlements
from rng_service.verify.tickets import OpenTickets

# Pools in lane order: tickets first, so that a draw of the same digest finds its own.
_TURN = {"ticket": 0, "draw": 1, "void": 2, "settle": 3}

# So many late records are named one by one; the others are counted.
_MOST_LATE = 100


@dataclass(slots=True)
class _OpenPool:
    """What is constant for a pool, and the voids whose secrets its close must open."""

    state: PoolState
    stream: Stream
    evaluator: PoolEvaluator
    leaves: bytes
    lane_counts: set[int]
    voids: list[tuple[int, int, bytes]] = field(default_factory=list)


class ExportRecords(AuditObserver):
    """Holds each record to its digest, and everything that a record states to what follows from it."""

    def __init__(self, header: ExportHeader, stream: BinaryIO, named: set[bytes], path: str) -> None:
        self._header = header
        self._path = path
        self._lines = read_lines(stream)
        self._line: ExportLine | None = next(self._lines, None)
        self._line_number = 2
        from_start = header.from_digest == 0
        self._complete_from_start = from_start and header.complete
        self._pools: dict[str, _OpenPool] = {}
        self._tickets = OpenTickets()
        self._settlements = Settlements(named, self._complete_from_start)
        self._totals = ExportTotals(header)
        self._newest_us = 0
        self._seen_to = -1
        self._late = 0
        self._late_records: list[str] = []
        self.sessions = SessionNumbers(from_start=from_start)
        self.counts = dict.fromkeys(_TURN, 0)
        self.outcomes = 0

    @property
    def totals_checked(self) -> int:
        """How many totals entries came out the same."""
        return self._totals.checked

    # What the audit tells.

    def begin(self, audit: Audit) -> None:
        """Keep the audit, whose state says what a record's pool is."""
        self._audit = audit

    def on_digest(self, entry: Digest, file: bytes) -> None:
        """Take the records of one digest from the export."""
        header = self._header
        if not header.from_digest <= entry.seq <= header.to_digest:
            return
        self._seen_to, self._newest_us = entry.seq, entry.time_us
        with located(path=self._path):
            records = list(self._records_of(entry, file))
            self._check_ranges(entry, records)
            self._take(entry, records)

    def on_totals(self, entry: Totals) -> None:
        """Compare totals with what the records add up to."""
        self._totals.compare(entry, known_settlements=not self._settlements.unknown)

    def on_pool_closed(self, state: PoolState, voids: list[tuple[int, bytes]]) -> None:
        """Compare what void records said with what the close opened."""
        pool = self._pools.pop(state.commit.pool, None)
        if pool is None or not pool.voids:
            return
        secrets = dict(voids)
        for slot, slots, opened in pool.voids:
            found = sha256(b"".join(secrets.get(number, b"") for number in range(slot, slot + slots))).digest()
            require(
                found == opened,
                "void-opened",
                f"{state.commit.pool}: the voids from slot {slot} on hash to {found.hex()}, "
                f"their record says {opened.hex()}",
            )

    def finish(self) -> list[str]:
        """Check what only the end can tell; return notes for people."""
        origin = self._audit.registry.require_config().origin
        require(
            origin == self._header.origin,
            "export-origin",
            f"the export is of {self._header.origin}, the log is {origin}",
        )
        require(
            self._seen_to == self._header.to_digest,
            "export-range",
            f"the export ends with digest {self._header.to_digest}, the log has none after {self._seen_to}",
        )
        require(
            self._line is None,
            "export-order",
            f"line {self._line_number} is of a digest that was passed, or lies outside the export",
        )
        delay_us = self._audit.registry.require_config().merge_delay_s * MICROSECONDS
        late = self.sessions.finish(self._newest_us, delay_us)
        unseen = self._tickets.finish(complete_from_start=self._complete_from_start)
        notes = {
            "sessions with a number that may still come": late,
            "draws on tickets that are not in the export": unseen,
            "settlements of draws that are not in the export": self._settlements.unknown,
            "records late by an outage that the operator admitted": self._late,
        }
        counted = [f"{text}: {number}" for text, number in notes.items() if number]
        return [*(f"outage: {item.text()}" for item in self._audit.digests.outages), *counted, *self._late_records]

    # One digest.

    def _records_of(self, entry: Digest, file: bytes) -> Iterator[tuple[ExportLine, OpenedRecord]]:
        """Yield the records of a digest once each is known to stand in it, in its place."""
        position, size, complete = 0, len(file), self._header.complete
        while (line := self._line) is not None and line.digest == entry.seq:
            with located(path=f"{self._path}, line {self._line_number}"):
                record = read_record(line.record)
            if line.stated and record.kind != "draw":
                raise VerificationError("outcome", f"line {self._line_number}: a {record.kind} has no outcome")
            if complete:
                found = position if file[position : position + 32] == record.digest else -1
            else:
                found = _find(file, record.digest, position)
            if found < 0:
                raise VerificationError(
                    "record-digest",
                    f"line {self._line_number}: {record.digest.hex()} is not the record of digest "
                    f"{entry.seq} that stands here",
                )
            position = found + 32
            yield line, record
            self._line = next(self._lines, None)
            self._line_number += 1
        if complete and position != size:
            raise VerificationError(
                "record-lost",
                f"digest {entry.seq} has {size // 32} records, the export only {position // 32} of them",
            )

    def _check_ranges(self, entry: Digest, records: list[tuple[ExportLine, OpenedRecord]]) -> None:
        # Pool ids are ASCII, so that their order as text is their order as bytes.
        keys = [(record.pool, record.slot, record.kind, record.digest) for _, record in records]
        require(keys == sorted(keys), "digest-order", f"the records of digest {entry.seq} are not sorted")
        if self._header.complete:
            found = ranges_of(
                [
                    DigestItem(record.pool, record.slot, record.slots, record.kind, record.digest)
                    for _, record in records
                ]
            )
            if found != entry.ranges:
                raise VerificationError(
                    "digest-ranges", f"digest {entry.seq}: {_first_difference(found, entry.ranges)}"
                )

    def _take(self, entry: Digest, records: list[tuple[ExportLine, OpenedRecord]]) -> None:
        fold = TotalsFold()
        seen: list[tuple[SessionKey, int, int, bool]] = []
        delay_us = self._audit.registry.require_config().merge_delay_s * MICROSECONDS
        earliest_us = entry.time_us - delay_us
        for line, record in sorted(records, key=_turn):
            binding, kind = record.binding, record.kind
            if binding["bind_time"] < earliest_us:
                self._check_excused(entry, record, delay_us)
            if "session" in binding:
                self._session(record, seen)
            self.counts[kind] += 1
            if kind == "draw":
                self._draw(line, record, fold)
            elif kind == "ticket":
                self._ticket(record)
            elif kind == "void":
                self._void(record)
            else:
                self._settle(record, fold)
        self.sessions.take(seen)
        self._totals.digest(entry.seq, fold)

    def _check_excused(self, entry: Digest, record: OpenedRecord, delay_us: int) -> None:
        """Check that a record which comes late was due in an outage that the operator admitted."""
        bind_us = record.binding["bind_time"]
        if due_after(self._audit.digests.outages, bind_us + delay_us, delay_us) < entry.time_us:
            raise VerificationError(
                "merge-delay",
                f"slot {record.slot} of {record.pool}: bound at {bind_us}, in digest {entry.seq} of {entry.time_us}",
            )
        self._late += 1
        if self._late <= _MOST_LATE:
            self._late_records.append(f"late by an outage: {record.kind} of slot {record.slot} of {record.pool}")

    # One record.

    def _draw(self, line: ExportLine, record: OpenedRecord, fold: TotalsFold) -> None:
        pool, binding, slot = self._pool(record), record.binding, record.slot
        self._check_slots(pool, record)
        if pool.evaluator.leaves(slot, record.secrets) != pool.leaves[32 * slot : 32 * (slot + record.slots)]:
            raise VerificationError(
                "slot-leaf", f"slot {slot} of {record.pool}: the secret does not give the slot's leaf"
            )
        outcomes = pool.evaluator.outcomes(slot, record.secrets, record.client_seed)
        payouts = None
        if "bet" in binding and "stake_minor" in binding:
            payouts = pool.evaluator.payouts(binding["bet"], binding["stake_minor"], outcomes)
        flat = outcomes[0] if len(outcomes) == 1 else [value for outcome in outcomes for value in outcome]
        expected = stated_text(flat, payouts)
        if expected != line.stated:
            same = expected.partition(b"]")[0] == line.stated.partition(b"]")[0]
            raise VerificationError(
                "payouts" if same else "outcome",
                f"slot {slot} of {record.pool}: the record gives {_text(expected)}, "
                f"the export states {_text(line.stated)}",
            )
        self.outcomes += record.slots
        self._tickets.draw(record)
        self._settlements.drawn(record, outcomes, payouts, pool.evaluator)
        currency = binding.get("currency", "")
        if payouts is None:
            fold.outcomes(pool.stream, currency, record.slots)
        else:
            fold.plays(
                pool.stream,
                currency,
                record.slots,
                stake_minor=binding["stake_minor"] * record.slots,
                payout_minor=sum(payouts),
            )

    def _ticket(self, record: OpenedRecord) -> None:
        self._check_slots(self._pool(record), record)
        self._tickets.ticket(record)

    def _void(self, record: OpenedRecord) -> None:
        self._tickets.void(record)
        self._pool(record).voids.append((record.slot, record.slots, record.opened))

    def _settle(self, record: OpenedRecord, fold: TotalsFold) -> None:
        binding = record.binding
        first = self._settlements.take(record)
        fold.settlement(
            parse_pool_id(record.pool).stream,
            binding["currency"],
            status=binding["status"],
            stake_minor=binding["stake_minor"],
            payout_minor=binding["payout_minor"],
            first=first,
        )

    def _check_slots(self, pool: _OpenPool, record: OpenedRecord) -> None:
        commit = pool.state.commit
        if record.binding["program"] != commit.program:
            raise VerificationError(
                "pool-program",
                f"slot {record.slot} of {record.pool}: bound for the program {record.binding['program']}",
            )

    def _pool(self, record: OpenedRecord) -> _OpenPool:
        pool = self._pools.get(record.pool)
        if pool is None:
            state = self._audit.pools.require_open(record.pool)
            if state.activation is None:
                raise VerificationError("pool-inactive", f"{record.pool} is not activated yet")
            evaluator = PoolEvaluator(state.commit, state.commit_leaf, state.beacon, state.game)
            stream = state.pool_id.stream
            lane_counts = self._audit.registry.lane_counts[str(stream)]
            pool = _OpenPool(state, stream, evaluator, self._audit.pools.leaves(state), lane_counts)
            self._pools[record.pool] = pool
        return pool

    def _session(self, record: OpenedRecord, seen: list[tuple[SessionKey, int, int, bool]]) -> None:
        binding = record.binding
        key = binding["caller"], binding["session"]
        seen.append((key, binding["session_seq"], binding["bind_time"], "ticket" in binding))
        pool = self._pool(record)
        counts = pool.lane_counts
        if counts != {1}:
            lane = pool.state.pool_id.lane
            require(
                lane in {lane_of(*key, count) for count in counts},
                "lane-choice",
                f"session {key[1]} of {key[0]} does not belong to lane {lane} of {pool.stream}",
            )


def _turn(pair: tuple[ExportLine, OpenedRecord]) -> int:
    return _TURN[pair[1].kind]


def _text(stated: bytes) -> str:
    return stated[:200].decode("ascii") or "nothing"


def _find(file: bytes, digest: bytes, start: int) -> int:
    at = file.find(digest, start)
    while at % 32 and at >= 0:
        at = file.find(digest, at + 1)
    return at


def _first_difference(found: tuple[RecordRange, ...], stated: tuple[RecordRange, ...]) -> str:
    for ours, theirs in zip(found, stated, strict=False):
        if ours != theirs:
            return f"its records give {_shown(ours)}, it states {_shown(theirs)}"
    return f"its records give {len(found)} ranges, it states {len(stated)}"


def _shown(item: RecordRange) -> str:
    where = "" if item.slot is None else f" slots {item.slot}+{item.slots}"
    return f"{item.records} {item.kind} of {item.pool}{where}"
