r"""The request journal in a file: append-only lines, one fsync for everybody who waits, rewritten when mostly dead.

    line        crc32 of the text, 8 hex digits || SP || text || "\n"
    text        canonical JSON: {"begin":{"id","method","request",["seed"]}} or {"end":id}; bytes are hex

A line that was torn by a crash can only stand at the end: it was promised to nobody and is cut off. A bad line with a
good one behind it is damage, and the journal is refused. The file holds unrevealed client seeds and is readable by its
owner alone.
"""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any, Final
from zlib import crc32

from anchor import canonical
from anchor.errors import MalformedError
from anchor.files import make_directory, sync_directory
from rng_service.client.errors import JournalError
from rng_service.client.journal import JournalEntry, check_same
from rng_service.request_id import parse_request_id

_MODE: Final = 0o600
# A request is a few hundred bytes; the largest has a bet of 4 KiB, six tags and two seeds, in hex.
_MAX_LINE: Final = 65_536
_MAX_FILE: Final = 1 << 30
_METHODS: Final = frozenset({"Reserve", "Draw", "BatchDraw", "Settle"})


class FileJournal:
    """The journal at ``path``, made when absent; one process at a time holds it.

    ``compact_bytes`` is the size from which on a file that is mostly answered requests is rewritten. Raises
    JournalError when the file is damaged or somebody else has it, OSError is passed on from opening only.
    """

    def __init__(self, path: Path, *, compact_bytes: int = 1 << 20) -> None:
        self._path = path
        self._broken: str | None = None
        # Guards the entries and the buffer; held for moments only.
        self._lock = Lock()
        # Held by whoever writes and syncs; everybody else who waits for it finds the work done.
        self._flushing = Lock()
        self._buffer: list[bytes] = []
        self._begun = 0
        self._synced = 0
        make_directory(path.parent)
        self._compact_at = compact_bytes
        self._lock_file = _lock(path.with_name(path.name + ".lock"))
        self._file = -1
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, _MODE)
            sync_directory(path.parent)
            self._entries, self._size = self._load()
        except BaseException:
            _close(self._file, self._lock_file)
            raise

    def begin(self, entry: JournalEntry) -> None:
        """Keep ``entry``; durable when the call returns, together with those of all threads that wait meanwhile."""
        line = _line({"begin": _members(entry)})
        with self._lock:
            known = self._entries.get(entry.request_id)
            if known is None:
                self._entries[entry.request_id] = entry
                self._buffer.append(line)
                self._begun += 1
            else:
                check_same(known, entry)
            mine = self._begun
        self._sync(mine)

    def finish(self, request_id: str) -> None:
        """Forget a request; the line is written with the next request, or on `close`."""
        with self._lock:
            if self._entries.pop(request_id, None) is not None:
                # A crash before it is written leaves the request pending: it is resolved again, to the same answer.
                self._buffer.append(_line({"end": request_id}))

    def pending(self) -> list[JournalEntry]:
        """Return the unfinished requests, oldest first."""
        with self._lock:
            return list(self._entries.values())

    def close(self) -> None:
        """Write what is left and let go of the file. May be called again."""
        with self._flushing:
            if self._lock_file < 0:
                return
            try:
                if self._broken is None:
                    self._flush()
            finally:
                _close(self._file, self._lock_file)
                self._lock_file = -1
                self._broken = "it is closed"

    def _sync(self, mine: int) -> None:
        with self._flushing:
            if self._broken is not None:
                raise JournalError(f"{self._path} cannot be written: {self._broken}")
            if self._synced >= mine:
                return
            self._flush()
            if self._size >= self._compact_at:
                self._compact()

    def _flush(self) -> None:
        """Write and sync the buffer; `_flushing` is held."""
        with self._lock:
            lines, self._buffer = self._buffer, []
            begun = self._begun
        data = b"".join(lines)
        try:
            _write_all(self._file, data)
            # A crash right here leaves some of the lines, the last perhaps torn; nothing of them was sent.
            os.fdatasync(self._file)
        except OSError as error:
            # After a failed sync nobody knows what the disk has: a second try could succeed and prove nothing.
            self._broken = error.strerror or str(error)
            raise JournalError(f"{self._path} cannot be written: {self._broken}") from None
        self._size += len(data)
        self._synced = begun

    def _compact(self) -> None:
        """Rewrite the file with what is pending; `_flushing` is held."""
        with self._lock:
            lines = [_line({"begin": _members(entry)}) for entry in self._entries.values()]
            pending = b"".join(lines)
            if len(pending) * 2 > self._size:
                # Mostly alive: look again when it has doubled, or every request would pay for the look.
                self._compact_at = 2 * self._size
                return
            # Entries of threads that still wait are among the pending ones, so their lines need not be written again.
            self._buffer.clear()
            begun = self._begun
        temporary = self._path.with_name(f".{self._path.name}.tmp")
        try:
            fresh = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, _MODE)
            _write_all(fresh, pending)
            os.fsync(fresh)
            # A crash up to here leaves the old file, which holds every line, and a temporary one that nobody reads.
            temporary.replace(self._path)
            sync_directory(self._path.parent)
        except OSError as error:
            self._broken = error.strerror or str(error)
            raise JournalError(f"{self._path} cannot be rewritten: {self._broken}") from None
        os.close(self._file)
        self._file, self._size, self._synced = fresh, len(pending), begun

    def _load(self) -> tuple[dict[str, JournalEntry], int]:
        size = os.fstat(self._file).st_size
        if size > _MAX_FILE:
            raise JournalError(f"{self._path} has {size} bytes, at most {_MAX_FILE} are read")
        entries: dict[str, JournalEntry] = {}
        good = 0
        torn: MalformedError | None = None
        for start, line in _lines(self._path.read_bytes()):
            try:
                _apply(entries, _parse(line))
            except MalformedError as error:
                torn = torn or error
                continue
            if torn is not None:
                raise JournalError(f"{self._path}: damaged before byte {start}: {torn}")
            good = start + len(line)
        if good < size:
            os.ftruncate(self._file, good)
            # A crash right here leaves the torn line, and the next start cuts it off again.
            os.fsync(self._file)
        return entries, good


def _lock(path: Path) -> int:
    # The journal itself is replaced when it is rewritten, so a file of its own carries the lock.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise JournalError(f"{path}: another process has this journal open; give each its own") from None
    return descriptor


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        if descriptor >= 0:
            os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _line(value: dict[str, Any]) -> bytes:
    text = canonical.encode(value)
    return b"%08x %b\n" % (crc32(text), text)


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    start = 0
    while start < len(data):
        end = data.find(b"\n", start) + 1 or len(data)
        yield start, data[start:end]
        start = end


def _parse(line: bytes) -> dict[str, Any]:
    if len(line) > _MAX_LINE or line[8:9] != b" " or line[-1:] != b"\n":
        raise MalformedError("not a line of a request journal")
    text = line[9:-1]
    if line[:8] != b"%08x" % crc32(text):
        raise MalformedError("the checksum of a line does not match")
    return canonical.decode_object(text, limit=_MAX_LINE, what="journal line")


def _members(entry: JournalEntry) -> dict[str, str]:
    parse_request_id(entry.request_id)
    members = {"id": entry.request_id, "method": entry.method, "request": entry.request.hex()}
    return {**members, "seed": entry.seed.hex()} if entry.seed else members


def _apply(entries: dict[str, JournalEntry], value: dict[str, Any]) -> None:
    if value.keys() == {"end"} and isinstance(value["end"], str):
        entries.pop(value["end"], None)
        return
    members = value.get("begin")
    if value.keys() != {"begin"} or not isinstance(members, dict) or members.keys() - {"seed"} != _REQUIRED:
        raise MalformedError("journal line: expected begin or end")
    if any(not isinstance(item, str) for item in members.values()) or members["method"] not in _METHODS:
        raise MalformedError("journal line: unknown method, or a member that is no string")
    parse_request_id(members["id"])
    try:
        request, seed = bytes.fromhex(members["request"]), bytes.fromhex(members.get("seed", ""))
    except ValueError:
        raise MalformedError("journal line: request and seed are hex") from None
    entries[members["id"]] = JournalEntry(members["id"], members["method"], request, seed)


_REQUIRED: Final = {"id", "method", "request"}
