"""Unary calls without a thread each: begun on grpc's serving thread, finished by whoever has the answer.

grpc's synchronous server hands every call to a worker thread, which waits for the request, computes, and sends; two
thread switches and a pile of bookkeeping, more than a whole draw costs here. A `FastMethod` instead is called with the
request's bytes on the serving thread, must return at once, and is answered later through its `UnaryCall`, a commit
group at a time. Everything else (ports, TLS, health, reflection, streams, limits, shutdown) stays grpc's.

This rests on names inside `grpc._server` that grpc does not promise to keep, so `install` looks whether they are there;
if not, or if it is never called, a FastMethod behaves as the ordinary method that it also is. The same tests run both
ways. docs/adr/0002 tells what else was considered and measured.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

import grpc

from rng_service.front.status import retry_metadata, status_of

_REQUIRED: Final = (
    "_Context",
    "_RECEIVE_CLOSE_ON_SERVER_TOKEN",
    "_handle_with_method_handler",
    "_is_rpc_state_active",
    "_possibly_finish_call",
    "_receive_close_on_server",
)
# What grpc keeps in `due` while an operation is under way.
_RECEIVING: Final = "sealdraw.receive-message"
_SENDING: Final = "sealdraw.send-status"
_DETAILS_KEY: Final = "grpc-status-details-bin"


class UnaryCall:
    """One call in progress; exactly one of `finish` and `fail` is called, from any thread."""

    __slots__ = ("_completed", "_event", "_state", "context")

    def __init__(self, event: Any, state: Any) -> None:
        self._event = event
        self._state = state
        self._completed: Callable[[Any], None] = _nothing
        self.context: grpc.ServicerContext = _server._Context(event, state, None)  # noqa: SLF001

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """Be the future that grpc counts its running calls by."""
        self._completed = callback

    def finish(self, response: bytes) -> None:
        """Answer with OK and ``response``."""
        self._send(None, _cygrpc.StatusCode.ok, b"", _cygrpc.SendMessageOperation(response, 0))

    def fail(self, error: Exception) -> None:
        """Answer with the status of ``error``."""
        status = status_of(error)
        trailing = (*retry_metadata(error), (_DETAILS_KEY, status.SerializeToString()))
        self._send(trailing, status.code, status.message.encode("utf-8"))

    def _send(self, trailing: Any, code: int, details: bytes, *message: Any) -> None:
        state = self._state
        operations = (
            _cygrpc.SendStatusFromServerOperation(trailing, code, details, 0),
            _cygrpc.SendInitialMetadataOperation(None, 0),
            *message,
        )
        with state.condition:
            if not _server._is_rpc_state_active(state):  # noqa: SLF001
                # The caller has gone. What was bound stays bound; the same request id will find it.
                self._completed(self)
                return
            state.statused = True
            state.due.add(_SENDING)
            self._event.call.start_server_batch(operations, self._sent)

    def _sent(self, _event: Any) -> Any:
        self._completed(self)
        with self._state.condition:
            return _server._possibly_finish_call(self._state, _SENDING)  # noqa: SLF001


Begin = Callable[[bytes, UnaryCall], None]


class FastMethod(grpc.RpcMethodHandler):  # type: ignore[type-arg]
    """A unary method with two entrances: ``begin`` for the fast path, ``call`` for grpc's ordinary one."""

    def __init__(self, begin: Begin, call: Callable[[bytes, grpc.ServicerContext], bytes]) -> None:
        self.begin = begin
        self.request_streaming = False
        self.response_streaming = False
        self.request_deserializer = None
        self.response_serializer = None
        self.unary_unary = call
        self.unary_stream = None
        self.stream_unary = None
        self.stream_stream = None


def install() -> bool:
    """Let grpc's server begin FastMethods directly; False when this grpc is not as it must be, and nothing changes."""
    if any(not hasattr(_server, name) for name in _REQUIRED):
        return False
    if _server._handle_with_method_handler is not _handle:  # noqa: SLF001
        _server._handle_with_method_handler = _handle  # noqa: SLF001
    return True


def _handle(event: Any, state: Any, method: Any, thread_pool: Any) -> Any:
    if not isinstance(method, FastMethod):
        return _ordinary(event, state, method, thread_pool)
    call = UnaryCall(event, state)

    def received(message_event: Any) -> Any:
        data = message_event.batch_operations[0].message()
        with state.condition:
            finished = _server._possibly_finish_call(state, _RECEIVING)  # noqa: SLF001
        if data is None:
            call._completed(call)  # noqa: SLF001
        else:
            method.begin(data, call)
        return finished

    with state.condition:
        token = _server._RECEIVE_CLOSE_ON_SERVER_TOKEN  # noqa: SLF001
        state.due.add(token)
        event.call.start_server_batch(
            (_cygrpc.ReceiveCloseOnServerOperation(0),),
            _server._receive_close_on_server(state),  # noqa: SLF001
        )
        state.due.add(_RECEIVING)
        event.call.start_server_batch((_cygrpc.ReceiveMessageOperation(0),), received)
    return call


def _nothing(_call: Any) -> None:
    """Stand in until grpc has said how it counts the call."""


_server: Any = import_module("grpc._server")
_cygrpc: Any = import_module("grpc._cython.cygrpc")
_ordinary: Any = getattr(_server, "_handle_with_method_handler", None)
