"""One request, sent until it is answered: the retry rule of docs/API.md.

The rule that everything here serves: an id is only ever repeated with the same bytes, and a call ends in one of three
ways: an answer, an error that proves that nothing was drawn, or InDoubtError.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Any, Final, cast

import grpc
from sealdraw.v1 import draw_pb2, draw_pb2_grpc, types_pb2

from rng_service.client.errors import CallError, ClosedError, FailedPrecondition, InDoubtError, UnexpectedStatus
from rng_service.client.expectation import parse_request
from rng_service.client.journal import JournalEntry
from rng_service.client.judge import Pause
from rng_service.client.retry import RetryPolicy
from rng_service.client.status import Failure, read_failure

_STALE: Final = "STALE_REQUEST_ID"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The clocks, the pauses and the jitter; parameters, so that tests wait for nothing.

    ``now_us`` is the machine's clock in microseconds UTC, which answers are held against; ``pause`` waits until an
    event is set, or for so many seconds.
    """

    sleep: Callable[[float], None] = time.sleep
    pause: Pause = Event.wait
    now_us: Callable[[], int] = lambda: time.time_ns() // 1_000
    monotonic: Callable[[], float] = time.monotonic
    fraction: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True)
class Answer:
    """What any method may answer with."""

    receipts: tuple[types_pb2.Receipt, ...] = ()
    ticket: draw_pb2.ReserveResponse | None = None
    settlement: draw_pb2.SettleResponse | None = None


class Exchange:
    """Makes the calls of `DrawService`; may be shared by threads."""

    def __init__(
        self,
        channel: grpc.Channel,
        policy: RetryPolicy,
        metadata: tuple[tuple[str, str], ...],
        surroundings: Surroundings,
    ) -> None:
        self._channel = channel
        self._stub = draw_pb2_grpc.DrawServiceStub(channel)
        self._policy = policy
        self._metadata = metadata
        self._around = surroundings
        self._closed = False

    def perform(self, entry: JournalEntry) -> Answer:
        """Send a journaled request until its fate is known.

        Raises CallError when nothing was drawn and nothing will be under this id, InDoubtError when even
        `ResolveRequest` gave no answer.
        """
        response, failure = self._send(getattr(self._stub, entry.method), parse_request(entry), entry.request_id)
        if failure is None:
            return _answer(entry.method, response)
        if not failure.in_doubt:
            raise failure.error
        # An earlier try may have been bound although a later one was refused, so the error alone proves nothing.
        try:
            found = self.resolve(entry.request_id)
        except CallError as error:
            raise InDoubtError(entry.request_id, error) from failure.error
        if found is None:
            raise failure.error
        return found

    def resolve(self, request_id: str) -> Answer | None:
        """Return what became of an id; None when it was bound to nothing and, from now on, never will be.

        Raises CallError when the service gave no answer.
        """
        request = draw_pb2.ResolveRequestRequest(request_id=request_id)
        response, failure = self._send(self._stub.ResolveRequest, request, request_id)
        if failure is not None:
            if isinstance(failure.error, FailedPrecondition) and failure.error.reason == _STALE:
                # Too old to be drawn any more, and not known: nothing was bound, and nothing can be.
                return None
            raise failure.error
        if response.state == draw_pb2.ResolveRequestResponse.STATE_FENCED:
            return None
        if response.state != draw_pb2.ResolveRequestResponse.STATE_BOUND:
            raise UnexpectedStatus(
                f"ResolveRequest gave the unknown state {response.state}", code="OK", request_id=request_id
            )
        return _stored(response)

    def get_receipt(self, request_id: str) -> Answer:
        """Return what a request gave; raises CallError."""
        request = draw_pb2.GetReceiptRequest(request_id=request_id)
        response, failure = self._send(self._stub.GetReceipt, request, request_id)
        if failure is not None:
            raise failure.error
        return _stored(response)

    def get_book(self, request_id: str, item: int) -> types_pb2.Book:
        """Return the book of one outcome of a draw; raises CallError."""
        request = draw_pb2.GetBookRequest(draw_request_id=request_id, item=item)
        response, failure = self._send(self._stub.GetBook, request, request_id)
        if failure is not None:
            raise failure.error
        return cast("types_pb2.Book", response.book)

    def close(self) -> None:
        """Close the channel; calls in flight end in doubt."""
        self._closed = True
        self._channel.close()

    def _send(self, method: Any, request: Any, request_id: str) -> tuple[Any, Failure | None]:
        """Try until there is an answer, an error that no retry mends, or no time; the last failure is returned.

        The failure is in doubt when any of the tries was.
        """
        policy, around = self._policy, self._around
        began = around.monotonic()
        tries = failures_in_a_row = 0
        doubt = False
        while True:
            tries += 1
            try:
                return self._call(method, request), None
            except grpc.RpcError as error:
                failure = read_failure(error, request_id)
            doubt = doubt or failure.in_doubt
            failures_in_a_row += 1
            pause_s = policy.pause_s(failures_in_a_row, around.fraction())
            if failure.pause_ms is not None:
                pause_s, failures_in_a_row = failure.pause_ms / 1_000, 0
            late = around.monotonic() - began + pause_s > policy.total_s
            if not failure.retry or tries >= policy.attempts or late:
                return None, Failure(failure.error, in_doubt=doubt, retry=failure.retry, pause_ms=failure.pause_ms)
            around.sleep(pause_s)

    def _call(self, method: Any, request: Any) -> Any:
        if self._closed:
            raise ClosedError("the client is closed")
        try:
            return method(request, timeout=self._policy.attempt_timeout_s, metadata=self._metadata)
        except ValueError as error:
            # The library's word for a channel that another thread closed just now.
            raise ClosedError(str(error)) from None


def _answer(method: str, response: Any) -> Answer:
    if method == "Reserve":
        return Answer(ticket=response)
    if method == "Settle":
        return Answer(settlement=response)
    if method == "BatchDraw":
        return Answer(tuple(response.receipts))
    return Answer((response.receipt,), response.next_ticket if response.HasField("next_ticket") else None)


def _stored(response: draw_pb2.ResolveRequestResponse | draw_pb2.GetReceiptResponse) -> Answer:
    return Answer(
        tuple(response.receipts),
        response.ticket if response.HasField("ticket") else None,
        response.settlement if response.HasField("settlement") else None,
    )
