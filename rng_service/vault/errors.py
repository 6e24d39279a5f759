"""The failures of the vault, one class for each party that must act.

VaultError
├── DrbgError               the developer: the generator was used outside the limits of SP 800-90A
│   └── ReseedRequiredError     … and fresh entropy is due before the next output
├── ForkedError             the operator: this process is a copy and must not use the parent's generator
├── SelfTestError           the operator: this machine computes a standard function wrongly
├── KeystoreError           the operator: a key file is missing, exposed or damaged; the message names it
├── JournalError            the operator: the journal is damaged or cannot be written; names file and offset
├── VaultBusyError          the operator: another vault runs on the same directory
├── VaultRefusedError       the caller: the request breaks a rule and repeating it will not help
│   └── EntropyFailedError      … and the operator: the entropy source failed its tests, restart when it is repaired
└── VaultUnavailableError   the caller: nothing is known about the outcome; repeat the same request
"""


class VaultError(Exception):
    """The root of every error that the vault raises on purpose."""


class DrbgError(VaultError):
    """A request outside the limits of SP 800-90A, or to a generator that was uninstantiated."""


class ReseedRequiredError(DrbgError):
    """The reseed interval is used up; call ``reseed`` with fresh entropy, then repeat."""


class ForkedError(VaultError):
    """The generator belongs to another process; sharing its state would repeat secrets."""


class SelfTestError(VaultError):
    """A known-answer test failed; the vault must not start."""


class KeystoreError(VaultError):
    """A key file is missing, readable by others, or does not authenticate."""


class JournalError(VaultError):
    """The journal cannot be trusted or cannot be extended."""


class VaultBusyError(VaultError):
    """Another vault holds the lock of this directory."""


class VaultRefusedError(VaultError):
    """A request breaks a rule; ``reason`` is a stable slug that programs compare."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


class EntropyFailedError(VaultRefusedError):
    """The entropy source failed its health tests: no key is made before a restart; ``test`` says at which test."""

    def __init__(self, test: str, message: str) -> None:
        super().__init__("entropy-failed", message)
        self.test = test


class VaultUnavailableError(VaultError):
    """The vault could not be asked or did not answer in time; the same request may be repeated."""
