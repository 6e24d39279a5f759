"""Errors on demand: the next calls fail with a status of the test's choice, before or after they were carried out."""

from collections import deque
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, NoReturn

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from rng_service.client.status import PUSHBACK_KEY
from rng_service.front.status import DOMAIN

if TYPE_CHECKING:
    from google.protobuf.message import Message


class _Status(grpc.Status):
    """A status with trailers of our choice."""

    def __init__(
        self, code: grpc.StatusCode, details: str, trailing_metadata: tuple[tuple[str, str | bytes], ...]
    ) -> None:
        self.code = code
        self.details = details
        self.trailing_metadata = trailing_metadata


@dataclass(frozen=True, slots=True)
class Fault:
    """One failure. With ``after_commit`` the request is carried out and only its answer is lost."""

    code: grpc.StatusCode
    reason: str = ""
    after_commit: bool = False
    retry_after_ms: int | None = None
    pushback: str | None = None

    def abort(self, context: grpc.ServicerContext) -> NoReturn:
        """End the call with this failure."""
        if not self.reason and self.pushback is None and self.retry_after_ms is None:
            # Like a proxy, or a connection that broke: a status without details.
            context.abort(self.code, "injected by the test")
        rich = rpc_status.to_status(self._status())
        trailers = rich.trailing_metadata
        if self.pushback is not None:
            trailers += ((PUSHBACK_KEY, self.pushback),)
        # Trailers that are set on the context are lost when a status brings its own, so the two are joined here.
        context.abort_with_status(_Status(rich.code, rich.details, trailers))
        raise AssertionError("abort_with_status raises")  # for the type checker: the line above never returns

    def _status(self) -> status_pb2.Status:
        details: list[Message] = []
        if self.reason:
            details.append(error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN))
        if self.retry_after_ms is not None:
            delay = duration_pb2.Duration()
            delay.FromMilliseconds(self.retry_after_ms)
            details.append(error_details_pb2.RetryInfo(retry_delay=delay))
        status = status_pb2.Status(code=code_pb2.Code.Value(self.code.name), message="injected by the test")
        for detail in details:
            packed = any_pb2.Any()
            packed.Pack(detail)
            status.details.append(packed)
        return status


class Faults:
    """The failures that wait, by method; may be used by several threads."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Fault]] = {}
        self._lock = Lock()

    def add(self, fault: Fault, method: str, times: int) -> None:
        """Let the next ``times`` calls of ``method`` (empty: of any) fail."""
        with self._lock:
            self._waiting.setdefault(method, deque()).extend([fault] * times)

    def take(self, method: str) -> Fault | None:
        """Return the failure of a call that comes in now, if it is to fail."""
        with self._lock:
            for name in (method, ""):
                if self._waiting.get(name):
                    return self._waiting[name].popleft()
        return None
