"""Unary calls without a thread each: begun on grpc's serving thread, finished by whoever has the answer.

grpc's synchronous server gives every call a state with a lock of its own, looks for its handler, hands it to a worker
thread that waits for the request, and computes and sends there; half of what an empty call costs. A `FastMethod` is
called with the request's bytes on the serving thread instead, must return at once, and is answered later through its
`UnaryCall`, a commit group at a time. Everything else (ports, TLS, health, reflection, streams, limits, shutdown) stays
grpc's.

This rests on names inside `grpc._server` that grpc does not promise to keep, so `install` looks whether they are there;
if not, or if it is never called, a FastMethod behaves as the ordinary method that it also is. The same tests run both
ways. docs/adr/0002 tells what else was considered and measured.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

import grpc

from rng_service.front.status import retry_metadata, status_of

_REQUIRED: Final = ("_Context", "_handle_call", "_process_event_and_continue")
_DETAILS_KEY: Final = "grpc-status-details-bin"


class UnaryCall:
    """One call in progress; exactly one of `finish` and `fail` is called, from any thread.

    To grpc it is the call's state (kept while the call is under way, so that a shutdown waits for it) and the future by
    which running calls are counted.
    """

    __slots__ = ("_completed", "_event", "_method")

    def __init__(self, event: Any, method: "FastMethod") -> None:
        self._event = event
        self._method = method
        self._completed: Callable[[Any], None] | None = None

    @property
    def context(self) -> grpc.ServicerContext:
        """The facts of the call: caller, metadata, deadline. It cannot be answered through this."""
        return _server._Context(self._event, None, None)  # type: ignore[no-any-return]  # noqa: SLF001

    def time_remaining(self) -> float:
        """Return the seconds until the caller's deadline; infinite without one."""
        return self.context.time_remaining()

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """Be the future that grpc counts its running calls by."""
        self._completed = callback

    def finish(self, response: bytes) -> None:
        """Answer with OK and ``response``."""
        self._send(None, _OK, b"", _cygrpc.SendMessageOperation(response, 0))

    def fail(self, error: Exception) -> None:
        """Answer with the status of ``error``."""
        status = status_of(error)
        trailing = (*retry_metadata(error), (_DETAILS_KEY, status.SerializeToString()))
        self._send(trailing, status.code, status.message.encode("utf-8"))

    def _send(self, trailing: Any, code: int, details: bytes, *message: Any) -> None:
        operations = (
            _cygrpc.SendStatusFromServerOperation(trailing, code, details, 0),
            _cygrpc.SendInitialMetadataOperation(None, 0),
            *message,
        )
        # When the caller has gone this completes without being sent. What was bound stays bound; the id will find it.
        self._event.call.start_server_batch(operations, self._sent)

    def received(self, event: Any) -> tuple[Any, tuple[()]]:
        """Take the request from grpc's completion queue."""
        data = event.batch_operations[0].message()
        if data is None:
            return self._sent(event)
        self._method.begin(data, self)
        return None, ()

    def _sent(self, _event: Any) -> tuple[Any, tuple[()]]:
        if self._completed is not None:
            self._completed(self)
        return self, ()


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


class FastMethods(grpc.GenericRpcHandler):
    """The fast methods of one server, by their full names; grpc finds them here too when the fast path is not there."""

    def __init__(self, methods: Mapping[str, FastMethod]) -> None:
        self._methods = methods
        self.by_path = {name.encode("ascii"): method for name, method in methods.items()}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> FastMethod | None:
        """Return the method of a call, as grpc asks for it."""
        return self._methods.get(handler_call_details.method)


def install() -> bool:
    """Let grpc's server begin fast methods directly; False when this grpc is not as it must be, and nothing changes."""
    if any(not hasattr(_server, name) for name in _REQUIRED):
        return False
    _server._handle_call = handle_call  # noqa: SLF001
    return True


def handle_call(event: Any, method: Any, pipeline: Any, thread_pool: Any, concurrency_exceeded: bool) -> Any:
    """Begin a call to a fast method; leave every other call to grpc."""
    if event.success and not concurrency_exceeded:
        path = event.call_details.method
        for handler in getattr(method, "_generic_handlers", ()):
            if type(handler) is FastMethods and (found := handler.by_path.get(path)) is not None:
                call = UnaryCall(event, found)
                event.call.start_server_batch((_cygrpc.ReceiveMessageOperation(0),), call.received)
                return call, call
    return ordinary_handle_call(event, method, pipeline, thread_pool, concurrency_exceeded)


_server: Any = import_module("grpc._server")
_cygrpc: Any = import_module("grpc._cython.cygrpc")
ordinary_handle_call: Any = getattr(_server, "_handle_call", None)
_OK: Any = _cygrpc.StatusCode.ok
