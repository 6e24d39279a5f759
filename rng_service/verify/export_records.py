"""The records of an export, taken digest by digest while the log is audited."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import BinaryIO

from anchor.errors import MalformedError, VerificationError
from rng_service.games.placing import is_plain
from rng_service.games.rounds import awards_features
from rng_service.log_entries import CommittedTotals, Digest, PoolErase, RecordRange, Totals
from rng_service.names import Stream, lane_of, parse_pool_id
from rng_service.outcome.primitives import Outcome
from rng_service.records.digest import DigestItem, ranges_of, sort_key
from rng_service.records.export import ExportHeader, ExportLine, read_lines, stated_text
from rng_service.records.totals import TotalsFold
from rng_service.verify.audit import Audit, AuditObserver
from rng_service.verify.bindings import BindingsDigest
from rng_service.verify.clock import CLOCK_TOLERANCE_US
from rng_service.verify.coverage import Coverage
from rng_service.verify.deals import check_deal_record
from rng_service.verify.evaluation import PoolEvaluator
from rng_service.verify.export_tables import ExportTables
from rng_service.verify.export_totals import ExportTotals
from rng_service.verify.fault import Fault, located, require
from rng_service.verify.opened import OpenedRecord, read_record
from rng_service.verify.outages import due_after
from rng_service.verify.place import check_place
from rng_service.verify.pools import PoolState
from rng_service.verify.receipt_digest import check_bind_time
from rng_service.verify.rounds import Rounds, SeenStep, require_alone, step_of
from rng_service.verify.rtp_tables import CheckedTable
from rng_service.verify.seeds import Seeds
from rng_service.verify.sessions import SessionKey, SessionNumbers
from rng_service.verify.settlements import Settlements
from rng_service.verify.tickets import OpenTickets
from rng_service.verify.verdicts import Verdicts

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
    coverage: Coverage
    # There from the pool's first binding on, in a complete export.
    bindings: BindingsDigest | None
    # Whether the program is only drawn in rounds.
    in_rounds: bool
    # As the records open them, where they open all and the pool was tested.
    secrets: bytearray | None
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
        self._tables = ExportTables(header)
        self._newest_us = 0
        self._seen_to = -1
        self._seeds = Seeds()
        # By how many lanes the records of this digest may follow, by stream.
        self._lanes: dict[Stream, tuple[int, ...]] = {}
        # How many slots of each pool ended in this digest.
        self._ended: dict[str, int] = {}
        # Of pools that are closed and not erased yet: what the records say they were opened for.
        self._closed: dict[str, BindingsDigest] = {}
        self.bindings_checked = 0
        self.verdicts = Verdicts()
        self._late = 0
        self._late_records: list[str] = []
        self.sessions = SessionNumbers(from_start=from_start)
        self.rounds = Rounds(from_start=from_start)
        self.counts = dict.fromkeys(_TURN, 0)
        self.outcomes = 0

    @property
    def tables_checked(self) -> int:
        """How many tables of returns are what the records give."""
        return self._tables.checked

    @property
    def totals_checked(self) -> int:
        """How many totals entries came out the same."""
        return self._totals.checked

    # What the audit tells.

    def begin(self, audit: Audit) -> None:
        """Keep the audit, whose state says what a record's pool is."""
        self._audit = audit
        self._tables.begin(audit.tables.definition)

    def on_digest(self, entry: Digest, file: bytes) -> None:
        """Take the records of one digest from the export."""
        header = self._header
        if not header.from_digest <= entry.seq <= header.to_digest:
            return
        self._seen_to, self._newest_us = entry.seq, entry.time_us
        self._lanes.clear()
        self._ended = _ended_slots(entry)
        with located(path=self._path):
            records = list(self._records_of(entry, file))
            self._check_ranges(entry, records)
            self._take(entry, records)

    def on_totals(self, entry: Totals | CommittedTotals, opened: Totals | None) -> None:
        """Compare totals with what the records add up to."""
        self._totals.compare(entry, opened, known_settlements=not self._settlements.unknown)
        self._tables.totals(entry)

    def on_table(self, table: CheckedTable) -> None:
        """Compare a table of returns with what the records add up to."""
        self._tables.compare(table)

    def on_pool_closed(self, state: PoolState, voids: list[tuple[int, bytes]]) -> None:
        """Compare what void records said with what the close opened."""
        pool = self._pools.pop(state.commit.pool, None)
        if pool is None:
            return
        self._tables.close(state.commit.pool, whole=pool.bindings is not None)
        if pool.bindings is not None and state.commit.size == pool.bindings.known:
            self._closed[state.commit.pool] = pool.bindings
            self._check_verdict(pool, voids)
        if not pool.voids:
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

    def _check_verdict(self, pool: _OpenPool, voids: list[tuple[int, bytes]]) -> None:
        """Run the test of a pool again that was drawn from; of any other, the audit does it by itself."""
        state, secrets = pool.state, pool.secrets
        if secrets is None or len(voids) == state.commit.size:
            return
        for slot, secret in voids:
            secrets[32 * slot : 32 * slot + 32] = secret
        self.verdicts.check(state.commit.pool, state.test, state.program.outcome, state.deriver(), bytes(secrets))

    def on_pool_erased(self, entry: PoolErase) -> None:
        """Compare what the vault opened a pool for with what the records say, when all of them were there."""
        closed = self._closed.pop(entry.pool, None)
        if closed is not None:
            closed.check(entry)
            self.bindings_checked += 1

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
        registry = self._audit.registry
        late = self.sessions.finish(self._newest_us, registry.merge_delay_us)
        late_steps = self.rounds.finish(self._newest_us, registry.merge_delay_us)
        if self._header.complete:
            self._tickets.finish(self._newest_us, registry.close_delay_us, self._audit.digests.outages)
        notes = {
            "sessions with a number that may still come": late,
            "rounds with a step that may still come": late_steps,
            "rounds whose beginning is not in the export": self.rounds.unseen,
            "draws and voids of tickets that are not in the export": self._tickets.unseen,
            "settlements of draws that are not in the export": self._settlements.unknown,
            "stakes given back by void settlements, in sight of the outcome": self._settlements.voids,
            "tables of returns of which the export has only a part": self._tables.partial,
            "tables of returns with pools that were begun before the export, not compared": self._tables.pools_unseen,
            "committed totals that were compared by their outcomes only": self._totals.withheld,
            "records late by an outage that the operator admitted": self._late,
        }
        counted = [f"{text}: {number}" for text, number in notes.items() if number]
        outages = [f"outage: {item.text()}" for item in self._audit.digests.outages]
        return [*outages, *counted, *self._seeds.notes(), *self._late_records]

    # One digest.

    def _records_of(self, entry: Digest, file: bytes) -> Iterator[tuple[ExportLine, OpenedRecord]]:
        """Yield the records of a digest once each is known to stand in it, in its place."""
        position, size, complete = 0, len(file), self._header.complete
        while (line := self._line) is not None and line.digest == entry.seq:
            try:
                record = read_record(line.record)
            except MalformedError as error:
                raise Fault("malformed", str(error), path=f"{self._path}, line {self._line_number}") from None
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
            if not complete:
                # A complete export gives the ranges; of a partial one each record must fit into those that are stated.
                check_place(entry, record, found // 32)
            yield line, record
            self._line = next(self._lines, None)
            self._line_number += 1
        if complete and position != size:
            raise VerificationError(
                "record-lost",
                f"digest {entry.seq} has {size // 32} records, the export only {position // 32} of them",
            )

    def _check_ranges(self, entry: Digest, records: list[tuple[ExportLine, OpenedRecord]]) -> None:
        items = [
            DigestItem(record.pool, record.slot, record.slots, record.kind, record.digest) for _, record in records
        ]
        ordered = sorted(items, key=sort_key)
        require(items == ordered, "digest-order", f"the records of digest {entry.seq} are not sorted")
        if self._header.complete:
            found = ranges_of(items)
            if found != entry.ranges:
                raise VerificationError(
                    "digest-ranges", f"digest {entry.seq}: {_first_difference(found, entry.ranges)}"
                )

    def _take(self, entry: Digest, records: list[tuple[ExportLine, OpenedRecord]]) -> None:
        fold = TotalsFold()
        seen: list[tuple[SessionKey, int, int, bool]] = []
        steps: list[SeenStep] = []
        delay_us = self._audit.registry.merge_delay_us
        earliest_us, latest_us = entry.time_us - delay_us, entry.time_us + CLOCK_TOLERANCE_US
        for line, record in sorted(records, key=_turn):
            binding, kind = record.binding, record.kind
            if not earliest_us <= binding["bind_time"] <= latest_us:
                check_bind_time(binding["bind_time"], entry)
                self._check_excused(entry, record, delay_us)
            if "session" in binding:
                self._session(entry, record, seen)
            self.counts[kind] += 1
            if kind == "draw":
                outcomes = self._draw(line, record, fold)
                if "round" in binding:
                    steps.append(self._step(entry, record, outcomes[0]))
            elif kind == "ticket":
                self._ticket(record)
            elif kind == "void":
                self._void(entry, record)
            else:
                self._settle(record, fold)
        self.sessions.take(seen)
        self.rounds.take(steps)
        self._totals.digest(entry.seq, fold)
        self._tables.digest(entry)

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

    def _draw(self, line: ExportLine, record: OpenedRecord, fold: TotalsFold) -> list[Outcome]:
        pool, binding, slot = self._pool(record), record.binding, record.slot
        self._check_slots(pool, record)
        if pool.evaluator.leaves(slot, record.secrets) != pool.leaves[32 * slot : 32 * (slot + record.slots)]:
            raise VerificationError(
                "slot-leaf", f"slot {slot} of {record.pool}: the secret does not give the slot's leaf"
            )
        check_deal_record(record, pool.evaluator.program)
        seed = record.client_seed
        outcomes = pool.evaluator.outcomes(slot, record.secrets, seed)
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
        if pool.coverage.tickets or "ticket" in binding:
            self._tickets.draw(record, pool.coverage)
        if pool.bindings is not None:
            pool.bindings.add("draw", slot, record.slots, record.binding_hash)
        if pool.secrets is not None:
            pool.secrets[32 * slot : 32 * (slot + record.slots)] = record.secrets
        if seed and "ticket" not in binding:
            self._seeds.seed(binding["caller"], seed)
        self._settlements.drawn(record, outcomes, payouts, pool.evaluator)
        self._tables.draw(record.pool, pool.stream, pool.evaluator, binding, outcomes, payouts)
        if "round" not in binding:
            self._check_alone(pool, record, staked=payouts is not None)
        currency = binding.get("currency", "")
        if pool.state.commit.kind == "deal":
            # Its money stands in its close.
            return outcomes
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
        return outcomes

    def _step(self, entry: Digest, record: OpenedRecord, outcome: Outcome) -> SeenStep:
        pool, binding = self._pool(record), record.binding
        key = binding["caller"], binding["round"]
        # A record of the future would hide a gap for as long.
        bind_us = min(binding["bind_time"], entry.time_us)
        return SeenStep(key, binding["step"], step_of(pool.stream, pool.evaluator, binding), outcome, bind_us)

    def _check_alone(self, pool: _OpenPool, record: OpenedRecord, *, staked: bool) -> None:
        """Check that a draw without a round needs none; nearly all pass by the first line."""
        if pool.in_rounds or (staked and not is_plain(pool.evaluator.resolve(record.binding["bet"]))):
            step = step_of(pool.stream, pool.evaluator, record.binding)
            require_alone(step, f"slot {record.slot} of {record.pool}")

    def _ticket(self, record: OpenedRecord) -> None:
        pool = self._pool(record)
        self._check_slots(pool, record)
        check_deal_record(record, pool.evaluator.program)
        self._tickets.ticket(record)
        self._seeds.seed_hash(record.binding["caller"], record.binding["client_seed_hash"])

    def _void(self, entry: Digest, record: OpenedRecord) -> None:
        pool = self._pool(record)
        quarantined = pool.state.quarantined_from is not None
        self._tickets.void(record, pool.coverage, entry.time_us, quarantined=quarantined)
        pool.voids.append((record.slot, record.slots, record.opened))
        if pool.bindings is not None:
            pool.bindings.add("void", record.slot, record.slots, record.binding_hash)

    def _settle(self, record: OpenedRecord, fold: TotalsFold) -> None:
        binding = record.binding
        first = self._settlements.take(record)
        stream = parse_pool_id(record.pool).stream
        if self._audit.registry.is_deal(stream.game, stream.version, stream.program):
            return
        self._tables.settle(stream, binding)
        fold.settlement(
            stream,
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
            coverage = state.coverage
            if coverage is None:
                raise VerificationError("slot-range", f"no digest gave a slot of {record.pool} away")
            evaluator = PoolEvaluator(state.commit, state.commit_leaf, state.beacon, state.game)
            # Slots that ended before this digest ended in digests before the export.
            whole = self._header.complete and coverage.drawn + coverage.void == self._ended.get(record.pool, 0)
            leaves, bindings = self._audit.pools.leaves(state), BindingsDigest() if whole else None
            in_rounds = evaluator.program.feature or awards_features(evaluator.program)
            secrets = bytearray(32 * state.commit.size) if whole and state.test.plan is not None else None
            pool = _OpenPool(state, state.pool_id.stream, evaluator, leaves, coverage, bindings, in_rounds, secrets)
            self._pools[record.pool] = pool
        return pool

    def _session(self, entry: Digest, record: OpenedRecord, seen: list[tuple[SessionKey, int, int, bool]]) -> None:
        binding = record.binding
        key = binding["caller"], binding["session"]
        # A record of the future would hide a gap for as long.
        bind_us = min(binding["bind_time"], entry.time_us)
        seen.append((key, binding["session_seq"], bind_us, "ticket" in binding))
        pool = self._pool(record)
        counts = self._lanes.get(pool.stream)
        if counts is None:
            counts = self._audit.registry.lanes.accepted(str(pool.stream), entry.time_us)
            self._lanes[pool.stream] = counts
        # The draw on a ticket goes where the ticket went, maybe under another number of lanes.
        if counts != (1,) and "ticket" not in binding:
            lane = pool.state.pool_id.lane
            require(
                lane in {lane_of(*key, count) for count in counts},
                "lane-choice",
                f"session {key[1]} of {key[0]} does not belong to lane {lane} of {pool.stream}",
            )


def _ended_slots(entry: Digest) -> dict[str, int]:
    ended: dict[str, int] = {}
    for item in entry.ranges:
        if item.kind in {"draw", "void"} and item.slots is not None:
            ended[item.pool] = ended.get(item.pool, 0) + item.slots
    return ended


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
