"""Tables of returns over gRPC: an operator's wish, what became of it, and openings for auditors."""

import io
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from sealdraw.v1 import audit_pb2, operator_pb2
from sqlalchemy import Connection, Engine, func, select

from anchor import canonical
from anchor.errors import MalformedError
from rng_service.config import Config
from rng_service.errors import FailedPrecondition, InvalidArgument, NotFound, Unavailable
from rng_service.front.checks import Checks
from rng_service.front.paging import page_token, read_page
from rng_service.ledger.documents import read_document
from rng_service.ledger.engine import reading, writing
from rng_service.ledger.models import RtpTableRequestRow
from rng_service.ledger.openings import TotalsRange, openings_of, totals_range
from rng_service.ledger.statements import execute
from rng_service.public_files import rtp_table_paths
from rng_service.records.openings import OpeningsHeader, write_openings
from rng_service.request_id import format_request_id
from rng_service.rtp.periods import Grain, parse_time, period_of, period_text
from rng_service.sequencer.context import LedgerRow

__all__ = ["RtpTableService"]

# A document that a caller brings fits into one message, one that is answered too.
_MOST_BROUGHT: Final = 4 * 2**20
_MOST_ANSWERED: Final = 15 * 2**20
_MOST_WAITING: Final = 16
_DATE_LENGTH: Final = len("2026-11-20")
_LINES_A_MESSAGE: Final = 256


class RtpTableService:
    """The handlers; the sequencer makes and publishes what is asked for here."""

    def __init__(self, ledger: Engine, config: Config) -> None:
        self._ledger = ledger
        self._config = config
        self._one_export = threading.Lock()

    def publish_rtp_table(
        self, request: operator_pb2.PublishRtpTableRequest, caller: str, _timeout_s: float
    ) -> operator_pb2.PublishRtpTableResponse:
        """Write the wish; the same request again answers with what became of it."""
        checks = Checks()
        request_id = checks.request_id(request.request_id)
        from_day = _day(checks, "from_day", request.from_day)
        to_day = _day(checks, "to_day", request.to_day)
        if from_day is not None and to_day is not None and to_day < from_day:
            checks.refuse("to_day", "lies before from_day")
        expected = bytes(request.table) or None
        if expected is not None:
            try:
                canonical.decode_object(expected, limit=_MOST_BROUGHT, what="table")
            except MalformedError as error:
                checks.refuse("table", str(error))
        checks.finish()
        wish = (from_day, None if to_day is None else to_day + 1, expected, request.show_plays, caller)
        with writing(self._ledger) as connection:
            waiting = connection.execute(
                select(func.count())
                .select_from(RtpTableRequestRow)
                .where(RtpTableRequestRow.table_seq.is_(None), RtpTableRequestRow.refused.is_(None))
            ).scalar_one()
            known = _find(connection, request_id)
            if known is None and waiting >= _MOST_WAITING:
                raise Unavailable("TOO_MANY_TABLES", f"{waiting} tables wait already", 5_000)
            execute(
                connection,
                "INSERT INTO rtp_table_requests "
                "(request_id, from_day, end_day, expected, show_plays, caller, created_us) "
                "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (request_id, *wish, time.time_ns() // 1_000),
            )
            row = _find(connection, request_id)
        # A crash right here leaves a wish that the sequencer grants, and that the repeated request finds.
        if row is None or _wish(row) != wish:
            raise FailedPrecondition("REQUEST_ID_REUSED", "this request_id was used for another request")
        return operator_pb2.PublishRtpTableResponse(table=_message(row))

    def get_rtp_table(
        self, request: operator_pb2.GetRtpTableRequest, _caller: str, _timeout_s: float
    ) -> operator_pb2.GetRtpTableResponse:
        """Return one wish, by its request or by the table's number, and the document once it is published."""
        if bool(request.request_id) == request.HasField("sequence"):
            raise InvalidArgument(("request_id", "expected either a request_id or a sequence"))
        checks = Checks()
        where = (
            RtpTableRequestRow.table_seq == min(request.sequence, 2**63 - 1)
            if request.HasField("sequence")
            else RtpTableRequestRow.request_id == checks.request_id(request.request_id)
        )
        checks.finish()
        with reading(self._ledger) as connection:
            row = connection.execute(select(RtpTableRequestRow.__table__).where(where)).first()
            if row is None:
                raise NotFound("no table was asked for like this")
            document = b""
            if row.table_seq is not None:
                document = read_document(connection, rtp_table_paths(row.table_seq)[0])
        if len(document) > _MOST_ANSWERED:
            document = b""
        return operator_pb2.GetRtpTableResponse(table=_message(row), document=document)

    def list_rtp_tables(
        self, request: operator_pb2.ListRtpTablesRequest, _caller: str, _timeout_s: float
    ) -> operator_pb2.ListRtpTablesResponse:
        """List the wishes in the order in which they came."""
        size, after = read_page(request.page_size, request.page_token, -1)
        columns = [column for column in RtpTableRequestRow.__table__.columns if column.name != "expected"]
        query = (
            select(*columns)
            .where(RtpTableRequestRow.created_us > after)
            .order_by(RtpTableRequestRow.created_us, RtpTableRequestRow.request_id)
            .limit(size + 1)
        )
        with reading(self._ledger) as connection:
            rows = connection.execute(query).all()
        token = page_token(rows[size - 1].created_us) if len(rows) > size else ""
        return operator_pb2.ListRtpTablesResponse(tables=[_message(row) for row in rows[:size]], next_page_token=token)

    def export_openings(
        self, request: audit_pb2.ExportOpeningsRequest, _caller: str, active: Callable[[], bool]
    ) -> Iterator[audit_pb2.ExportOpeningsResponse]:
        """Stream the file of openings."""
        if self._config.log.totals_policy != "committed":
            raise FailedPrecondition("TOTALS_OPEN", "the totals of this log are open: there is nothing to open")
        known = totals_range(self._ledger)
        first = request.from_totals if request.HasField("from_totals") else known.first
        last = request.to_totals if request.HasField("to_totals") else known.last
        if not known.first <= first <= last <= known.last:
            raise InvalidArgument(("to_totals", f"there are openings of the totals {known.first} to {known.last}"))
        if not self._one_export.acquire(blocking=False):
            raise Unavailable("EXPORT_RUNNING", "another export of openings is running", 5_000)
        try:
            yield from self._openings(TotalsRange(first, last), active)
        finally:
            self._one_export.release()

    def _openings(self, totals: TotalsRange, active: Callable[[], bool]) -> Iterator[audit_pb2.ExportOpeningsResponse]:
        header = OpeningsHeader(origin=self._config.service.origin, from_totals=totals.first, to_totals=totals.last)
        buffer = io.BytesIO()
        write_openings(buffer, header, [])
        for count, opening in enumerate(openings_of(self._ledger, totals), start=1):
            buffer.write(opening.line())
            if count % _LINES_A_MESSAGE == 0:
                if not active():
                    return
                yield audit_pb2.ExportOpeningsResponse(chunk=buffer.getvalue())
                buffer = io.BytesIO()
        yield audit_pb2.ExportOpeningsResponse(chunk=buffer.getvalue())


def _day(checks: Checks, field: str, text: str) -> int | None:
    """Return a day since 1970, None for no bound."""
    if not text:
        return None
    try:
        if len(text) == _DATE_LENGTH:
            return max(0, period_of(Grain.DAY, parse_time(text, end=False)))
    except MalformedError:
        pass
    checks.refuse(field, "expected a day UTC like 2026-11-20")
    return None


def _find(connection: Connection, request_id: bytes) -> LedgerRow | None:
    return connection.execute(
        select(RtpTableRequestRow.__table__).where(RtpTableRequestRow.request_id == request_id)
    ).first()


def _wish(row: LedgerRow) -> tuple[int | None, int | None, bytes | None, bool, str]:
    expected = None if row.expected is None else bytes(row.expected)
    return row.from_day, row.end_day, expected, bool(row.show_plays), row.caller


def _message(row: LedgerRow) -> operator_pb2.RtpTable:
    message = operator_pb2.RtpTable(
        request_id=format_request_id(bytes(row.request_id)),
        state=operator_pb2.RTP_TABLE_STATE_WAITING,
        from_day="" if row.from_day is None else period_text(Grain.DAY, row.from_day),
        to_day="" if row.end_day is None else period_text(Grain.DAY, row.end_day - 1),
        created_us=row.created_us,
    )
    if row.table_seq is not None:
        message.state = operator_pb2.RTP_TABLE_STATE_PUBLISHED
        message.sequence = row.table_seq
    elif row.refused is not None:
        message.state = operator_pb2.RTP_TABLE_STATE_REFUSED
        message.refusal = row.refused
    return message
