"""The failures of the service, one class for each party that must act.

    SealdrawError
    ├── ConfigError           the operator who wrote the setting: names file, field and what to do
    ├── LedgerError           the operator on call: the database cannot do what the protocol needs
    │   └── InDoubtError      nobody yet: a commit may or may not have happened and must be read again
    ├── StartRefused          the operator on call: going on could break a promise; says which and what to do
    └── RequestError          the caller of the API; one subclass for each answer of docs/API.md
        ├── InvalidArgument       fix the request: field paths and what was expected
        ├── NotFound              game, program, pool or receipt
        ├── FailedPrecondition    a stable reason: REQUEST_ID_REUSED, TICKET_EXPIRED, …
        ├── PermissionDenied      the caller is not registered for this
        ├── DeadlineExceeded      the call's time ran out before anything was bound
        └── Unavailable           try again with the same request id, after the pause named

Checks of the log and of receipts raise `anchor.errors.VerificationError`.
"""


class SealdrawError(Exception):
    """The root of every error that the service raises on purpose."""


class ConfigError(SealdrawError):
    """A setting, file or argument that cannot be used as it is."""


class LedgerError(SealdrawError):
    """The ledger cannot be used, or refused what the protocol needs."""


class InDoubtError(LedgerError):
    """A commit whose outcome is not known; the request must be resolved before anything is said about it."""


class StartRefused(SealdrawError):  # noqa: N818 - it is the answer "refused", as operators read it
    """The service will not start or go on, because that could break one of the protocol's promises."""


class RequestError(SealdrawError):
    """A request that is answered with an error status."""


class InvalidArgument(RequestError):  # noqa: N818 - named like the status it becomes
    """Fields that are not as they must be; ``violations`` pairs field paths with descriptions."""

    def __init__(self, *violations: tuple[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {description}" for field, description in violations))
        self.violations = violations


class NotFound(RequestError):  # noqa: N818 - named like the status it becomes
    """Something named in the request does not exist."""


class PermissionDenied(RequestError):  # noqa: N818 - named like the status it becomes
    """The caller is not allowed to do this."""


class DeadlineExceeded(RequestError):  # noqa: N818 - named like the status it becomes
    """The deadline passed while the request was waiting; it was not bound, and may be repeated with the same id."""


class FailedPrecondition(RequestError):  # noqa: N818 - named like the status it becomes
    """The request can never succeed as it is; ``reason`` is one of docs/API.md."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Unavailable(RequestError):  # noqa: N818 - named like the status it becomes
    """Nothing was decided, or it is in doubt; the same request id may be tried again after ``retry_after_ms``."""

    def __init__(self, reason: str, message: str, retry_after_ms: int = 200) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after_ms = retry_after_ms
