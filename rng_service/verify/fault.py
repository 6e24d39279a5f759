"""What an auditor reports: the first thing that is wrong, and where it stands."""

from collections.abc import Iterator
from contextlib import contextmanager

from anchor.errors import MalformedError, MissingError, VerificationError
from anchor.source import Source


class Fault(VerificationError):  # noqa: N818 - the word for what an auditor finds
    """A check that failed; ``entry`` is the index in the log and ``path`` the public file, where they apply."""

    def __init__(self, reason: str, message: str, *, entry: int | None = None, path: str | None = None) -> None:
        places = [] if entry is None else [f"entry {entry}"]
        if path is not None:
            places.append(path)
        super().__init__(reason, f"{', '.join(places)}: {message}" if places else message)
        self.detail = message
        self.entry = entry
        self.path = path


@contextmanager
def located(*, entry: int | None = None, path: str | None = None) -> Iterator[None]:
    """Turn whatever goes wrong inside into a Fault at this place; a place that is known better is kept.

    Files that are missing become ``file-missing`` and bytes that do not parse ``malformed``.
    """
    try:
        yield
    except Fault as fault:
        if fault.entry is None and entry is not None:
            raise Fault(fault.reason, fault.detail, entry=entry, path=fault.path or path) from None
        raise
    except VerificationError as error:
        raise Fault(error.reason, error.message, entry=entry, path=path) from None
    except MissingError as error:
        raise Fault("file-missing", str(error), entry=entry, path=path) from None
    except MalformedError as error:
        raise Fault("malformed", str(error), entry=entry, path=path) from None


def read_exactly(source: Source, path: str, size: int, reason: str) -> bytes:
    """Return a public file that has ``size`` bytes; raises VerificationError ``reason`` for another size."""
    try:
        data = source.read(path, limit=size)
    except MalformedError:
        raise VerificationError(reason, f"more than the {size} bytes that the log implies") from None
    require(len(data) == size, reason, f"{len(data)} bytes, the log implies {size}")
    return data


def require(condition: object, reason: str, message: str) -> None:
    """Raise VerificationError ``reason`` unless the condition holds."""
    if not condition:
        raise VerificationError(reason, message)
