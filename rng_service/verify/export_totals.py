"""The totals of an export: what its records add up to, beside what the log says they do."""

from collections import deque
from dataclasses import replace

from anchor.errors import VerificationError
from rng_service.log_entries import CommittedTotals, Totals, TotalsRow
from rng_service.records.export import ExportHeader
from rng_service.records.totals import TotalsFold, row_key


class ExportTotals:
    """Keeps one small fold for each digest that no totals entry has covered yet."""

    def __init__(self, header: ExportHeader) -> None:
        self._header = header
        self._folds: deque[tuple[int, TotalsFold]] = deque()
        self.checked = 0
        self.withheld = 0

    def digest(self, seq: int, fold: TotalsFold) -> None:
        """Add what the records of one digest add up to."""
        if self._header.complete:
            self._folds.append((seq, fold))

    def compare(self, entry: Totals | CommittedTotals, opened: Totals | None, *, known_settlements: bool) -> None:
        """Compare a totals entry whose digests are all in a complete export.

        Raises VerificationError ``totals-mismatch``. Of committed totals without openings (``opened`` is None) only the
        rows and their outcomes are compared, and the entry is counted as ``withheld``. Which settlements are the first
        for their outcome cannot be told when draws lie before the export: ``unsettled`` is then left out.
        """
        whole = TotalsFold()
        while self._folds and self._folds[0][0] <= entry.to_digest:
            whole.add(self._folds.popleft()[1])
        header = self._header
        if not header.complete or entry.from_digest < header.from_digest or entry.to_digest > header.to_digest:
            return
        found = whole.rows()
        if opened is None:
            # Settlements of draws before the export may have rows of their own; outcomes have none that are not seen.
            ours, theirs = (
                {row_key(row): row.outcomes for row in rows if row.outcomes} for rows in (found, entry.rows)
            )
            if ours != theirs:
                raise VerificationError("totals-mismatch", f"totals {entry.seq} have other rows than the records")
            self.withheld += 1
            return
        stated = opened.rows
        if not known_settlements:
            found, stated = _without_unsettled(found), _without_unsettled(stated)
        if found != stated:
            raise VerificationError("totals-mismatch", f"totals {entry.seq}: {_difference(found, stated)}")
        self.checked += 1


def _without_unsettled(rows: tuple[TotalsRow, ...]) -> tuple[TotalsRow, ...]:
    return tuple(replace(row, unsettled=0) for row in rows)


def _difference(found: tuple[TotalsRow, ...], stated: tuple[TotalsRow, ...]) -> str:
    ours, theirs = ({row_key(row): row for row in rows} for rows in (found, stated))
    for key in sorted(ours.keys() | theirs.keys()):
        one, other = ours.get(key), theirs.get(key)
        name = "/".join(map(str, key))
        if one is None or other is None:
            return f"the row {name} {'is missing' if other is None else 'has no records'}"
        for member in ("outcomes", "plays", "stake_minor", "payout_minor", "unsettled"):
            if getattr(one, member) != getattr(other, member):
                return (
                    f"{member} of {name} is {getattr(one, member)} by the records, "
                    f"{getattr(other, member)} by the totals"
                )
    return "the rows differ"
