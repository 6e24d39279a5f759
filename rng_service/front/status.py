"""From the service's errors to gRPC statuses with google.rpc details (docs/API.md)."""

import logging
from typing import NoReturn

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from rng_service.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Unavailable,
)

_log = logging.getLogger(__name__)

DOMAIN = "sealdraw"


def abort(context: grpc.ServicerContext, error: Exception) -> NoReturn:
    """End the call with the status that ``error`` stands for; anything unforeseen is INTERNAL and says nothing."""
    # Trailing metadata that was set on the context before would be lost here: it has to stand in the status.
    context.abort_with_status(_Aborted(error))
    raise AssertionError("abort_with_status raises")  # for the type checker: the line above never returns


class _Aborted(grpc.Status):
    """A status with google.rpc details and, where it helps to try again, the pause before that."""

    def __init__(self, error: Exception) -> None:
        found = rpc_status.to_status(status_of(error))
        self.code = found.code
        self.details = found.details
        self.trailing_metadata = (*found.trailing_metadata, *retry_metadata(error))


def retry_metadata(error: Exception) -> tuple[tuple[str, str], ...]:
    """Return the trailing metadata that tells a client when to try again."""
    answer = _answer(error)
    if isinstance(answer, Unavailable):
        return (("grpc-retry-pushback-ms", str(answer.retry_after_ms)),)
    return ()


def _answer(error: Exception) -> Exception:
    """Return ``error`` as its caller is told of it: a database that cannot be asked right now is unavailable."""
    if isinstance(error, OperationalError | InterfaceError | PoolTimeoutError):
        return Unavailable("LEDGER_UNAVAILABLE", "the ledger does not answer; repeat the request")
    return error


def status_of(error: Exception) -> status_pb2.Status:
    """Return the google.rpc.Status of an error."""
    error = _answer(error)
    if isinstance(error, InvalidArgument):
        violations = [
            error_details_pb2.BadRequest.FieldViolation(field=field, description=description)
            for field, description in error.violations
        ]
        return _status(code_pb2.INVALID_ARGUMENT, error, error_details_pb2.BadRequest(field_violations=violations))
    if isinstance(error, NotFound):
        return _status(code_pb2.NOT_FOUND, error)
    if isinstance(error, PermissionDenied):
        return _status(code_pb2.PERMISSION_DENIED, error)
    if isinstance(error, FailedPrecondition):
        return _status(code_pb2.FAILED_PRECONDITION, error, _info(error.reason))
    if isinstance(error, Unavailable):
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(error.retry_after_ms)
        retry = error_details_pb2.RetryInfo(retry_delay=delay)
        return _status(code_pb2.UNAVAILABLE, error, _info(error.reason), retry)
    if isinstance(error, DeadlineExceeded):
        return _status(code_pb2.DEADLINE_EXCEEDED, error)
    # The message of a database may quote values, so only its kind is logged.
    quotes = isinstance(error, SQLAlchemyError)
    _log.error("unforeseen failure: %s", type(error).__name__, exc_info=None if quotes else error)
    # What went wrong inside may have touched secrets or outcomes: nothing of it leaves.
    return status_pb2.Status(code=code_pb2.INTERNAL, message="internal error; the request is in doubt, repeat it")


def _info(reason: str) -> error_details_pb2.ErrorInfo:
    return error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN)


def _status(code: int, error: Exception, *details: Message) -> status_pb2.Status:
    packed = []
    for detail in details:
        wrapped = any_pb2.Any()
        wrapped.Pack(detail)
        packed.append(wrapped)
    return status_pb2.Status(code=code, message=str(error), details=packed)
