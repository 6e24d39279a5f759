"""The auditor's walk: every entry of the log in order, each held against everything before it."""

from collections import Counter
from collections.abc import Callable, Iterable

from anchor.errors import MalformedError, VerificationError
from anchor.merkle import leaf_hash
from anchor.note import VerifierKey
from anchor.reader import LogReader
from anchor.source import Source
from rng_service.log_entries import (
    BeaconChainEntry,
    CommittedTotals,
    DealApprove,
    Digest,
    Entry,
    GamePar,
    GameRegistration,
    Incident,
    KeyRotation,
    LogConfig,
    PoolActivate,
    PoolClose,
    PoolCommit,
    PoolErase,
    PoolQuarantine,
    PoolTest,
    PoolVoid,
    ReceiptKey,
    RtpAlarm,
    RtpTable,
    StatsBegin,
    StatsReport,
    StreamLanes,
    Totals,
    parse_entry,
)
from rng_service.verify.alarms import alarm_text, check_alarm
from rng_service.verify.digests import DigestChain
from rng_service.verify.fault import located, require
from rng_service.verify.openings import Openings
from rng_service.verify.outages import OUTAGE
from rng_service.verify.par import SheetBook
from rng_service.verify.pools import PoolBook, PoolState
from rng_service.verify.registry import Registry
from rng_service.verify.rtp_tables import CheckedTable, TableBook
from rng_service.verify.statistics import StatisticsBook
from rng_service.verify.totals import TotalsBook


class AuditObserver:
    """What else wants to see the log while it is audited; does nothing by itself."""

    def begin(self, audit: "Audit") -> None:
        """See the audit before its first entry."""

    def on_digest(self, entry: Digest, file: bytes) -> None:
        """See a digest that was checked, with the record digests of its file."""

    def on_totals(self, entry: Totals | CommittedTotals, opened: Totals | None) -> None:
        """See a totals entry that was checked, and its rows in clear where the log or the openings say them."""

    def on_table(self, table: CheckedTable) -> None:
        """See a table of returns that agrees with the log's totals."""

    def on_pool_closed(self, state: PoolState, voids: list[tuple[int, bytes]]) -> None:
        """See a pool that was closed, with the (slot, secret) of each slot that was thrown away."""

    def on_pool_erased(self, entry: PoolErase) -> None:
        """See the vault's word on a pool that was closed before."""

    def on_pool_voided(self, state: PoolState) -> None:
        """See a pool that was thrown away as a whole."""


class Audit:
    """The state of an audit between two entries; its size follows the open pools, not the log."""

    def __init__(
        self,
        source: Source,
        reader: LogReader,
        vkey: VerifierKey,
        observer: AuditObserver | None = None,
        openings: Openings | None = None,
    ) -> None:
        self._origin = reader.checkpoint().origin
        self._source = source
        self._observer = observer or AuditObserver()
        self._openings = openings or Openings()
        self.registry = Registry(vkey, self._origin)
        self.pools = PoolBook(self.registry, reader, source, vkey)
        self.digests = DigestChain(self.registry, source)
        self.totals = TotalsBook(self.registry)
        self.tables = TableBook(self.registry, reader, source, self._openings)
        self.sheets = SheetBook(source, self.registry)
        self.statistics = StatisticsBook(source, self.registry)
        self.types: Counter[str] = Counter()
        self.incidents: Counter[str] = Counter()
        self._next_index = 0
        # Whether the operator owned up to an outage since the last digest: promises of time then count from its
        # end, and the report says how often that happened.
        self._admitted = False
        self._observer.begin(self)

    @property
    def skipped(self) -> list[str]:
        """What could not be checked, in sentences."""
        books = self.pools, self.pools.tests, self.totals, self.tables, self.sheets
        return sorted(set[str]().union(*(book.skipped for book in books)))

    def feed(self, data: bytes) -> None:
        """Check the next entry; raises Fault with its index."""
        index = self._next_index
        with located(entry=index):
            entry = self._parse(index, data)
            if not isinstance(entry, Digest):
                self.digests.clock.at().require_not_before(entry.time_us)
            self._dispatch(index, data, entry)
        self.types[entry.TYPE] += 1
        self._next_index += 1

    def finish(self) -> None:
        """Check what only the whole log can tell."""
        self.registry.require_config()
        self.pools.erasures.finish()
        self.pools.tests.finish()
        self._openings.finish(self._origin)

    def feed_all(self, entries: Iterable[bytes], progress: Callable[[int], None] | None = None) -> None:
        """Check every entry; ``progress`` is told the number of entries after each."""
        for data in entries:
            self.feed(data)
            if progress is not None:
                progress(self._next_index)
        self.finish()

    def _parse(self, index: int, data: bytes) -> Entry:
        try:
            entry = parse_entry(data)
        except MalformedError as error:
            raise VerificationError("entry-malformed", str(error)) from None
        require(
            entry.origin == self._origin,
            "entry-origin",
            f"an entry of {entry.origin} in the log of {self._origin}",
        )
        require(
            index > 0 or isinstance(entry, LogConfig),
            "config-missing",
            f"entry 0 of a log is its log.config, found {entry.TYPE}",
        )
        return entry

    def _dispatch(self, index: int, data: bytes, entry: Entry) -> None:
        match entry:
            case Digest():
                self._digest(data, entry)
            case Totals() | CommittedTotals():
                self._totals(index, entry)
            case PoolCommit():
                chain = None if entry.beacon is None else entry.beacon.chain
                self.pools.commit(index, leaf_hash(data), entry, self.digests.clock.at(chain))
            case PoolActivate():
                self.pools.activate(index, entry)
            case RtpTable():
                table = self.tables.check(entry)
                if table is not None:
                    self._observer.on_table(table)
            case PoolClose():
                self.tables.close(index, entry)
                self._observer.on_pool_closed(*self.pools.close(entry))
            case PoolVoid():
                self._observer.on_pool_voided(self.pools.void(entry))
            case DealApprove():
                self.pools.approve(entry)
            case PoolQuarantine():
                self.pools.quarantine(entry)
            case PoolErase():
                self.pools.erasures.erase(index, entry)
                self._observer.on_pool_erased(entry)
            case PoolTest():
                self.pools.test(index, entry)
            case LogConfig():
                self.registry.set_config(index, entry)
                self.digests.clock.begin(entry.time_us)
            case ReceiptKey():
                self.registry.add_receipt_key(entry)
            case BeaconChainEntry():
                self.registry.add_chain(entry)
            case GameRegistration():
                self.registry.add_game(entry, self._source)
            case GamePar():
                self.sheets.check(entry)
            case StatsBegin():
                self.statistics.begin(entry, self.digests.next_seq)
            case StatsReport():
                self.statistics.report(entry)
            case StreamLanes():
                self.registry.set_lanes(entry)
            case RtpAlarm():
                check_alarm(entry, self.registry, self.digests.next_seq)
                self.incidents[alarm_text(entry)] += 1
            case Incident():
                self.incidents[f"{entry.kind}: {entry.reason}"] += 1
                self._admitted = self._admitted or entry.kind == OUTAGE
            case KeyRotation():
                # A rotation is news for people; no rule refers to it.
                pass
            case _:
                raise VerificationError("entry-malformed", f"no rule for entries of type {entry.TYPE}")

    def _totals(self, index: int, entry: Totals | CommittedTotals) -> None:
        policy = self.registry.require_config().totals_policy
        require(entry.policy == policy, "totals-policy", f"{entry.policy} totals, the log declared {policy} ones")
        opened = entry if isinstance(entry, Totals) else self._openings.totals(entry)
        self.totals.take(entry, opened, self.digests.next_seq)
        self.tables.totals(index, entry, opened)
        self._observer.on_totals(entry, opened)

    def _digest(self, data: bytes, entry: Digest) -> None:
        file = self.digests.take(leaf_hash(data), len(data), entry, admitted=self._admitted)
        registry = self.registry
        registry.lanes.digest(entry.time_us, registry.merge_delay_us)
        if self._admitted:
            registry.lanes.excuse(self.digests.outages[-1:], registry.merge_delay_us)
        self.pools.take(entry.ranges, entry.time_us)
        if self._admitted:
            self.pools.excuse(self.digests.outages[-1:])
        self.pools.check_deadlines(entry.time_us)
        self.totals.digest(entry)
        self.tables.digest(entry.seq, entry.time_us)
        self._observer.on_digest(entry, file)
        self._admitted = False
