"""The fake's handlers: the real service's validation and receipts over a book in memory."""

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, cast

from sealdraw.v1 import draw_pb2, types_pb2

from rng_service.errors import NotFound
from rng_service.fake.book import FakeBook, Known
from rng_service.fake.catalog import FakeCatalog
from rng_service.front import receipts, requests
from rng_service.front.checks import Checks
from rng_service.front.opening import OpenedRecord
from rng_service.front.requests import Play, Streams
from rng_service.front.rounds import OfVersion, plan_move
from rng_service.front.settlement import settlement_task
from rng_service.ledger.rounds import KnownRound
from rng_service.names import parse_pool_id
from rng_service.outcome.primitives import Outcome
from rng_service.vault.binding import read_binding

if TYPE_CHECKING:
    from rng_service.front.catalog import Catalog


class FakeService:
    """Answers the six methods, one call at a time; ``clock`` gives microseconds UTC."""

    def __init__(self, catalog: FakeCatalog, book: FakeBook, clock: Callable[[], int]) -> None:
        self._fake_catalog = catalog
        # The handlers ask a catalog for streams and pools only, and the fake has those.
        self._catalog = cast("Catalog", catalog)
        self._book = book
        self._clock = clock
        self.lock = Lock()

    def reserve(self, request: draw_pb2.ReserveRequest, caller: str) -> draw_pb2.ReserveResponse:
        """Bind the next slot to the hash of a seed."""
        play = requests.reserve(request, caller, self._catalog)
        return self._ticket(self._book.perform(play.task, play, self._clock())[0])

    def draw(self, request: draw_pb2.DrawRequest, caller: str) -> draw_pb2.DrawResponse:
        """Open one slot."""
        play = self._draw_play(request, caller)
        opened = self._book.perform(play.task, play, self._clock())
        response = draw_pb2.DrawResponse(receipt=self._receipt(play, opened[0]))
        response.session_sequence = receipts.session_sequence(opened[0]) if request.session else 0
        if len(opened) > 1:
            response.next_ticket.CopyFrom(self._ticket(opened[1]))
        return response

    def batch_draw(self, request: draw_pb2.BatchDrawRequest, caller: str) -> draw_pb2.BatchDrawResponse:
        """Open up to 1,000 slots."""
        play = requests.batch_draw(request, caller, self._catalog)
        opened = self._book.perform(play.task, play, self._clock())
        return draw_pb2.BatchDrawResponse(receipts=[self._receipt(play, record) for record in opened])

    def settle(self, request: draw_pb2.SettleRequest, caller: str) -> draw_pb2.SettleResponse:
        """Record one bettor's settlement."""
        task = settlement_task(request, caller, self._catalog, self._draw_records)
        return receipts.settle_response(self._book.perform(task, None, self._clock())[0])

    def resolve_request(self, request: draw_pb2.ResolveRequestRequest, caller: str) -> draw_pb2.ResolveRequestResponse:
        """Say what became of a request id, or fence it."""
        known = self._book.fence(caller, _id(request.request_id))
        if known.payload is None:
            return draw_pb2.ResolveRequestResponse(state=draw_pb2.ResolveRequestResponse.STATE_FENCED)
        found = self._read_back(known)
        return draw_pb2.ResolveRequestResponse(
            state=draw_pb2.ResolveRequestResponse.STATE_BOUND,
            receipts=found.receipts,
            ticket=found.ticket if found.HasField("ticket") else None,
            settlement=found.settlement if found.HasField("settlement") else None,
        )

    def get_receipt(self, request: draw_pb2.GetReceiptRequest, caller: str) -> draw_pb2.GetReceiptResponse:
        """Return what a request gave."""
        known = self._book.find(caller, _id(request.request_id))
        if known is None or known.payload is None:
            raise NotFound("request_id: no request of this caller has this id")
        return self._read_back(known)

    def get_book(self, request: draw_pb2.GetBookRequest, caller: str) -> draw_pb2.GetBookResponse:
        """Return the book of one outcome of a draw."""
        records = self._draw_records(_id(request.draw_request_id), caller)
        return receipts.book_response(records, request.item, self._fake_catalog.pool)

    def _draw_play(self, request: draw_pb2.DrawRequest, caller: str) -> Play:
        if not request.round_id:
            return requests.draw(request, caller, self._catalog)
        known = self._book.round(caller, request.round_id)
        streams: Streams = self._catalog
        if known is not None and not request.version:
            streams = OfVersion(self._catalog, parse_pool_id(known.pool_id).stream.version)
        play = requests.draw(request, caller, streams)
        play.task.round = plan_move(play, known, self._last_outcome, self._catalog)
        return play

    def _last_outcome(self, known: KnownRound) -> Outcome:
        opened = self._book.newest_step(known)
        seed = bytes.fromhex(read_binding(known.binding).get("client_seed", ""))
        return receipts.outcomes(self._fake_catalog.pool(opened.bound.pool), opened, seed)[0]

    def _draw_records(self, request_id: bytes, caller: str) -> list[OpenedRecord]:
        known = self._book.find(caller, request_id)
        if known is None or known.method not in {"Draw", "BatchDraw"}:
            raise NotFound("draw_request_id: no draw of this caller has this id")
        return [record for record in known.records if record.bound.kind == "draw"]

    def _read_back(self, known: Known) -> draw_pb2.GetReceiptResponse:
        response = draw_pb2.GetReceiptResponse()
        for opened in known.records:
            if opened.bound.kind == "draw":
                response.receipts.append(receipts.read_back(self._catalog, opened))
            elif opened.bound.kind == "ticket":
                response.ticket.CopyFrom(self._ticket(opened))
            else:
                response.settlement.CopyFrom(receipts.settle_response(opened))
        return response

    def _ticket(self, opened: OpenedRecord) -> draw_pb2.ReserveResponse:
        return receipts.ticket_response(self._fake_catalog.pool(opened.bound.pool), opened)

    def _receipt(self, play: Play, opened: OpenedRecord) -> types_pb2.Receipt:
        pool = self._fake_catalog.pool(opened.bound.pool)
        return receipts.draw_receipt(pool, opened, play.client_seed, play.bet, play.stake_minor)


def _id(text: str) -> bytes:
    checks = Checks()
    request_id = checks.request_id(text)
    checks.finish()
    return request_id
