"""Verify one receipt against the public directory, in the nine steps of PROTOCOL.md, section 8."""

from dataclasses import dataclass, field
from typing import TypeVar

from anchor.errors import VerificationError
from anchor.merkle import leaf_hash
from anchor.note import VerifierKey
from anchor.reader import LogReader
from anchor.source import Source
from rng_service.beacon.chain import ChainInfo
from rng_service.books import Book
from rng_service.log_entries import (
    BeaconChainEntry,
    DealApprove,
    Digest,
    Entry,
    LogConfig,
    PoolActivate,
    PoolCommit,
    ReceiptKey,
    StreamLanes,
    parse_entry,
)
from rng_service.names import lane_of, parse_pool_id
from rng_service.records.receipt import Receipt, parse_receipt
from rng_service.verify.book import check_book
from rng_service.verify.clock import LogClock, LogTime
from rng_service.verify.commitment import BLS_SKIPPED, read_leaves
from rng_service.verify.deals import check_approval
from rng_service.verify.evaluation import PoolEvaluator, check_game
from rng_service.verify.fault import located, require
from rng_service.verify.opened import OpenedRecord, read_record
from rng_service.verify.outages import OUTAGE, Outage
from rng_service.verify.receipt_digest import DigestSearch, Found
from rng_service.verify.receipt_steps import (
    WITNESSES_SKIPPED,
    WitnessPolicy,
    check_activation,
    check_commit,
    check_held_ticket,
    check_labels,
    check_opening,
    check_outcome,
    check_program,
    check_slots,
    check_ticket,
)
from rng_service.verify.registry import Registry, read_game
from rng_service.verify.report import ReceiptReport, chain_text

__all__ = ["WitnessPolicy", "check_ticket", "read_receipt", "verify_receipt"]

_EntryKind = TypeVar("_EntryKind", bound=Entry)

# An entry is canonical, so its type stands at its end.
_ANNOUNCED = tuple(
    f'"type":"{kind.TYPE}","v":1}}'.encode("ascii") for kind in (BeaconChainEntry, ReceiptKey, LogConfig, StreamLanes)
)
_OUTAGE = f'"kind":"{OUTAGE}"'.encode("ascii")


@dataclass(slots=True)
class _PoolInLog:
    """What one walk over the log found about a record's pool, by the places of the entries."""

    registry: Registry
    clock: LogClock = field(default_factory=LogClock)
    commits: list[int] = field(default_factory=list)
    activations: list[int] = field(default_factory=list)
    approvals: list[int] = field(default_factory=list)
    # The digests with a range of the pool, and by how many lanes the records in each may follow.
    digests: dict[int, tuple[int, ...]] = field(default_factory=dict)
    newest_digest: int | None = None
    outages: list[Outage] = field(default_factory=list)
    # The chains that stood before the commitment, and how far the log had come there and at the activation.
    chains: dict[bytes, ChainInfo] = field(default_factory=dict)
    commit_time: LogTime = field(default_factory=LogTime)
    activate_time: LogTime = field(default_factory=LogTime)


def verify_receipt(
    data: bytes,
    source: Source,
    vkey: str | VerifierKey,
    policy: WitnessPolicy | None = None,
    *,
    now_us: int | None = None,
    book: Book | None = None,
    item: int = 0,
) -> ReceiptReport:
    """Check a receipt file and say in which three senses its draw was fair.

    ``policy`` judges the cosignatures of the checkpoint that published the commitment; without one nothing counts as
    witnessed. ``now_us`` is the verifier's own clock: without it a record that no digest has yet passes as pending by
    the operator's clock alone, and the report says so. ``book`` is checked to be the one of the outcome ``item``,
    counted from 0. Raises Fault, a VerificationError, for the first step that
    fails.
    """
    with located():
        key = vkey if isinstance(vkey, VerifierKey) else VerifierKey.parse(vkey)
        receipt, record = read_receipt(data)
        check = _Check(receipt, record, source, key, policy, now_us)
        if book is not None:
            check.book = book, item
        return check.run()


def read_receipt(data: bytes) -> tuple[Receipt, OpenedRecord]:
    """Parse a receipt file and the record in it; raises Fault ``malformed``, ``receipt-kind``."""
    with located(path="receipt"):
        receipt = parse_receipt(data)
        record = read_record(receipt.record)
        require(
            record.kind in {"draw", "ticket"},
            "receipt-kind",
            f"a receipt is of a draw or a ticket, not of a {record.kind}",
        )
    return receipt, record


class _Check:
    """One receipt on its way through the steps."""

    def __init__(
        self,
        receipt: Receipt,
        record: OpenedRecord,
        source: Source,
        vkey: VerifierKey,
        policy: WitnessPolicy | None,
        now_us: int | None,
    ) -> None:
        self._receipt = receipt
        self._record = record
        self._source = source
        self._vkey = vkey
        self._policy = policy
        self._now_us = now_us
        self._reader = LogReader(source, vkey)
        self._skipped: list[str] = []
        # A book that goes with the receipt, and which of its outcomes it is of.
        self.book: tuple[Book, int] | None = None

    def run(self) -> ReceiptReport:
        receipt, record = self._receipt, self._record
        with located(path="checkpoint"):
            checkpoint = self._reader.checkpoint()
        require(
            checkpoint.origin == receipt.origin,
            "receipt-origin",
            f"the receipt is of {receipt.origin}, the log is {checkpoint.origin}",
        )
        log = self._walk()
        commit, commit_leaf, activation, chain = self._commitment(log)
        self._slots(commit)
        self._outcome(commit, commit_leaf, activation)
        ticket = check_held_ticket(record, receipt.ticket)
        key_id = receipt.opening.key_id
        check_opening(record, receipt.opening, receipt.origin, log.registry.receipt_keys.get(key_id))
        labels = check_labels(receipt.protection, record, commit, activation, chain, self._policy)
        if labels.witnesses_skipped:
            self._skipped.append(WITNESSES_SKIPPED)
        if commit.kind == "deal":
            self._approval(log, commit, chain)
        found = self._digest(log, ticket)
        return ReceiptReport(
            book=self.book is not None,
            pool=record.pool,
            slot=record.slot,
            slots=record.slots,
            kind=record.kind,
            outcome=receipt.outcome,
            payouts_minor=receipt.payouts_minor,
            protection=labels.protection,
            beacon_chain=None if chain is None else chain_text(chain),
            digest_seq=None if found.entry is None else found.entry.seq,
            pending=found.entry is None,
            outage=found.late_by,
            log_size=checkpoint.size,
            skipped=tuple(self._skipped),
        )

    # Step 1 and what the other steps need: one walk over the log.

    def _walk(self) -> _PoolInLog:
        """Read the whole log once, parsing only what concerns the record's pool."""
        log = _PoolInLog(Registry(self._vkey, self._receipt.origin))
        pool = b'"pool":"' + self._record.pool.encode("ascii") + b'"'
        admitted = False
        for index, data in enumerate(self._reader.entries()):
            self._mark(log, index)
            with located(entry=index):
                newest_us = log.clock.newest_us
                if log.clock.digest_bytes(data):
                    if admitted:
                        self._outage(log, data, newest_us)
                    admitted = False
                    self._see_digest(log, index, concerned=pool in data)
                elif data.endswith(b'"type":"incident","v":1}'):
                    admitted = admitted or _OUTAGE in data
                elif data.endswith(_ANNOUNCED):
                    self._announce(log, index, parse_entry(data))
                elif pool in data and data.endswith(b'"type":"pool.commit","v":1}'):
                    log.commits.append(index)
                elif pool in data and data.endswith(b'"type":"pool.activate","v":1}'):
                    log.activations.append(index)
                elif pool in data and data.endswith(b'"type":"deal.approve","v":1}'):
                    log.approvals.append(index)
        return log

    def _mark(self, log: _PoolInLog, index: int) -> None:
        """Keep how far the log had come where the pool was committed to and activated."""
        if index == self._receipt.commit_index:
            log.chains = dict(log.registry.chains)
            data = self._reader.entry(index)
            commit = parse_entry(data) if data.endswith(b'"type":"pool.commit","v":1}') else None
            beacon = commit.beacon if isinstance(commit, PoolCommit) else None
            log.commit_time = log.clock.at(None if beacon is None else beacon.chain)
        if index == self._receipt.activate_index:
            log.activate_time = log.clock.at()

    def _outage(self, log: _PoolInLog, data: bytes, start_us: int) -> None:
        after = parse_entry(data)
        if isinstance(after, Digest):
            log.outages.append(Outage(after.seq, start_us, after.time_us))
            log.registry.lanes.excuse(log.outages[-1:], log.registry.merge_delay_us)

    def _see_digest(self, log: _PoolInLog, index: int, *, concerned: bool) -> None:
        time_us, registry = log.clock.newest_us, log.registry
        registry.lanes.digest(time_us, registry.merge_delay_us)
        log.newest_digest = index
        if concerned:
            stream = str(parse_pool_id(self._record.pool).stream)
            log.digests[index] = registry.lanes.accepted(stream, time_us)

    def _announce(self, log: _PoolInLog, index: int, entry: Entry) -> None:
        match entry:
            case LogConfig():
                log.registry.set_config(index, entry)
                log.clock.begin(entry.time_us)
            case ReceiptKey():
                log.registry.add_receipt_key(entry)
            case BeaconChainEntry():
                log.registry.add_chain(entry)
            case StreamLanes():
                log.registry.set_lanes(entry)
            case _:
                raise VerificationError("entry-malformed", f"did not expect an entry of type {entry.TYPE}")

    # Step 2.

    def _commitment(self, log: _PoolInLog) -> tuple[PoolCommit, bytes, PoolActivate, ChainInfo | None]:
        """The pool was committed to and activated in these two entries, and nowhere before."""
        receipt, pool = self._receipt, self._record.pool
        commit, data = self._entry(receipt.commit_index, "receipt-commit", PoolCommit)
        activation, _ = self._entry(receipt.activate_index, "receipt-activation", PoolActivate)
        leaf = leaf_hash(data)
        with located(entry=receipt.commit_index):
            require(
                log.commits[:1] == [receipt.commit_index],
                "receipt-commit",
                f"{pool} was committed to in entry {log.commits[0] if log.commits else 'none'} first",
            )
            log.commit_time.require_not_before(commit.time_us)
            chain = None if commit.beacon is None else log.chains.get(commit.beacon.chain)
            check_commit(commit, pool, log.registry.require_config(), chain, log.commit_time)
        with located(entry=receipt.activate_index):
            require(
                log.activations[:1] == [receipt.activate_index],
                "receipt-activation",
                f"is not the first activation of {pool}",
            )
            require(
                receipt.activate_index > receipt.commit_index,
                "receipt-activation",
                "the activation lies before the commitment",
            )
            log.activate_time.require_not_before(activation.time_us)
            if not check_activation(activation, commit, receipt.commit_index, leaf, chain, self._reader, self._vkey):
                self._skipped.append(BLS_SKIPPED)
        return commit, leaf, activation, chain

    def _approval(self, log: _PoolInLog, commit: PoolCommit, chain: ChainInfo | None) -> None:
        """Somebody let the sale of a deal begin, in the log, before any digest has a ticket of it."""
        if not log.approvals:
            raise VerificationError("deal-unapproved", f"no deal.approve in the log is of {commit.pool}")
        index = log.approvals[0]
        approval, _ = self._entry(index, "entry-malformed", DealApprove)
        with located(entry=index):
            check_approval(approval, commit, chain)
            require(
                index > self._receipt.activate_index,
                "pool-inactive",
                f"{commit.pool} was approved before its activation",
            )
            require(
                all(index < digest for digest in log.digests),
                "approval-late",
                f"{commit.pool} had records before it was approved",
            )

    def _entry(self, index: int, reason: str, kind: type[_EntryKind]) -> tuple[_EntryKind, bytes]:
        size = self._reader.checkpoint().size
        require(index < size, reason, f"entry {index} of a log with {size}")
        with located(entry=index):
            data = self._reader.entry(index)
            entry = parse_entry(data)
            if not isinstance(entry, kind):
                raise VerificationError(reason, f"is a {entry.TYPE}, expected a {kind.TYPE}")
        return entry, data

    # Steps 3 to 5.

    def _slots(self, commit: PoolCommit) -> None:
        record, leaf = self._record, None
        if record.kind == "ticket":
            leaf = read_leaves(self._source, commit)[32 * record.slot : 32 * record.slot + 32]
        check_slots(record, self._receipt.slot_path, commit, leaf)

    def _outcome(self, commit: PoolCommit, leaf: bytes, activation: PoolActivate) -> None:
        stream = parse_pool_id(self._record.pool).stream
        game = read_game(self._source, commit.game_digest)
        check_game(game, commit, stream.game, stream.version)
        check_program(self._record, commit)
        evaluator = PoolEvaluator(commit, leaf, activation.beacon_value or b"", game)
        check_outcome(self._record, self._receipt.outcome, self._receipt.payouts_minor, evaluator)
        if self.book is not None:
            book, item = self.book
            outcome, count = self._receipt.outcome, self._record.slots
            require(outcome and item < count, "book", f"the receipt has no outcome {item}")
            width = len(outcome) // count
            check_book(book, game.program(commit.program), outcome[item * width : (item + 1) * width])

    # Step 9.

    def _digest(self, log: _PoolInLog, ticket: OpenedRecord | None) -> Found:
        search = DigestSearch(self._record, ticket, log.outages, log.registry.merge_delay_us)
        for index, lanes in log.digests.items():
            if index <= self._receipt.activate_index:
                continue
            entry, _ = self._entry(index, "entry-malformed", Digest)
            with located(entry=index):
                for record in search.take(entry, self._source):
                    _check_lane(record, lanes)
        newest_us = None if log.newest_digest is None else log.clock.newest_us
        found = search.finish(newest_us, self._now_us)
        self._skipped.extend(search.skipped)
        return found


def _check_lane(record: OpenedRecord, counts: tuple[int, ...]) -> None:
    """Check that the record's digest found it in a lane that the operator could not choose."""
    binding, lane = record.binding, parse_pool_id(record.pool).lane
    if "ticket" in binding:
        # The ticket chose the lane, maybe under another number of lanes.
        return
    if "session" in binding:
        fits = lane in {lane_of(binding["caller"], binding["session"], count) for count in counts}
    else:
        # Without a session the lane follows from the request id, which only the caller knows.
        fits = lane < max(counts)
    require(
        fits,
        "lane-choice",
        f"the {record.kind} does not belong to lane {lane} of {' or '.join(map(str, sorted(counts)))} lanes",
    )
