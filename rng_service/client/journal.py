"""The request journal: which requests were made and not yet answered, so that a crash leaves none of them in doubt."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

from rng_service.client.errors import JournalError


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A request as it is sent, again and again if need be.

    ``method`` is the name of the gRPC method, ``request`` the serialized message with its ``request_id``, and ``seed``
    the client seed of which the request holds only the hash (a reservation, or the next ticket of a draw).
    """

    request_id: str
    method: str
    request: bytes = field(repr=False)
    seed: bytes = field(default=b"", repr=False)


class RequestJournal(Protocol):
    """Where requests are kept from before they are sent until they are answered. May be shared by threads.

    It holds client seeds that are not yet revealed: whoever reads it can foresee what the operator cannot.
    """

    def begin(self, entry: JournalEntry) -> None:
        """Keep ``entry``; it is durable when the call returns.

        Raises JournalError when it cannot be, or when the id is there with another request.
        """

    def finish(self, request_id: str) -> None:
        """Forget a request that was answered.

        Need not be durable: a request that comes back after a crash is resolved again, to the same answer.
        """

    def pending(self) -> Sequence[JournalEntry]:
        """Return the requests that were begun and not finished, oldest first."""

    def close(self) -> None:
        """Let go of the journal. May be called again."""


class MemoryJournal:
    """A journal for tests and for game servers that keep requests durably themselves: it is gone with the process."""

    def __init__(self) -> None:
        self._entries: dict[str, JournalEntry] = {}
        self._lock = Lock()

    def begin(self, entry: JournalEntry) -> None:
        """Keep ``entry`` for as long as the process lives; see `RequestJournal.begin`."""
        with self._lock:
            check_same(self._entries.setdefault(entry.request_id, entry), entry)

    def finish(self, request_id: str) -> None:
        """Forget a request."""
        with self._lock:
            self._entries.pop(request_id, None)

    def pending(self) -> list[JournalEntry]:
        """Return the unfinished requests, oldest first."""
        with self._lock:
            return list(self._entries.values())

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""


def check_same(known: JournalEntry, entry: JournalEntry) -> None:
    """Check that an id that is begun again stands for the same request; raises JournalError."""
    if known != entry:
        raise JournalError(
            f"request id {entry.request_id} is pending with another request; make a new id for a new one"
        )
