"""Totals entries: dense over the digests, and never with another number of outcomes than the digests have."""

from collections import deque

from anchor.errors import VerificationError
from rng_service.log_entries import CommittedTotals, Digest, Totals
from rng_service.names import Stream, parse_pool_id
from rng_service.records.totals import row_key
from rng_service.verify.fault import require
from rng_service.verify.registry import Registry

# Digests with draws that no totals cover yet; an operator who publishes none is reported, not followed.
_MOST_PENDING = 100_000
TOTALS_WITHHELD = "plays, stakes and payouts of committed totals: there are no openings for them"
TOTALS_SKIPPED = "outcomes of totals were not compared: too many digests without a totals entry"


class TotalsBook:
    """Checks totals entries one after the other (PROTOCOL.md, section 10)."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._pending: deque[tuple[int, dict[Stream, int]]] = deque()
        self._from_digest = 0
        self.next_seq = 0
        self._blind = False
        self.skipped: set[str] = set()

    def digest(self, entry: Digest) -> None:
        """Remember how many slots of each stream a digest drew; of deals totals say nothing."""
        drawn: dict[Stream, int] = {}
        for item in entry.ranges:
            if item.kind == "draw" and item.slots is not None:
                stream = parse_pool_id(item.pool).stream
                if self._registry.is_deal(stream.game, stream.version, stream.program):
                    continue
                drawn[stream] = drawn.get(stream, 0) + item.slots
        if drawn and not self._blind:
            self._pending.append((entry.seq, drawn))
        if len(self._pending) > _MOST_PENDING:
            self._pending.clear()
            self._blind = True
            self.skipped.add(TOTALS_SKIPPED)

    def take(self, entry: Totals | CommittedTotals, opened: Totals | None, next_digest: int) -> None:
        """Check the next totals; ``next_digest`` is the number that the log's next digest will have.

        ``opened`` has the rows in clear: those of the entry, or what an auditor's openings say; None without any.
        """
        require(entry.seq == self.next_seq, "totals-seq", f"expected totals {self.next_seq}, found {entry.seq}")
        require(
            entry.from_digest == self._from_digest and entry.from_digest <= entry.to_digest,
            "totals-gap",
            f"totals {entry.seq} cover digests {entry.from_digest} … {entry.to_digest}, "
            f"the next uncovered digest is {self._from_digest}",
        )
        require(
            entry.to_digest < next_digest,
            "totals-ahead",
            f"totals {entry.seq} end at digest {entry.to_digest}, the log has {next_digest}",
        )
        for row in entry.rows:
            require(
                not self._registry.is_deal(row.game, row.version, row.program),
                "totals-deal",
                f"totals {entry.seq} have a row of {row.game}/{row.version}/{row.program}: the money of a deal is "
                "public when it closes, before it would tell what is left",
            )
        keys = [row_key(row) for row in entry.rows]
        require(keys == sorted(set(keys)), "totals-rows", "the rows are not sorted, or stand there twice")
        require(
            opened is None or all(row.stake_minor >= 0 and row.payout_minor >= 0 for row in opened.rows),
            "totals-rows",
            "stakes and payouts are not negative",
        )
        if opened is None:
            self.skipped.add(TOTALS_WITHHELD)
        if not self._blind:
            self._compare_outcomes(entry)
        self._from_digest, self.next_seq = entry.to_digest + 1, entry.seq + 1

    def _compare_outcomes(self, entry: Totals | CommittedTotals) -> None:
        expected: dict[Stream, int] = {}
        while self._pending and self._pending[0][0] <= entry.to_digest:
            for stream, number in self._pending.popleft()[1].items():
                expected[stream] = expected.get(stream, 0) + number
        stated: dict[Stream, int] = {}
        for row in entry.rows:
            if row.outcomes:
                stream = Stream(row.game, row.version, row.program, row.play_class)
                stated[stream] = stated.get(stream, 0) + row.outcomes
        if stated != expected:
            stream = min(set(stated.items()) ^ set(expected.items()))[0]
            raise VerificationError(
                "totals-outcomes",
                f"totals {entry.seq}: {stream} has {stated.get(stream, 0)} outcomes, "
                f"the digests have {expected.get(stream, 0)}",
            )
