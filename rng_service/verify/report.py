"""What an auditor says when nothing was wrong, for programs and for people."""

from dataclasses import asdict, dataclass
from typing import Any

from rng_service.beacon.chain import ChainInfo
from rng_service.records.protection import Protection

# So many lines of one kind are shown to people; programs get all of them.
_MOST_LINES = 20

# PROTOCOL.md, section 1. Repeated in every report, because "verified" alone is never the whole answer.
NOT_PROVEN = (
    "that the operator serves every player",
    "that the vault's host is honest, except where a client seed was used that nobody else knew",
    "that a client seed was fresh",
    "that a stake was really taken or a payout really made",
    "that anything happened outside the log",
    "that everybody was shown the same log, until independent witnesses cosign it",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReport:
    """A log that was checked from its first entry to its last."""

    origin: str
    size: int
    root: str
    entries: dict[str, int]
    records: dict[str, int]
    pools_open: int
    pools_closed: int
    pools_erased: int
    pools_voided: int
    newest_digest_us: int | None
    extends_size: int | None
    development_beacon: bool
    beacon_chains: tuple[str, ...]
    incidents: dict[str, int]
    outages: tuple[str, ...]
    outage_total_s: float
    table_gaps: tuple[str, ...]
    pool_tests: dict[str, int]
    pool_test_notes: tuple[str, ...]
    statistics: dict[str, int]
    statistics_notes: tuple[str, ...]
    unopened: tuple[str, ...]
    opened_voids: tuple[str, ...]
    only_records_show: tuple[str, ...]
    skipped: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {**asdict(self), "not_proven": list(NOT_PROVEN), "verified": True}

    def lines(self) -> list[str]:
        """Return the report for people, one sentence a line."""
        lines = [
            f"log {self.origin}: {self.size} entries verified, root {self.root}",
            "entries: " + _counts(self.entries),
            "records: " + _counts(self.records),
            f"pools: {self.pools_open} open, {self.pools_closed} closed, {self.pools_voided} void",
            f"keys of closed pools that the vault says are destroyed: {self.pools_erased}",
        ]
        if self.newest_digest_us is not None:
            lines.append(f"newest digest: {self.newest_digest_us} microseconds UTC by the operator's clock")
        lines.extend(f"beacon: {line}" for line in self.beacon_chains)
        if self.extends_size is not None:
            lines.append(f"extends the older checkpoint of {self.extends_size} entries")
        if self.development_beacon:
            lines.append("a development beacon is in use: it protects nobody")
        if self.incidents:
            lines.append("incidents: " + _counts(self.incidents))
        lines.extend(_few("outage admitted by the operator", self.outages))
        if self.outages:
            lines.append(f"outages in all: {self.outage_total_s:.3f} seconds")
        lines.extend(_few("tables of returns", self.table_gaps))
        lines.append("pool tests: " + _counts(self.pool_tests).replace("_", " "))
        lines.extend(_few("pool tests", self.pool_test_notes))
        if self.statistics["runs"]:
            lines.append("statistics: " + _counts(self.statistics).replace("_", " "))
            lines.extend(_few("statistics", self.statistics_notes))
        lines.extend(_few("unopened", self.unopened))
        lines.extend(f"opened voids: {line}" for line in self.opened_voids)
        lines.extend(f"not shown by the log alone: {line}" for line in self.only_records_show)
        return lines + _common(self.skipped)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptReport:
    """A receipt that was checked. ``pending`` says that its digest is not there yet, and need not be."""

    pool: str
    slot: int
    slots: int
    kind: str
    outcome: tuple[int, ...]
    payouts_minor: tuple[int, ...] | None
    protection: Protection
    beacon_chain: str | None
    digest_seq: int | None
    pending: bool
    outage: str | None
    log_size: int
    skipped: tuple[str, ...]
    # Whether a book came with it, and was checked.
    book: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values; money and outcomes may exceed 2^53 and are strings."""
        payouts = None if self.payouts_minor is None else [str(item) for item in self.payouts_minor]
        return {
            **asdict(self),
            "outcome": [str(item) for item in self.outcome],
            "payouts_minor": payouts,
            "not_proven": list(NOT_PROVEN),
            "verified": True,
        }

    def lines(self) -> list[str]:
        """Return the report for people, one sentence a line."""
        place = f"slot {self.slot}" if self.slots == 1 else f"slots {self.slot} to {self.slot + self.slots - 1}"
        lines = [f"{self.kind} of {place} of {self.pool}: verified against a log of {self.log_size} entries"]
        if self.kind == "draw":
            lines.append("outcome: " + " ".join(map(str, self.outcome)))
        if self.payouts_minor is not None:
            lines.append("payouts, minor units: " + " ".join(map(str, self.payouts_minor)))
        if self.book:
            lines.append("the book is the one that the game commits to for this outcome")
        lines.append(
            "in no digest yet, and the operator is still within its promise: verify again later"
            if self.pending
            else f"in digest {self.digest_seq}"
        )
        if self.outage is not None:
            lines.append(f"late by an outage that the operator admitted: {self.outage}")
        lines.append(f"content not chosen: {self.protection.content}")
        lines.append(f"assignment not steered: {self.protection.assignment}")
        lines.append(f"outcome not foreseen: {self.protection.foreseen}")
        if self.beacon_chain is not None:
            lines.append(f"beacon: {self.beacon_chain}")
        if self.protection.development_beacon:
            lines.append("the beacon is the operator's own, for development: it protects nobody")
        return lines + _common(self.skipped)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolReport:
    """One pool that was checked from its commitment to where it stands."""

    pool: str
    state: str
    size: int
    drawn: int
    void: int
    bound: int
    test: str
    commit_index: int
    content: str
    beacon_chain: str | None
    development_beacon: bool
    opened_voids: tuple[str, ...]
    skipped: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {**asdict(self), "not_proven": list(NOT_PROVEN), "verified": True}

    def lines(self) -> list[str]:
        """Return the report for people, one sentence a line."""
        lines = [
            f"pool {self.pool}: {self.state}, committed to in entry {self.commit_index}",
            f"slots: {self.size}, of them {self.drawn} drawn, {self.void} void, {self.bound} bound",
            f"test before the first draw: {self.test}",
            f"content not chosen: {self.content}",
        ]
        if self.beacon_chain is not None:
            lines.append(f"beacon: {self.beacon_chain}")
        if self.development_beacon:
            lines.append("the beacon is the operator's own, for development: it protects nobody")
        lines.extend(f"opened voids: {line}" for line in self.opened_voids)
        return lines + _common(self.skipped)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofReport:
    """A receipt's record that was led to a signed checkpoint by its proof file, without the log."""

    pool: str
    slot: int
    slots: int
    kind: str
    digest_seq: int
    digest_time_us: int
    entry_index: int
    log_size: int
    skipped: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {**asdict(self), "not_proven": list(NOT_PROVEN), "verified": True}

    def lines(self) -> list[str]:
        """Return the report for people, one sentence a line."""
        place = f"slot {self.slot}" if self.slots == 1 else f"slots {self.slot} to {self.slot + self.slots - 1}"
        return [
            f"{self.kind} of {place} of {self.pool}: in a signed checkpoint of {self.log_size} entries",
            f"digest {self.digest_seq}, entry {self.entry_index}: {self.digest_time_us} by the operator's clock",
            *_common(self.skipped),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """An export whose records were recomputed; ``totals`` and ``tables`` count those that came out the same."""

    origin: str
    complete: bool
    from_digest: int
    to_digest: int
    records: dict[str, int]
    outcomes: int
    sessions: int
    rounds: int
    open_rounds: int
    totals: int
    tables: int
    bindings: int
    verdicts: int
    notes: tuple[str, ...]
    skipped: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {**asdict(self), "not_proven": list(NOT_PROVEN), "verified": True}

    def lines(self) -> list[str]:
        """Return the report for people, one sentence a line."""
        kind = "complete" if self.complete else "partial"
        lines = [
            f"{kind} export of {self.origin}, digests {self.from_digest} to {self.to_digest}: verified",
            f"records: {_counts(self.records)}; {self.outcomes} outcomes recomputed",
            f"sessions without a gap: {self.sessions}; totals recomputed: {self.totals}; tables: {self.tables}",
            f"rounds in order: {self.rounds}; with awarded draws not made yet: {self.open_rounds}",
            f"closed pools whose bindings are those of the vault's journal: {self.bindings}",
            f"closed pools that were drawn from, and whose test was computed again: {self.verdicts}",
            *self.notes,
        ]
        return lines + _common(self.skipped)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counts.items())) or "none"


def chain_text(chain: ChainInfo) -> str:
    """Return a beacon chain for people: its name, its hash, and whether the operator itself signs it."""
    whose = ", the operator's own, for development" if chain.development else ""
    return f"{chain.name} {chain.chain_hash.hex()}{whose}"


def _few(what: str, lines: tuple[str, ...]) -> list[str]:
    shown = [f"{what}: {line}" for line in lines[:_MOST_LINES]]
    left = len(lines) - len(shown)
    return [*shown, f"{what}: {left} more"] if left else shown


def _common(skipped: tuple[str, ...]) -> list[str]:
    return [f"NOT CHECKED: {item}" for item in skipped] + [f"not proven: {item}" for item in NOT_PROVEN]
