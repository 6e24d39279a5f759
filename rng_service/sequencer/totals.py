"""Totals: every interval, what the digests since the last ones add up to."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, insert, select

from anchor.errors import MalformedError
from rng_service.errors import LedgerError
from rng_service.ledger.models import DigestRow, DigestTotalRow, OpeningRow, TotalsRow
from rng_service.ledger.sequencing import append_entry
from rng_service.log_entries import CommittedRow, CommittedTotals, Totals
from rng_service.log_entries import TotalsRow as Row
from rng_service.records.openings import SALT_BYTES, commitment, totals_row_bytes
from rng_service.rtp.periods import Grain, hour_of, period_of
from rng_service.sequencer.context import Context

__all__ = ["add_up", "write_totals"]

_MICROSECONDS: Final = 1_000_000


class _Written(NamedTuple):
    """An entry as it goes into the log, and what opens its rows (salt, bytes) where they are committed to."""

    entry: Totals | CommittedTotals
    openings: tuple[tuple[bytes, bytes], ...]

    @property
    def seq(self) -> int:
        return self.entry.seq


def write_totals(context: Context, *, force: bool = False) -> bool:
    """Queue totals over every digest that none cover yet, when they are due; ``force`` does not wait for the time."""
    now_us = context.clock_us()
    with context.reading() as connection:
        last = connection.execute(select(TotalsRow.__table__).order_by(TotalsRow.seq.desc()).limit(1)).one_or_none()
        newest = connection.execute(select(func.max(DigestRow.seq))).scalar()
        start = 0 if last is None else last.to_digest + 1
        if newest is None or newest < start:
            return False
        since_us = last.created_us if last is not None else _first_digest_us(connection)
        # A clock that was set back does not hold totals up until it has caught up with the last ones.
        if not force and 0 <= now_us - since_us < context.config.log.totals_interval_s * _MICROSECONDS:
            return False
        entries: list[_Written] = []
        seq = 0 if last is None else last.seq + 1
        for first, end in _days(connection, start, int(newest)):
            entries += _entries(context, connection, now_us, seq + len(entries), first, end)
    with context.writing() as connection:
        known = connection.execute(select(func.max(TotalsRow.seq))).scalar()
        if known is not None and known >= entries[0].seq:
            raise LedgerError(f"totals {entries[0].seq} exist already")
        for entry in entries:
            row = append_entry(connection, entry.entry)
            for place, (salt, data) in enumerate(entry.openings):
                connection.execute(
                    insert(OpeningRow).values(kind="totals", seq=entry.seq, place=place, salt=salt, row=data)
                )
            connection.execute(
                insert(TotalsRow).values(
                    seq=entry.seq,
                    from_digest=entry.entry.from_digest,
                    to_digest=entry.entry.to_digest,
                    created_us=now_us,
                    log_entry_id=row,
                )
            )
    # A crash before the commit leaves no totals; after it, entries that wait in the queue of the log.
    context.on_step("totals.recorded")
    return True


def add_up(rows: Sequence[DigestTotalRow]) -> tuple[Row, ...]:
    """Return the sums of ``rows`` by game version, program, class and currency, in their order."""
    sums: dict[tuple[str, int, str, str, str], list[int]] = {}
    for row in rows:
        key = row.game, row.version, row.program, row.play_class, row.currency
        found = sums.setdefault(key, [0, 0, 0, 0, 0])
        values = row.outcomes, row.plays, int(row.stake_minor), int(row.payout_minor), row.unsettled
        for position, value in enumerate(values):
            found[position] += value
    return tuple(
        Row(
            game=key[0],
            version=key[1],
            program=key[2],
            play_class=key[3],
            currency=key[4],
            outcomes=found[0],
            plays=found[1],
            stake_minor=found[2],
            payout_minor=found[3],
            unsettled=found[4],
        )
        for key, found in sorted(sums.items())
    )


def _first_digest_us(connection: Connection) -> int:
    return int(connection.execute(select(DigestRow.created_us).where(DigestRow.seq == 0)).scalar_one())


def _days(connection: Connection, start: int, end: int) -> list[tuple[int, int]]:
    """Return the digests ``start`` … ``end`` as runs of one UTC day each.

    Totals that end with the day are what lets a table of whole days be checked against them.
    """
    runs: list[tuple[int, int]] = []
    day = None
    digests = select(DigestRow.seq, DigestRow.created_us).where(DigestRow.seq >= start, DigestRow.seq <= end)
    for seq, time_us in connection.execute(digests.order_by(DigestRow.seq)):
        of_digest = period_of(Grain.DAY, hour_of(time_us))
        if of_digest == day:
            runs[-1] = runs[-1][0], seq
        else:
            runs.append((seq, seq))
        day = of_digest
    return runs


def _entries(context: Context, connection: Connection, now_us: int, seq: int, start: int, end: int) -> list[_Written]:
    """Return one entry, or more where one would not fit into the log."""
    rows = connection.execute(
        select(DigestTotalRow.__table__).where(DigestTotalRow.digest_seq >= start, DigestTotalRow.digest_seq <= end)
    ).all()
    entry = Totals(
        origin=context.origin,
        time_us=now_us,
        seq=seq,
        from_digest=start,
        to_digest=end,
        rows=add_up(rows),  # type: ignore[arg-type] # rows with the columns of the model
    )
    written = _committed(context, entry) if context.config.log.totals_policy == "committed" else _Written(entry, ())
    try:
        written.entry.to_bytes()
    except MalformedError:
        if start == end:
            raise
        middle = (start + end) // 2
        first = _entries(context, connection, now_us, seq, start, middle)
        return first + _entries(context, connection, now_us, first[-1].seq + 1, middle + 1, end)
    return [written]


def _committed(context: Context, entry: Totals) -> _Written:
    """Return the same totals with a commitment in place of the money and the plays of each row."""
    openings = tuple((context.random_bytes(SALT_BYTES), totals_row_bytes(row)) for row in entry.rows)
    rows = tuple(
        CommittedRow(
            game=row.game,
            version=row.version,
            program=row.program,
            play_class=row.play_class,
            currency=row.currency,
            outcomes=row.outcomes,
            commitment=commitment("totals", salt, data),
        )
        for row, (salt, data) in zip(entry.rows, openings, strict=True)
    )
    committed = CommittedTotals(
        origin=entry.origin,
        time_us=entry.time_us,
        seq=entry.seq,
        from_digest=entry.from_digest,
        to_digest=entry.to_digest,
        rows=rows,
    )
    return _Written(committed, openings)
