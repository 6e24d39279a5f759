"""The gRPC server: turns handlers into methods, with caller, deadline, size limits, statuses and a graceful drain."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, Final, TypeVar

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from rng_service.errors import Unavailable
from rng_service.front.audit_service import MAX_WATCHERS
from rng_service.front.callers import Callers
from rng_service.front.checks import parse
from rng_service.front.engine import DrawEngine, Submission
from rng_service.front.fast_path import FastMethod, FastMethods, UnaryCall
from rng_service.front.opening import OpenedRecord
from rng_service.front.requests import Play
from rng_service.front.status import abort
from rng_service.ledger.tasks import BindTask

MAX_REQUEST_BYTES: Final = 64 * 1024
MAX_DEFINITION_BYTES: Final = 5 * 1024 * 1024
# A mebibyte of a file, and what says which file it is.
MAX_CHUNK_BYTES: Final = 1024 * 1024 + 1024
DEFAULT_TIMEOUT_S: Final = 30.0
NOTICE_S: Final = 0.5

Request = TypeVar("Request", bound=Message)
Unary = Callable[[Any, str, float], Message]
Streaming = Callable[[Any, str, Callable[[], bool]], Iterator[Message]]


class Gate:
    """Whether new calls are let in; closed while the service drains."""

    def __init__(self) -> None:
        self.stopping = threading.Event()

    def check(self) -> None:
        """Raise Unavailable when the service is draining."""
        if self.stopping.is_set():
            raise Unavailable("DRAINING", "this server is shutting down; repeat the request elsewhere", 1_000)


def unary(
    kind: type[Request],
    handler: Callable[[Request, str, float], Message],
    *,
    callers: Callers,
    roles: frozenset[str],
    gate: Gate,
    limit: int = MAX_REQUEST_BYTES,
) -> "grpc.RpcMethodHandler[bytes, bytes]":
    """Return the method that parses a request of ``kind``, identifies the caller and answers with ``handler``."""
    return grpc.unary_unary_rpc_method_handler(_caught(kind, handler, callers, roles, gate, limit))


def _caught(
    kind: type[Request],
    handler: Callable[[Request, str, float], Message],
    callers: Callers,
    roles: frozenset[str],
    gate: Gate,
    limit: int,
) -> Callable[[bytes, grpc.ServicerContext], bytes]:
    def call(data: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            gate.check()
            caller = callers.identify(context, roles)
            remaining = context.time_remaining()
            # Without a deadline grpc gives None, whatever its stubs say.
            timeout_s = min(remaining or DEFAULT_TIMEOUT_S, DEFAULT_TIMEOUT_S)
            return handler(parse(kind, data, limit), caller, timeout_s).SerializeToString()
        except Exception as error:  # noqa: BLE001 - every failure has its status
            abort(context, error)

    return call


def _never(_request: object) -> bool:
    return False


def grouped(
    kind: type[Request],
    prepare: Callable[[Request, str], Play],
    answer: Callable[[Play, list[OpenedRecord]], Message],
    *,
    engine: DrawEngine,
    repeated: Callable[[BindTask], list[OpenedRecord]],
    slow: Executor,
    callers: Callers,
    roles: frozenset[str],
    gate: Gate,
    reads_first: Callable[[Any], bool] = _never,
) -> FastMethod:
    """Return the method whose requests join commit groups: prepared at once, answered when their group is open.

    Repeats, and requests for which ``reads_first`` is true, need to read the ledger and go to the ``slow`` executor.
    Without the fast path the same functions run in grpc's worker threads.
    """

    def begin(data: bytes, call: UnaryCall) -> None:
        try:
            gate.check()
            caller = callers.identify(call.context, roles)
            request = parse(kind, data, MAX_REQUEST_BYTES)
            if reads_first(request):
                slow.submit(proceed, request, caller, call)
                return
        except Exception as error:  # noqa: BLE001 - every failure has its status
            call.fail(error)
            return
        proceed(request, caller, call)

    def proceed(request: Request, caller: str, call: UnaryCall) -> None:
        try:
            play = prepare(request, caller)
            timeout_s = min(call.time_remaining(), DEFAULT_TIMEOUT_S)
        except Exception as error:  # noqa: BLE001 - every failure has its status
            call.fail(error)
            return

        def answered(opened: list[OpenedRecord]) -> None:
            try:
                response = answer(play, opened).SerializeToString()
            except Exception as error:  # noqa: BLE001 - every failure has its status
                call.fail(error)
            else:
                call.finish(response)

        def look_up() -> None:
            try:
                opened = repeated(play.task)
            except Exception as error:  # noqa: BLE001 - every failure has its status
                call.fail(error)
            else:
                answered(opened)

        def decided(submission: Submission) -> None:
            if submission.error is not None:
                call.fail(submission.error)
            elif play.task.repeated:
                slow.submit(look_up)
            else:
                answered(submission.opened)

        engine.submit(play.task, decided, timeout_s=timeout_s)

    def respond(request: Request, caller: str, timeout_s: float) -> Message:
        play = prepare(request, caller)
        opened = engine.perform(play.task, timeout_s)
        return answer(play, repeated(play.task) if play.task.repeated else opened)

    return FastMethod(begin, _caught(kind, respond, callers, roles, gate, MAX_REQUEST_BYTES))


def streaming(
    kind: type[Request],
    handler: Callable[[Request, str, Callable[[], bool]], Iterator[Message]],
    *,
    callers: Callers,
    roles: frozenset[str],
    gate: Gate,
) -> "grpc.RpcMethodHandler[bytes, bytes]":
    """Return the method that streams what ``handler`` yields while the call is active."""

    def call(data: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        try:
            gate.check()
            caller = callers.identify(context, roles)
            for message in handler(parse(kind, data, MAX_REQUEST_BYTES), caller, context.is_active):
                yield message.SerializeToString()
        except Exception as error:  # noqa: BLE001 - every failure has its status
            abort(context, error)

    return grpc.unary_stream_rpc_method_handler(call)


def uploading(
    kind: type[Request],
    handler: Callable[[Iterator[Any], str], Message],
    *,
    callers: Callers,
    roles: frozenset[str],
    gate: Gate,
    limit: int,
) -> "grpc.RpcMethodHandler[bytes, bytes]":
    """Return the method that answers a stream of requests of ``kind``, each of at most ``limit`` bytes, with one."""

    def call(stream: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        try:
            gate.check()
            caller = callers.identify(context, roles)
            return handler((parse(kind, data, limit) for data in stream), caller).SerializeToString()
        except Exception as error:  # noqa: BLE001 - every failure has its status
            abort(context, error)

    return grpc.stream_unary_rpc_method_handler(call)


class FrontServer:
    """A configured server; `start` opens it, `drain` ends it without losing what is in flight."""

    def __init__(
        self,
        services: "Mapping[str, Mapping[str, grpc.RpcMethodHandler[bytes, bytes]]]",
        gate: Gate,
        *,
        listen: str,
        credentials: grpc.ServerCredentials | None,
        threads: int,
        max_in_flight: int,
        reflect: bool,
        share_port: bool,
    ) -> None:
        self._gate = gate
        self._server = grpc.server(
            # Watches hold a thread each for as long as they last; draws keep theirs.
            ThreadPoolExecutor(threads + MAX_WATCHERS, thread_name_prefix="call"),
            maximum_concurrent_rpcs=max_in_flight,
            options=[
                ("grpc.so_reuseport", 1 if share_port else 0),
                ("grpc.max_receive_message_length", MAX_DEFINITION_BYTES),
                ("grpc.max_send_message_length", 16 * 1024 * 1024),
                ("grpc.max_metadata_size", 16 * 1024),
            ],
        )
        fast = {
            f"/{name}/{method}": handler
            for name, methods in services.items()
            for method, handler in methods.items()
            if isinstance(handler, FastMethod)
        }
        # First, because its methods are called most.
        self._server.add_generic_rpc_handlers((FastMethods(fast),))
        for name, methods in services.items():
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, dict(methods)),))
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._names = [*services, ""]
        if reflect:
            names = [*services, health.SERVICE_NAME, reflection.SERVICE_NAME]
            reflection.enable_server_reflection(names, self._server)
        if credentials is None:
            self.port = self._server.add_insecure_port(listen)
        else:
            self.port = self._server.add_secure_port(listen, credentials)

    def start(self) -> None:
        """Accept calls."""
        self._server.start()
        self._announce(health_pb2.HealthCheckResponse.SERVING)

    def drain(self, grace_s: float) -> None:
        """Refuse new calls as DRAINING for a moment, let those in flight finish for ``grace_s``, then stop.

        The moment is for callers and load balancers: once grpc stops, new calls only see the connection go.
        """
        self._gate.stopping.set()
        self._announce(health_pb2.HealthCheckResponse.NOT_SERVING)
        time.sleep(min(NOTICE_S, grace_s))
        self._server.stop(grace_s).wait()

    def _announce(self, state: Any) -> None:
        for name in self._names:
            self._health.set(name, state)
