"""Tables of returns: made from the rollups when an operator asks, over whole totals, and published with their hashes.

A table covers whole UTC days, and the newest day up to its newest totals. What the totals of these days do not add up
to, and what is not what an operator expected, is not published.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from threading import Thread
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select, update

from anchor import canonical
from anchor.errors import MalformedError
from rng_service.ledger.documents import add_documents
from rng_service.ledger.models import OpeningRow, RtpTableRequestRow, RtpTableRow
from rng_service.ledger.rollups import pending_deltas
from rng_service.ledger.sequencing import append_entry
from rng_service.log_entries import RtpTable
from rng_service.public_files import rtp_table_paths
from rng_service.records.openings import SALT_BYTES, commitment
from rng_service.rtp.committed_table import COMMITTED, public_table
from rng_service.rtp.table import TableHeader, first_difference, rtp_table
from rng_service.rtp.table_files import table_csv, table_page
from rng_service.rtp.table_reading import read_table
from rng_service.sequencer.context import Context, LedgerRow
from rng_service.sequencer.folding import fold_rollups
from rng_service.sequencer.table_sources import RefusedTable, TableSources, read_sources
from rng_service.sequencer.totals import write_totals

__all__ = ["TableDesk"]

_LONGEST_REASON: Final = 400
_MOST_BYTES: Final = 64 * 2**20
# So long a step waits for a table. One with hard theory goes on beside the digests, and is published by a later step.
_PATIENCE_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class _Made:
    """A table that can be published: its three files, and under committed totals the rows and their salts."""

    files: tuple[bytes, bytes, bytes]
    openings: tuple[tuple[bytes, bytes], ...]


class _Making:
    """One table in the making, in a thread of its own: it asks nothing but its arguments."""

    def __init__(self, request: LedgerRow, sources: TableSources, salts: Sequence[bytes]) -> None:
        self.request = request
        self.header: TableHeader = sources.header
        self._made: _Made | None = None
        self._error: Exception | None = None
        self._thread = Thread(target=self._run, args=(sources, salts), name="rtp-table", daemon=True)
        self._thread.start()

    def done(self, timeout_s: float) -> bool:
        """Wait a little and return whether it is done."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def result(self) -> _Made:
        """Return the table; raises what making it raised."""
        if self._error is not None:
            raise self._error
        if self._made is None:
            raise ValueError("the table is still in the making")
        return self._made

    def _run(self, sources: TableSources, salts: Sequence[bytes]) -> None:
        try:
            self._made = _make(self.request, sources, salts)
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits
            self._error = error


class TableDesk:
    """Grants or refuses the wishes for tables, one at a time; what it keeps is gone with a crash, and made again."""

    def __init__(self) -> None:
        self._making: _Making | None = None

    def work(self, context: Context) -> int:
        """Answer what can be answered now, and return how many wishes that were."""
        answered = 0
        while True:
            request = _next_request(context) if self._making is None else self._making.request
            if request is None:
                return answered
            try:
                making = self._making = self._making or _begin(context, request)
                if not making.done(_PATIENCE_S):
                    return answered
                self._making = None
                _publish(context, request, making.header, making.result())
            except (RefusedTable, MalformedError) as error:
                # A MalformedError is a game without an exact theory, or an expected document that is none.
                self._making = None
                _answer(context, request.request_id, refused=str(error)[:_LONGEST_REASON])
            answered += 1


def _next_request(context: Context) -> LedgerRow | None:
    with context.reading() as connection:
        return connection.execute(
            select(RtpTableRequestRow.__table__)
            .where(RtpTableRequestRow.table_seq.is_(None), RtpTableRequestRow.refused.is_(None))
            .order_by(RtpTableRequestRow.created_us, RtpTableRequestRow.request_id)
            .limit(1)
        ).first()


def _begin(context: Context, request: LedgerRow) -> _Making:
    if not context.config.rtp.rollups:
        raise RefusedTable("rtp.rollups is off: nothing is added up that a table could be made of")
    # The newest digests are part of a table that ends now: totals first, then everything that was added up.
    write_totals(context, force=True)
    _fold_everything(context)
    with context.reading() as connection:
        seq = 1 + int(connection.execute(select(func.coalesce(func.max(RtpTableRow.seq), -1))).scalar_one())
        sources = read_sources(
            connection,
            origin=context.origin,
            seq=seq,
            from_day=request.from_day,
            end_day=request.end_day,
            files=context.store.files,
        )
    committed = context.config.log.totals_policy == COMMITTED
    salts = [context.random_bytes(SALT_BYTES) for _ in sources.rows] if committed else []
    return _Making(request, sources, salts)


def _fold_everything(context: Context) -> None:
    while True:
        with context.reading() as connection:
            if not pending_deltas(connection):
                return
        fold_rollups(context, None)


def _make(request: LedgerRow, sources: TableSources, salts: Sequence[bytes]) -> _Made:
    """Make the files, and hold them to what every verifier will ask of them; raises RefusedTable or MalformedError."""
    table = rtp_table(sources.header, sources.rows, sources.pools, sources.definitions)
    if request.expected is not None:
        _require_expected(bytes(request.expected), table)
    # Nobody could check a table that cannot be read back.
    read_table(table)
    openings: tuple[tuple[bytes, bytes], ...] = ()
    if salts:
        openings = tuple((salt, canonical.encode(row)) for salt, row in zip(salts, table["rows"], strict=False))
        table = public_table(
            table, [commitment("table", salt, row) for salt, row in openings], show_plays=request.show_plays
        )
    files = canonical.encode(table), table_csv(table), table_page(table)
    if max(map(len, files)) > _MOST_BYTES:
        raise RefusedTable(f"the table is larger than {_MOST_BYTES} bytes: ask for fewer days")
    return _Made(files, openings)


def _publish(context: Context, request: LedgerRow, header: TableHeader, made: _Made) -> None:
    digests = [sha256(content).digest() for content in made.files]
    now_us = context.clock_us()
    with context.writing() as connection:
        add_documents(connection, dict(zip(rtp_table_paths(header.seq), made.files, strict=True)))
        append_entry(
            connection,
            RtpTable(
                origin=context.origin,
                time_us=now_us,
                seq=header.seq,
                from_totals=header.from_totals,
                to_totals=header.to_totals,
                from_digest=header.from_digest,
                to_digest=header.to_digest,
                table=digests[0],
                csv=digests[1],
                page=digests[2],
            ),
        )
        connection.execute(
            insert(RtpTableRow).values(
                seq=header.seq,
                from_totals=header.from_totals,
                to_totals=header.to_totals,
                from_digest=header.from_digest,
                to_digest=header.to_digest,
                created_us=now_us,
            )
        )
        for place, (salt, row) in enumerate(made.openings):
            connection.execute(insert(OpeningRow).values(kind="table", seq=header.seq, place=place, salt=salt, row=row))
        _set_answer(connection, request.request_id, table_seq=header.seq)
    # A crash before the commit leaves the wish; after it, an entry that waits in the queue of the log with its files.
    context.on_step("rtp-table.recorded")


def _require_expected(expected: bytes, table: dict[str, Any]) -> None:
    """Refuse a table that the operator brought and that the records do not support, naming the first difference."""
    stated = canonical.decode(expected, limit=_MOST_BYTES, what="the table that was brought")
    difference = first_difference(stated, table)
    if difference:
        raise RefusedTable(f"the records do not support this table: {difference}")


def _answer(context: Context, request_id: bytes, *, refused: str) -> None:
    with context.writing() as connection:
        _set_answer(connection, request_id, refused=refused)
    # A crash before the commit leaves the wish, and the same answer to it.
    context.on_step("rtp-table.refused")


def _set_answer(connection: Connection, request_id: bytes, **values: object) -> None:
    connection.execute(update(RtpTableRequestRow).where(RtpTableRequestRow.request_id == request_id).values(**values))
