"""DrawService: the calls that game servers make."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sealdraw.v1 import draw_pb2, types_pb2
from sqlalchemy import Engine

from anchor.errors import MalformedError
from rng_service.errors import FailedPrecondition, InvalidArgument, NotFound
from rng_service.front import receipts, requests
from rng_service.front.catalog import Catalog, Stream
from rng_service.front.checks import CLASSES, Checks
from rng_service.front.engine import DrawEngine
from rng_service.front.opening import OpenedRecord
from rng_service.front.requests import Play, Streams
from rng_service.front.rounds import OfVersion, plan_move
from rng_service.front.settlement import settlement_task
from rng_service.ledger.engine import reading, writing
from rng_service.ledger.models import POSITION_BITS
from rng_service.ledger.reading import (
    FENCE,
    KnownRequest,
    fence_request,
    find_request,
    pool_of_request,
    pool_of_ticket,
)
from rng_service.ledger.rounds import KnownRound, find_round
from rng_service.ledger.tasks import BindTask
from rng_service.names import check_session, parse_pool_id
from rng_service.outcome.primitives import Outcome
from rng_service.records.binding import SettleBinding
from rng_service.request_id import parse_request_id
from rng_service.vault.binding import read_binding

Playing = draw_pb2.ReserveRequest | draw_pb2.DrawRequest | draw_pb2.BatchDrawRequest
Build = Callable[[Any, str, Streams], Play]


@dataclass(frozen=True, slots=True)
class _Pinned:
    """The one stream that a request was already answered from, retired or not."""

    promised: Stream

    def stream(self, _game: str, _version: int, _program: str, _play_class: str) -> Stream:
        """Return it."""
        return self.promised


class DrawService:
    """The handlers; each takes a parsed request and the caller's name, and returns a response or raises."""

    def __init__(self, engine: DrawEngine, catalog: Catalog, ledger: Engine) -> None:
        self._engine = engine
        self._catalog = catalog
        self._ledger = ledger

    def prepare_reserve(self, request: draw_pb2.ReserveRequest, caller: str) -> Play:
        """Return what a Reserve call asks for."""
        return self._prepare(requests.reserve, request, caller)

    def prepare_draw(self, request: draw_pb2.DrawRequest, caller: str) -> Play:
        """Return what a Draw call asks for; a step of a round asks the ledger for its place."""
        if not request.round_id:
            return self._prepare(requests.draw, request, caller)
        known = self._round(request.round_id, caller)
        play = self._prepare(requests.draw, request, caller, None if known is None else known.pool_id)
        play.task.round = plan_move(play, known, self._last_outcome, self._catalog)
        return play

    def prepare_batch(self, request: draw_pb2.BatchDrawRequest, caller: str) -> Play:
        """Return what a BatchDraw call asks for."""
        return self._prepare(requests.batch_draw, request, caller)

    def answer_reserve(self, _play: Play, opened: list[OpenedRecord]) -> draw_pb2.ReserveResponse:
        """Return the answer to a Reserve call whose records are open."""
        return self._ticket(opened[0])

    def answer_draw(self, play: Play, opened: list[OpenedRecord]) -> draw_pb2.DrawResponse:
        """Return the answer to a Draw call whose records are open."""
        response = draw_pb2.DrawResponse(receipt=self._receipt(play, opened[0]))
        if not isinstance(play.task.binding, SettleBinding) and play.task.binding.session:
            response.session_sequence = receipts.session_sequence(opened[0])
        if len(opened) > 1:
            response.next_ticket.CopyFrom(self._ticket(opened[1]))
        return response

    def answer_batch(self, play: Play, opened: list[OpenedRecord]) -> draw_pb2.BatchDrawResponse:
        """Return the answer to a BatchDraw call whose records are open."""
        return draw_pb2.BatchDrawResponse(receipts=[self._receipt(play, record) for record in opened])

    def reserve(self, request: draw_pb2.ReserveRequest, caller: str, timeout_s: float) -> draw_pb2.ReserveResponse:
        """Bind the next slot to the hash of a seed."""
        play = self.prepare_reserve(request, caller)
        return self.answer_reserve(play, self._perform(play.task, timeout_s))

    def draw(self, request: draw_pb2.DrawRequest, caller: str, timeout_s: float) -> draw_pb2.DrawResponse:
        """Open one slot."""
        play = self.prepare_draw(request, caller)
        return self.answer_draw(play, self._perform(play.task, timeout_s))

    def batch_draw(
        self,
        request: draw_pb2.BatchDrawRequest,
        caller: str,
        timeout_s: float,
    ) -> draw_pb2.BatchDrawResponse:
        """Open up to 1,000 slots in one transaction."""
        play = self.prepare_batch(request, caller)
        return self.answer_batch(play, self._perform(play.task, timeout_s))

    def settle(self, request: draw_pb2.SettleRequest, caller: str, timeout_s: float) -> draw_pb2.SettleResponse:
        """Record one bettor's settlement."""
        task = settlement_task(request, caller, self._catalog, self._draw_records)
        return receipts.settle_response(self._perform(task, timeout_s)[0])

    def resolve_request(
        self,
        request: draw_pb2.ResolveRequestRequest,
        caller: str,
        _timeout_s: float,
    ) -> draw_pb2.ResolveRequestResponse:
        """Say what became of a request id; one that was never bound is fenced for ever."""
        checks = Checks()
        request_id = checks.request_id(request.request_id)
        checks.finish()
        with reading(self._ledger) as connection:
            known = find_request(connection, request_id, caller)
        if known is None:
            with writing(self._ledger) as connection:
                known = fence_request(connection, request_id, caller)
        if known.method == FENCE:
            return draw_pb2.ResolveRequestResponse(state=draw_pb2.ResolveRequestResponse.STATE_FENCED)
        found = self._read_back(known)
        return draw_pb2.ResolveRequestResponse(
            state=draw_pb2.ResolveRequestResponse.STATE_BOUND,
            receipts=found.receipts,
            ticket=found.ticket if found.HasField("ticket") else None,
            settlement=found.settlement if found.HasField("settlement") else None,
        )

    def get_receipt(
        self,
        request: draw_pb2.GetReceiptRequest,
        caller: str,
        _timeout_s: float,
    ) -> draw_pb2.GetReceiptResponse:
        """Return what a request of the caller's gave."""
        checks = Checks()
        request_id = checks.request_id(request.request_id)
        checks.finish()
        return self._read_back(self._known(request_id, caller))

    def get_book(
        self,
        request: draw_pb2.GetBookRequest,
        caller: str,
        _timeout_s: float,
    ) -> draw_pb2.GetBookResponse:
        """Return the book of one outcome of a draw of the caller's."""
        checks = Checks()
        request_id = checks.request_id(request.draw_request_id, "draw_request_id")
        checks.finish()
        return receipts.book_response(self._draw_records(request_id, caller), request.item, self._catalog.pool)

    def _perform(self, task: BindTask, timeout_s: float) -> list[OpenedRecord]:
        """Bind and open a task, or find what an earlier request with the same id gave."""
        opened = self._engine.perform(task, timeout_s)
        return self.repeated(task) if task.repeated else opened

    def repeated(self, task: BindTask) -> list[OpenedRecord]:
        """Return what an earlier request with this id gave; raises when it was another request, or a fence."""
        known = self._known(task.request_id, task.caller)
        if known.method == FENCE:
            raise FailedPrecondition("FENCED", "this request_id was resolved as never bound; make a new one")
        if known.payload != task.payload:
            raise FailedPrecondition("REQUEST_ID_REUSED", "this request_id was used for a request with other fields")
        return self._records(known)

    def _prepare(self, build: Build, request: Playing, caller: str, round_pool_id: str | None = None) -> Play:
        """Build the play; what was promised under a game version that has ended since is still kept.

        ``round_pool_id`` is of the last step of the request's round, whose version is meant where none is named.
        """
        streams: Streams = self._catalog
        if round_pool_id is not None and not request.version:
            streams = OfVersion(self._catalog, parse_pool_id(round_pool_id).stream.version)
        try:
            return build(request, caller, streams)
        except (FailedPrecondition, InvalidArgument, NotFound):
            # A repeat, or a draw on a ticket, belongs to the version that was there when it was first answered.
            stream = self._promised(request, caller)
            if stream is None:
                raise
        return build(request, caller, _Pinned(stream))

    def _promised(self, request: Playing, caller: str) -> Stream | None:
        """Return the stream that holds what this request was already given, if it is the one that it names."""
        try:
            request_id = parse_request_id(request.request_id)
        except MalformedError:
            return None
        with reading(self._ledger) as connection:
            pool_id = pool_of_request(connection, request_id, caller)
            if pool_id is None and isinstance(request, draw_pb2.DrawRequest) and not request.next_client_seed_hash:
                pool_id = pool_of_ticket(connection, request.ticket_hash, caller)
        if pool_id is None:
            return None
        said = parse_pool_id(pool_id).stream
        named = request.game, request.version or said.version, request.program, CLASSES.get(request.play_class)
        return self._catalog.stream_of(pool_id) if named == said else None

    def _round(self, round_id: str, caller: str) -> KnownRound | None:
        try:
            check_session(round_id, "round")
        except MalformedError:
            # Reported with everything else that is wrong with the request.
            return None
        with reading(self._ledger) as connection:
            return find_round(connection, caller, round_id)

    def _last_outcome(self, known: KnownRound) -> Outcome:
        """Return the outcome of a round's newest step, opened again the way it was opened first."""
        opened = self._engine.reopen(known.record_id >> POSITION_BITS)
        record = next(record for record in opened if record.bound.id == known.record_id)
        seed = bytes.fromhex(read_binding(known.binding).get("client_seed", ""))
        return receipts.outcomes(self._catalog.pool(record.bound.pool), record, seed)[0]

    def _known(self, request_id: bytes, caller: str) -> KnownRequest:
        with reading(self._ledger) as connection:
            known = find_request(connection, request_id, caller)
        if known is None:
            raise NotFound("request_id: no request of this caller has this id")
        return known

    def _records(self, known: KnownRequest) -> list[OpenedRecord]:
        return [record for record in self._engine.reopen(known.group_id) if known.owns(record.bound)]

    def _draw_records(self, request_id: bytes, caller: str) -> list[OpenedRecord]:
        known = self._known(request_id, caller)
        if known.method not in {"Draw", "BatchDraw"}:
            raise NotFound("draw_request_id: no draw of this caller has this id")
        return [record for record in self._records(known) if record.bound.kind == "draw"]

    def _read_back(self, known: KnownRequest) -> draw_pb2.GetReceiptResponse:
        if not known.has_records:
            raise NotFound("request_id: nothing was bound under this id, it has no receipt")
        response = draw_pb2.GetReceiptResponse()
        for opened in self._records(known):
            if opened.bound.kind == "draw":
                response.receipts.append(receipts.read_back(self._catalog, opened))
            elif opened.bound.kind == "ticket":
                response.ticket.CopyFrom(self._ticket(opened))
            else:
                response.settlement.CopyFrom(receipts.settle_response(opened))
        return response

    def _ticket(self, opened: OpenedRecord) -> draw_pb2.ReserveResponse:
        return receipts.ticket_response(self._catalog.pool(opened.bound.pool), opened)

    def _receipt(self, play: Play, opened: OpenedRecord) -> types_pb2.Receipt:
        if not play.stream.owns(opened.bound.pool_id):
            # A repeat that names no version, of a draw from before the newest was registered: its own bet pays it.
            return receipts.read_back(self._catalog, opened)
        pool = self._catalog.pool(opened.bound.pool)
        return receipts.draw_receipt(pool, opened, play.client_seed, play.bet, play.stake_minor)
