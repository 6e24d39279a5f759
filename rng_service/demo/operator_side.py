"""The operator's part of the demo: register games, wait for pools, retire the games, wait until all is closed."""

import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import grpc
from sealdraw.v1 import audit_pb2, audit_pb2_grpc, operator_pb2, operator_pb2_grpc, types_pb2

from rng_service.client.channel import CALLER_KEY
from rng_service.errors import StartRefused
from rng_service.games import GameDefinition
from rng_service.request_id import new_request_id

__all__ = ["OperatorSide"]

_METADATA: Final = ((CALLER_KEY, "demo-operator"),)
_CALL_S: Final = 20.0
_WAIT_S: Final = 90.0
_POLL_S: Final = 0.1
_ENDED: Final = frozenset({"closed", "erased", "void"})


class OperatorSide:
    """Calls of the operator and audit services; ``progress`` is told (done, of how many)."""

    def __init__(self, channel: grpc.Channel, progress: Callable[[int, int], None]) -> None:
        self._operator = operator_pb2_grpc.OperatorServiceStub(channel)
        self._audit = audit_pb2_grpc.AuditServiceStub(channel)
        self._progress = progress

    def register(self, games: Iterable[GameDefinition]) -> None:
        """Register every game for play for money."""
        for game in games:
            self._operator.RegisterGame(
                operator_pb2.RegisterGameRequest(
                    request_id=new_request_id(),
                    definition=game.canonical,
                    play_classes=[types_pb2.PLAY_CLASS_REAL],
                ),
                timeout=_CALL_S,
                metadata=_METADATA,
            )

    def await_pools(self, ready: int, streams: int) -> int:
        """Return once each of so many streams has ``ready`` pools to draw from, with the number of pools."""

        def look() -> tuple[int, int]:
            answer = self._operator.GetStatus(operator_pb2.GetStatusRequest(), timeout=_CALL_S, metadata=_METADATA)
            found = [min(ready, stream.ready_pools) for stream in answer.streams]
            # A front that is busy learns of one stream after the other.
            return sum(found), ready * max(streams, len(found))

        return self._await(look, "pools were not activated and tested")

    def retire(self, games: Iterable[GameDefinition]) -> None:
        """End every game: what is left of its pools is opened to the public."""
        for game in games:
            self._operator.RetireGame(
                operator_pb2.RetireGameRequest(request_id=new_request_id(), name=game.game, version=game.version),
                timeout=_CALL_S,
                metadata=_METADATA,
            )

    def await_closed(self) -> int:
        """Return once every pool is closed, or void as a whole, with their number."""

        def look() -> tuple[int, int]:
            states = [pool.state for pool in self._pools()]
            return sum(state in _ENDED for state in states), len(states)

        return self._await(look, "pools were not closed")

    def publish_table(self) -> int:
        """Return the number of a table of returns over everything, once it is published."""
        request = operator_pb2.PublishRtpTableRequest(request_id=new_request_id())

        def look() -> tuple[int, int]:
            found = self._operator.PublishRtpTable(request, timeout=_CALL_S, metadata=_METADATA).table
            if found.state == operator_pb2.RTP_TABLE_STATE_REFUSED:
                raise StartRefused(f"the table of returns was refused: {found.refusal}")
            return int(found.state == operator_pb2.RTP_TABLE_STATE_PUBLISHED), 1

        self._await(look, "the table of returns was not published")
        found = self._operator.PublishRtpTable(request, timeout=_CALL_S, metadata=_METADATA).table
        return int(found.sequence)

    def _pools(self) -> list[Any]:
        found: list[Any] = []
        token = ""
        while True:
            request = audit_pb2.ListPoolsRequest(page_size=1_000, page_token=token)
            answer = self._audit.ListPools(request, timeout=_CALL_S, metadata=_METADATA)
            found.extend(answer.pools)
            token = answer.next_page_token
            if not token:
                return found

    def _await(self, look: Callable[[], tuple[int, int]], failure: str) -> int:
        deadline = time.monotonic() + _WAIT_S
        while True:
            done, total = look()
            self._progress(done, total)
            if done == total:
                return total
            if time.monotonic() > deadline:
                raise StartRefused(f"{failure} within {_WAIT_S:.0f} s: {done} of {total}")
            time.sleep(_POLL_S)
