"""What calls of the client raise, one class for each answer that a game server acts on differently.

    ClientError
    ├── CallError              answered, and nothing was drawn; ``code`` is the gRPC status, ``reason`` docs/API.md's
    │   ├── InvalidArgument        fix the request: ``violations`` pairs field paths with descriptions
    │   ├── NotFound               game, program, ticket or receipt
    │   ├── FailedPrecondition     can never succeed as it is: ``reason`` says why
    │   ├── ResourceExhausted      over a quota: later, with a new id
    │   ├── Unauthenticated        the connection names no caller
    │   ├── PermissionDenied       the caller may not do this
    │   ├── Unavailable            all retries failed, and the id was drawn from nothing and never will be
    │   └── UnexpectedStatus       a status that docs/API.md does not know
    ├── InDoubtError           nothing is known about the id: it stays in the journal, `Client.resolve` it later
    ├── UnverifiedError        answers could not be checked, since public files are missing; nothing was sent
    ├── JournalError           the journal of this machine cannot be used; nothing was sent
    └── ClosedError            the client was closed

A receipt that is wrong raises `BadReceiptError`, an `anchor.errors.VerificationError`: from then on the client
draws no more.
"""

from anchor.errors import VerificationError
from rng_service.errors import SealdrawError


class ClientError(SealdrawError):
    """The root of what the client raises about calls."""


class CallError(ClientError):
    """The service answered with an error status, and under this id nothing was bound and nothing will be.

    ``retry_after_ms`` is the pause that the service asked for, None when it named none.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        request_id: str = "",
        reason: str = "",
        retry_after_ms: int | None = None,
        violations: tuple[tuple[str, str], ...] = (),
    ) -> None:
        named = f"{code} {reason}".rstrip()
        super().__init__(f"{named}: {message} (request {request_id})" if request_id else f"{named}: {message}")
        self.message = message
        self.code = code
        self.request_id = request_id
        self.reason = reason
        self.retry_after_ms = retry_after_ms
        self.violations = violations


class InvalidArgument(CallError):  # noqa: N818 - named like the status
    """Fields that are not as they must be; see ``violations``."""


class NotFound(CallError):  # noqa: N818 - named like the status
    """Something named in the request does not exist for this caller."""


class FailedPrecondition(CallError):  # noqa: N818 - named like the status
    """The request can never succeed as it is; see ``reason``."""


class ResourceExhausted(CallError):  # noqa: N818 - named like the status
    """The caller is over its quota."""


class Unauthenticated(CallError):  # noqa: N818 - named like the status
    """The connection does not say who calls."""


class PermissionDenied(CallError):  # noqa: N818 - named like the status
    """The caller is not allowed to do this."""


class Unavailable(CallError):  # noqa: N818 - named like the status
    """The service could not answer in time, however often it was asked."""


class UnexpectedStatus(CallError):  # noqa: N818 - it is the status
    """A status that the contract does not have."""


class InDoubtError(ClientError):
    """Whether the request was bound is not known; ``last`` is the last error that was seen.

    The request stays in the journal. `Client.resolve` with ``request_id`` ends the doubt; so does the next start.
    """

    def __init__(self, request_id: str, last: CallError) -> None:
        super().__init__(f"request {request_id} is in doubt; resolve it later. Last answer: {last}")
        self.request_id = request_id
        self.last = last


class UnverifiedError(ClientError):
    """Answers could not be checked so far: the log's public files cannot be read, or are behind.

    Nothing is known to be wrong. The answers are tried again; `Client.unverified` says how many there are.
    """


class JournalError(ClientError):
    """The request journal cannot be read or written."""


class ClosedError(ClientError):
    """The client is closed."""


class BadReceiptError(VerificationError):
    """The service answered request ``request_id`` with something that does not verify.

    ``evidence`` are the bytes to keep: the receipt file, or the record where no receipt file can be made of it.
    """

    def __init__(self, reason: str, message: str, *, request_id: str, evidence: bytes = b"") -> None:
        super().__init__(reason, f"request {request_id}: {message}")
        self.request_id = request_id
        self.evidence = evidence
