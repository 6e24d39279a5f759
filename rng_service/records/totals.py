"""Totals: what the records of a run of digests add up to (PROTOCOL.md, section 10).

The operator and the auditor run this same fold: one over the ledger, the other over an export.
"""

from dataclasses import dataclass
from operator import itemgetter

from rng_service.log_entries import CommittedRow, Totals, TotalsRow
from rng_service.names import Stream

RowKey = tuple[str, int, str, str, str]
"""(game, version, program, class, currency): the order of the rows."""


@dataclass(slots=True)
class _Sums:
    outcomes: int = 0
    plays: int = 0
    stake_minor: int = 0
    payout_minor: int = 0
    unsettled: int = 0


class TotalsFold:
    """Adds up outcomes and settlements by game version, program, class and currency, in exact integers."""

    def __init__(self) -> None:
        self._rows: dict[RowKey, _Sums] = {}

    def outcomes(self, stream: Stream, currency: str, count: int) -> None:
        """Count ``count`` slots that were drawn without a bet of their own; their settlements come later."""
        row = self._row(stream, currency)
        row.outcomes += count
        row.unsettled += count

    def plays(self, stream: Stream, currency: str, count: int, *, stake_minor: int, payout_minor: int) -> None:
        """Count ``count`` slots that were drawn with a bet of their own; the sums are over all of them."""
        row = self._row(stream, currency)
        row.outcomes += count
        row.plays += count
        row.stake_minor += stake_minor
        row.payout_minor += payout_minor

    def settlement(
        self,
        stream: Stream,
        currency: str,
        *,
        status: str,
        stake_minor: int,
        payout_minor: int,
        first: bool,
    ) -> None:
        """Count one settlement.

        ``first`` says that it is the first for an outcome that was drawn without a bet of its own; it counts
        in the row of the settlement's currency. Only ``final`` moves money: ``confirm`` repeats what the draw
        already counted, ``void`` gives the stake back.
        """
        row = self._row(stream, currency)
        row.unsettled -= first
        if status == "final":
            row.plays += 1
            row.stake_minor += stake_minor
            row.payout_minor += payout_minor

    def add(self, other: "TotalsFold") -> None:
        """Add what another fold counted."""
        for key, sums in other._rows.items():  # noqa: SLF001 - of the same class
            row = self._rows.setdefault(key, _Sums())
            row.outcomes += sums.outcomes
            row.plays += sums.plays
            row.stake_minor += sums.stake_minor
            row.payout_minor += sums.payout_minor
            row.unsettled += sums.unsettled

    def rows(self) -> tuple[TotalsRow, ...]:
        """Return the rows in their order; a row in which nothing happened does not exist."""
        return tuple(
            TotalsRow(
                game=key[0],
                version=key[1],
                program=key[2],
                play_class=key[3],
                currency=key[4],
                outcomes=sums.outcomes,
                plays=sums.plays,
                stake_minor=sums.stake_minor,
                payout_minor=sums.payout_minor,
                unsettled=sums.unsettled,
            )
            for key, sums in sorted(self._rows.items(), key=itemgetter(0))
        )

    def entry(self, *, origin: str, time_us: int, seq: int, from_digest: int, to_digest: int) -> Totals:
        """Return the log entry for the digests ``from_digest`` … ``to_digest``."""
        return Totals(
            origin=origin,
            time_us=time_us,
            seq=seq,
            from_digest=from_digest,
            to_digest=to_digest,
            rows=self.rows(),
        )

    def _row(self, stream: Stream, currency: str) -> _Sums:
        key = (*stream, currency)
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = _Sums()
        return row


def row_key(row: TotalsRow | CommittedRow) -> RowKey:
    """Return what the rows of a totals entry are sorted by."""
    return row.game, row.version, row.program, row.play_class, row.currency
