"""From a failed gRPC call to what it means: which error it is, whether it leaves doubt, and when to try again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from rng_service.client.errors import (
    CallError,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    UnexpectedStatus,
)

PUSHBACK_KEY: Final = "grpc-retry-pushback-ms"
# With these the service says that it bound nothing; every other UNAVAILABLE may hide a binding.
_NOTHING_BOUND: Final = frozenset({"POOLS_EXHAUSTED", "DRAINING"})
_DECIDED: Final[Mapping[grpc.StatusCode, type[CallError]]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgument,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.FAILED_PRECONDITION: FailedPrecondition,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.UNIMPLEMENTED: UnexpectedStatus,
}
_WITHOUT_ANSWER: Final = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}
)
_MOST_PUSHBACK_MS: Final = 2**31


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt.

    ``in_doubt``: the request may have been bound all the same. ``retry``: the same id may be sent again, after
    ``pause_ms`` when the service named a pause.
    """

    error: CallError
    in_doubt: bool
    retry: bool
    pause_ms: int | None = None


def read_failure(error: grpc.RpcError, request_id: str) -> Failure:
    """Return what a failed attempt means; source: docs/API.md and gRFC A6 for the pushback."""
    code = error.code()
    details = _Details(error)
    pushback = _pushback(error)
    pause_ms = details.retry_after_ms if pushback is None else pushback
    # A negative pushback forbids to try again.
    may_retry = pushback is None or pushback >= 0
    if code in _DECIDED:
        return Failure(_error(_DECIDED[code], code, details, request_id, pause_ms), in_doubt=False, retry=False)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        # A quota says so. Without details it is a full server, or this side's own limit on messages, reached by an
        # answer that was already there.
        made = _error(ResourceExhausted, code, details, request_id, pause_ms)
        full = not details.found
        return Failure(made, in_doubt=full, retry=full and may_retry, pause_ms=pause_ms)
    kind = Unavailable if code in _WITHOUT_ANSWER else UnexpectedStatus
    made = _error(kind, code, details, request_id, pause_ms)
    return Failure(made, in_doubt=details.reason not in _NOTHING_BOUND, retry=may_retry, pause_ms=pause_ms)


class _Details:
    """The google.rpc details of a failed call; whatever does not parse counts as absent."""

    def __init__(self, error: grpc.RpcError) -> None:
        self.message = error.details() or ""
        self.reason = ""
        self.retry_after_ms: int | None = None
        self.violations: tuple[tuple[str, str], ...] = ()
        status = _rich_status(error)
        self.found = status is not None and len(status.details) > 0
        if status is None:
            return
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        bad = error_details_pb2.BadRequest()
        if _unpack(status, info):
            self.reason = info.reason
        if _unpack(status, retry):
            self.retry_after_ms = max(0, retry.retry_delay.ToMilliseconds())
        if _unpack(status, bad):
            self.violations = tuple((item.field, item.description) for item in bad.field_violations)


def _rich_status(error: grpc.RpcError) -> status_pb2.Status | None:
    try:
        # What a call raises is the call itself.
        return rpc_status.from_call(cast("grpc.Call", error))
    except (ValueError, DecodeError):
        # The details contradict the status, or are no message: the status alone counts.
        return None


def _unpack(status: status_pb2.Status, into: Message) -> bool:
    for detail in status.details:
        if detail.Is(into.DESCRIPTOR):
            try:
                return bool(detail.Unpack(into))
            except DecodeError:
                return False
    return False


def _pushback(error: grpc.RpcError) -> int | None:
    """Return the pushback in milliseconds, -1 when it forbids to retry, None when there is none."""
    trailers = cast("tuple[tuple[str, str | bytes], ...]", error.trailing_metadata() or ())
    for key, value in trailers:
        if key == PUSHBACK_KEY:
            text = value if isinstance(value, str) else ""
            number = text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= _MOST_PUSHBACK_MS
            return int(text) if number else -1
    return None


def _error(
    kind: type[CallError], code: grpc.StatusCode, details: _Details, request_id: str, pause_ms: int | None
) -> CallError:
    return kind(
        details.message,
        code=code.name,
        request_id=request_id,
        reason=details.reason,
        retry_after_ms=None if pause_ms is not None and pause_ms < 0 else pause_ms,
        violations=details.violations,
    )
