"""The failures of the log, one class for each party that must act.

    AnchorError
    ├── MalformedError      whoever handed over the bytes: they do not parse, or not canonically
    ├── MissingError        whoever serves the directory: a file that must be there is not
    ├── VerificationError   whoever relies on the log: it was checked and found wrong
    └── RefusedError        the operator on call: the writer or the guard will not go on, and says why

Every message names the file, field or position that it is about.
"""


class AnchorError(Exception):
    """The root of every error that this package raises on purpose."""


class MalformedError(AnchorError):
    """Bytes from outside that do not have the form they must have."""


class MissingError(AnchorError):
    """A file or resource that a published checkpoint implies cannot be read."""


class VerificationError(AnchorError):
    """Something was checked and found wrong.

    ``reason`` is a stable slug (``tile-mismatch``, ``outcome-mismatch``, …) that programs and tests compare;
    the message says what was expected, what was found and where.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


class RefusedError(AnchorError):
    """The log writer or the single-history guard refuses to continue rather than risk a second history."""
