"""A draw service for games in development: real answers to every call, outcomes and failures on demand, no protection.

It refuses every environment and address that could be mistaken for the real thing.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Final, Self

import grpc
from sealdraw.v1 import draw_pb2

from anchor.errors import MalformedError
from rng_service.client.channel import CALLER_KEY, is_loopback
from rng_service.errors import ConfigError, PermissionDenied
from rng_service.fake.book import FakeBook
from rng_service.fake.catalog import POOL_SIZE, FakeCatalog
from rng_service.fake.injection import Fault, Faults
from rng_service.fake.outcomes import ForcedOutcomes
from rng_service.fake.service import FakeService
from rng_service.front.checks import parse
from rng_service.front.status import abort
from rng_service.game_file_store import GameFileStore
from rng_service.games import GameDefinition
from rng_service.names import check_name

ENVIRONMENTS: Final = ("demo", "dev", "test")
OPERATOR: Final = "fake"
_MAX_REQUEST_BYTES: Final = 64 * 1024
_TICKET_LIFETIME_US: Final = 300 * 1_000_000
_DEFAULT_CALLER: Final = "local"
_THREADS: Final = 8


class FakeServer:
    """The fake, listening from its making until `close`.

    ``listen`` is a loopback address, port 0 takes a free one; `target` is where it listens. Outcomes follow from
    ``seed`` unless `force` fixes them. ``on_commit`` is called with a method's name after a call was carried out and
    before it is answered: what happens then, happens to a draw that is already made. ``files`` has the
    books of games that have them. Raises ConfigError for an
    environment or address that is not for development.
    """

    def __init__(
        self,
        games: Sequence[GameDefinition],
        *,
        listen: str = "127.0.0.1:0",
        env: str = "dev",
        seed: bytes = b"",
        pool_size: int = POOL_SIZE,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000,
        on_commit: Callable[[str], None] | None = None,
        files: GameFileStore | None = None,
    ) -> None:
        if env not in ENVIRONMENTS:
            raise ConfigError(f"environment {env!r}: the fake only runs in {', '.join(ENVIRONMENTS)}")
        if not is_loopback(listen):
            raise ConfigError(f"address {listen!r}: the fake only listens on a loopback address, such as 127.0.0.1:0")
        self.origin = f"{OPERATOR}/{env}"
        self.calls: list[tuple[str, str]] = []
        self._forced = ForcedOutcomes()
        self._faults = Faults()
        self._catalog = FakeCatalog(env, games, seed, pool_size, files)
        book = FakeBook(self._catalog, self._forced, self.origin, seed, _TICKET_LIFETIME_US)
        self._service = FakeService(self._catalog, book, clock)
        self._on_commit = on_commit
        self._server = grpc.server(ThreadPoolExecutor(_THREADS), options=(("grpc.so_reuseport", 0),))
        self._server.add_generic_rpc_handlers((self._handlers(),))
        host = listen.rpartition(":")[0]
        try:
            port = self._server.add_insecure_port(listen)
        except RuntimeError as error:
            raise ConfigError(f"address {listen}: {error}") from None
        self.target = f"{host}:{port}"
        self._server.start()

    def force(self, game: str, program: str, outcomes: Sequence[Sequence[int]]) -> None:
        """Fix the outcomes of the next draws of a program, one list of values for each slot.

        Raises NotFound or GameError for what does not exist, ValueError for values that the program cannot yield.
        """
        with self._service.lock:
            self._forced.add(self._catalog.game(game), program, outcomes)

    def fail_next(
        self,
        code: str | grpc.StatusCode,
        reason: str = "",
        *,
        method: str = "",
        times: int = 1,
        after_commit: bool = False,
        retry_after_ms: int | None = None,
        pushback: str | None = None,
    ) -> None:
        """Let the next ``times`` calls (of ``method``, or of any) fail with this status.

        ``after_commit`` carries the call out and loses its answer. ``pushback`` is the text of the trailer
        `grpc-retry-pushback-ms`. Without reason and pause the status has no details, as when a connection breaks.
        Raises ValueError for a status that does not exist or is OK.
        """
        status = grpc.StatusCode.__members__.get(code) if isinstance(code, str) else code
        if status is None or status is grpc.StatusCode.OK:
            raise ValueError(f"status {code!r}: expected the name of a gRPC error status, such as UNAVAILABLE")
        self._faults.add(Fault(status, reason, after_commit, retry_after_ms, pushback), method, times)

    def close(self) -> None:
        """Stop listening; calls in flight are cut off. May be called again."""
        self._server.stop(None).wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def _handlers(self) -> grpc.GenericRpcHandler:
        service = self._service
        methods: dict[str, tuple[type[Any], Callable[[Any, str], Any]]] = {
            "Reserve": (draw_pb2.ReserveRequest, service.reserve),
            "Draw": (draw_pb2.DrawRequest, service.draw),
            "BatchDraw": (draw_pb2.BatchDrawRequest, service.batch_draw),
            "Settle": (draw_pb2.SettleRequest, service.settle),
            "ResolveRequest": (draw_pb2.ResolveRequestRequest, service.resolve_request),
            "GetReceipt": (draw_pb2.GetReceiptRequest, service.get_receipt),
            "GetBook": (draw_pb2.GetBookRequest, service.get_book),
        }
        handlers = {name: self._unary(name, kind, handler) for name, (kind, handler) in methods.items()}
        return grpc.method_handlers_generic_handler("sealdraw.v1.DrawService", handlers)

    def _unary(
        self, name: str, kind: type[Any], handler: Callable[[Any, str], Any]
    ) -> "grpc.RpcMethodHandler[bytes, bytes]":
        def call(data: bytes, context: grpc.ServicerContext) -> bytes:
            fault = self._faults.take(name)
            try:
                request = parse(kind, data, _MAX_REQUEST_BYTES)
                self.calls.append((name, getattr(request, "request_id", "")))
                answer = None
                if fault is None or fault.after_commit:
                    with self._service.lock:
                        answer = handler(request, _caller(context))
            except Exception as error:  # noqa: BLE001 - every failure has its status
                abort(context, error)
            if self._on_commit is not None and answer is not None:
                self._on_commit(name)
            if fault is not None:
                fault.abort(context)
            return b"" if answer is None else answer.SerializeToString()

        return grpc.unary_unary_rpc_method_handler(call)


def _caller(context: grpc.ServicerContext) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == CALLER_KEY and isinstance(value, str):
            try:
                return check_name(value, "caller")
            except MalformedError as error:
                raise PermissionDenied(str(error)) from None
    return _DEFAULT_CALLER
