"""Openings of committed totals and tables from the ledger, for auditors (PROTOCOL.md, section 12)."""

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Connection, Engine, func, select

from rng_service.errors import LedgerError
from rng_service.ledger.engine import reading
from rng_service.ledger.models import OpeningRow, RtpTableRow, TotalsRow
from rng_service.records.openings import Opening

__all__ = ["TotalsRange", "openings_of", "totals_range"]

_TOTALS_AT_ONCE = 500


class TotalsRange(NamedTuple):
    """Totals entries, both ends included."""

    first: int
    last: int


def totals_range(engine: Engine, *, first_digest: int = 0, last_digest: int | None = None) -> TotalsRange:
    """Return the totals that lie within some digests; raises LedgerError when there are none."""
    query = select(func.min(TotalsRow.seq), func.max(TotalsRow.seq)).where(TotalsRow.from_digest >= first_digest)
    if last_digest is not None:
        query = query.where(TotalsRow.to_digest <= last_digest)
    with reading(engine) as connection:
        first, last = connection.execute(query).one()
    if first is None:
        raise LedgerError("no totals lie within these digests: there is nothing to open")
    return TotalsRange(first, last)


def openings_of(engine: Engine, totals: TotalsRange) -> Iterator[Opening]:
    """Yield the openings of these totals entries, then of the tables over no others, row by row."""
    for start in range(totals.first, totals.last + 1, _TOTALS_AT_ONCE):
        end = min(start + _TOTALS_AT_ONCE - 1, totals.last)
        # A transaction for each part: a file of years must not hold one snapshot open.
        with reading(engine) as connection:
            part = _read(connection, "totals", start, end)
        yield from part
    with reading(engine) as connection:
        tables = connection.scalars(
            select(RtpTableRow.seq)
            .where(RtpTableRow.from_totals >= totals.first, RtpTableRow.to_totals <= totals.last)
            .order_by(RtpTableRow.seq)
        ).all()
    for seq in tables:
        with reading(engine) as connection:
            part = _read(connection, "table", seq, seq)
        yield from part


def _read(connection: Connection, kind: str, first: int, last: int) -> list[Opening]:
    rows = connection.execute(
        select(OpeningRow.__table__)
        .where(OpeningRow.kind == kind, OpeningRow.seq >= first, OpeningRow.seq <= last)
        .order_by(OpeningRow.seq, OpeningRow.place)
    ).all()
    return [
        Opening(kind=row.kind, seq=row.seq, place=row.place, salt=bytes(row.salt), row=bytes(row.row).decode("ascii"))
        for row in rows
    ]
