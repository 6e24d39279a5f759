"""The append-only journal: what was opened for whom, durable before anything is answered.

    segment   <first sequence, 20 digits>.journal, preallocated with zeros
    header    8 bytes magic || u64 first sequence || 32 bytes head of the frame before
    frame     u32 length || payload || zeros up to a multiple of 8 || 32 bytes head
    head_n    SHA-256(head_{n-1} || payload_n); head_0 is 32 zero bytes

Frames are numbered from 1. Because a frame is synced before the next one is written, only the very last one
can be torn by a crash; it was never answered and is cut at the next start. Anything else that does not fit
the chain is damage, and the journal refuses to open.
"""

import errno
import os
from bisect import bisect_right
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from rng_service.encoding import u32, u64
from rng_service.vault.durable import make_private_directory, remove_temporaries, sync_directory
from rng_service.vault.errors import JournalError
from rng_service.vault.steps import OnStep

__all__ = ["GENESIS", "MAX_PAYLOAD_BYTES", "Frame", "Journal", "Mark"]

GENESIS: Final = bytes(32)
MAX_PAYLOAD_BYTES: Final = 4 * 2**20

_MAGIC: Final = b"SDJRNL1\n"
_HEADER_BYTES: Final = 8 + 8 + 32
_HEAD_BYTES: Final = 32
_SEGMENT_BYTES: Final = 64 * 2**20
# Written zeros, not a hole: overwriting allocated blocks lets fdatasync skip the file system's own journal.
_EXTENSION_BYTES: Final = 2**20
_INDEX_INTERVAL: Final = 256
_SUFFIX: Final = ".journal"


class Frame(NamedTuple):
    """One group as it was journaled."""

    sequence: int
    head: bytes
    payload: bytes


class Mark(NamedTuple):
    """A frame that the journal must contain, remembered elsewhere: its number and its head."""

    sequence: int
    head: bytes


class _Place(NamedTuple):
    sequence: int
    path: Path
    position: int


class Journal:
    """The journal below ``directory``; `open` it, replay it, append to it.

    One thread appends at a time (the owner's lock); `read_after` may run beside it. From the moment in which a frame
    may be on the disk until it is known to be, the journal refuses every further append: after a failed write or sync
    only the next start, which reads what is there, can tell whether the frame counts.
    """

    def __init__(
        self,
        directory: Path,
        *,
        replay: Callable[[Frame], None],
        on_step: OnStep,
        must_contain: Mark | None = None,
        segment_bytes: int = _SEGMENT_BYTES,
        extension_bytes: int = _EXTENSION_BYTES,
    ) -> None:
        """Check the whole chain, hand every frame to ``replay`` in order, cut a torn last frame.

        Raises JournalError naming file and offset for damage, and when ``must_contain`` is not in the chain:
        then this is an older copy of the journal.
        """
        self._directory = directory
        self._on_step = on_step
        self._segment_bytes = segment_bytes
        self._extension_bytes = extension_bytes
        self._failure: str | None = None
        self.sequence = 0
        self.head = GENESIS
        make_private_directory(directory)
        remove_temporaries(directory)
        # Where every so many frames begin, so that readers of the newest frames need not start at the oldest.
        self._index: list[_Place] = []
        self._position = self._replay(replay, must_contain)
        segments = self._segments()
        if segments:
            self._path = segments[-1]
            self._descriptor = os.open(self._path, os.O_RDWR)
            self._cut_torn_frame()
        else:
            self._descriptor = self._new_segment()
        self._allocated = os.fstat(self._descriptor).st_size

    @property
    def mark(self) -> Mark:
        """The newest durable frame."""
        return Mark(self.sequence, self.head)

    def append(self, payload: bytes) -> int:
        """Make one frame durable and return its sequence number.

        Raises JournalError. When the disk is full no frame was written and a later append may succeed; after any other
        failure none does before a restart.
        """
        if self._failure is not None:
            raise JournalError(f"the journal stopped after a failed write ({self._failure}); restart the vault")
        if not 0 < len(payload) <= MAX_PAYLOAD_BYTES:
            raise JournalError(f"a frame holds 1 to {MAX_PAYLOAD_BYTES} bytes, not {len(payload)}")
        head = sha256(self.head + payload).digest()
        frame = u32(len(payload)) + payload + bytes(-(4 + len(payload)) % 8) + head
        self._make_room(len(frame))
        # Whatever ends the next lines, an interrupt or a want of memory too, leaves this behind.
        self._failure = "it was interrupted"
        try:
            _write_all(self._descriptor, frame, self._position)
            # A crash here leaves a whole, a torn or no frame. It was not answered; whole, it binds its slots.
            self._on_step("journal.written")
            os.fdatasync(self._descriptor)
        except OSError as error:
            # After a failed sync the kernel may have dropped the pages: only a restart shows what is durable.
            self._failure = str(error)
            raise JournalError(f"the journal could not be written ({error})") from error
        # A crash here leaves a durable frame that was not answered; asking again gives the same answer.
        self._on_step("journal.synced")
        self._note_place(self.sequence + 1, self._path, self._position)
        self._position += len(frame)
        self.head = head
        self.sequence += 1
        self._failure = None
        return self.sequence

    def read_after(self, sequence: int) -> Iterator[Frame]:
        """Yield the frames behind ``sequence`` that were durable when the call was made, in order."""
        last = self.sequence
        start = max(0, bisect_right(self._index, sequence + 1, key=lambda place: place.sequence) - 1)
        if sequence >= last or not self._index:
            return
        first = self._index[start]
        paths = [path for path in self._segments() if _first_sequence(path) >= _first_sequence(first.path)]
        for path in paths:
            place = first if path == first.path else _Place(_first_sequence(path), path, _HEADER_BYTES)
            for frame in _frames(_read_from(path, place.position), place.sequence):
                if frame.sequence > last:
                    return
                if frame.sequence > sequence:
                    yield frame

    def close(self) -> None:
        """Close the file; everything appended is durable already."""
        os.close(self._descriptor)

    def _note_place(self, sequence: int, path: Path, position: int) -> None:
        if not self._index or sequence - self._index[-1].sequence >= _INDEX_INTERVAL:
            self._index.append(_Place(sequence, path, position))

    def _replay(self, replay: Callable[[Frame], None], must_contain: Mark | None) -> int:
        position = _HEADER_BYTES
        found = must_contain is None or must_contain == Mark(0, GENESIS)
        segments = self._segments()
        for path in segments:
            data = path.read_bytes()
            self._check_header(path, data)
            position = _HEADER_BYTES
            for frame in _frames(memoryview(data)[_HEADER_BYTES:], self.sequence + 1):
                if sha256(self.head + frame.payload).digest() != frame.head:
                    break
                self._note_place(frame.sequence, path, position)
                self.sequence, self.head = frame.sequence, frame.head
                found = found or Mark(frame.sequence, frame.head) == must_contain
                position += _frame_bytes(len(frame.payload))
                replay(frame)
            self._check_tail(path, data, position, newest=path is segments[-1])
        if not found:
            raise JournalError(
                f"{self._directory}: ends at frame {self.sequence}, but a checkpoint was signed with frame "
                f"{must_contain and must_contain.sequence}; this is an older or another journal"
            )
        return position

    def _check_header(self, path: Path, data: bytes) -> None:
        expected = _MAGIC + u64(self.sequence + 1) + self.head
        if data[:_HEADER_BYTES] != expected or _first_sequence(path) != self.sequence + 1:
            raise JournalError(f"{path}: offset 0: the segment does not continue frame {self.sequence}")

    def _check_tail(self, path: Path, data: bytes, position: int, *, newest: bool) -> None:
        # What follows the last good frame: nothing, or one torn frame at the very end of the journal.
        tail = data[position:].rstrip(b"\x00")
        if not tail:
            return
        torn = newest and _is_torn_frame(data, position, len(tail)) and not _holds_frame(data, position, len(tail))
        if not torn:
            raise JournalError(
                f"{path}: offset {position}: frame {self.sequence + 1} is damaged; "
                "restore the file, or run `sealdraw recover`"
            )

    def _cut_torn_frame(self) -> None:
        size = os.fstat(self._descriptor).st_size
        rest = os.pread(self._descriptor, max(0, size - self._position), self._position).rstrip(b"\x00")
        if rest:
            # A crash here leaves less of the torn frame, which the next start cuts again.
            os.pwrite(self._descriptor, bytes(len(rest)), self._position)
            os.fsync(self._descriptor)

    def _make_room(self, frame_bytes: int) -> None:
        if self._position > _HEADER_BYTES and self._position + frame_bytes > self._segment_bytes:
            descriptor = self._new_segment()
            os.close(self._descriptor)
            self._descriptor = descriptor
            self._position = _HEADER_BYTES
            self._allocated = os.fstat(descriptor).st_size
        if self._position + frame_bytes > self._allocated:
            missing = self._position + frame_bytes - self._allocated
            try:
                _write_all(self._descriptor, bytes(max(missing, self._extension_bytes)), self._allocated)
                os.fsync(self._descriptor)
            except OSError as error:
                self._stop_unless_full(error)
                raise JournalError(f"no room for the journal ({error}); free disk space") from error
            # A crash here leaves zeros behind the last frame, which are what a fresh segment ends in.
            self._on_step("journal.extended")
            self._allocated = os.fstat(self._descriptor).st_size

    def _new_segment(self) -> int:
        path = self._directory / f"{self.sequence + 1:020d}{_SUFFIX}"
        temporary = path.with_name(path.name + ".tmp")
        header = _MAGIC + u64(self.sequence + 1) + self.head
        try:
            descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            _write_all(descriptor, header + bytes(self._extension_bytes), 0)
            os.fsync(descriptor)
            # A crash before the rename leaves a temporary file, after it an empty segment that continues the
            # chain.
            temporary.replace(path)
            sync_directory(self._directory)
        except OSError as error:
            self._stop_unless_full(error)
            raise JournalError(f"{path}: the segment could not be made ({error}); free disk space") from error
        self._path = path
        return descriptor

    def _stop_unless_full(self, error: OSError) -> None:
        # No frame was written yet, so a full disk only has to be emptied. A disk that fails otherwise is not trusted.
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            self._failure = str(error)

    def _segments(self) -> list[Path]:
        return sorted(self._directory.glob(f"*{_SUFFIX}"))


def _write_all(descriptor: int, data: bytes, position: int) -> None:
    written = os.pwrite(descriptor, data, position)
    if written != len(data):
        raise OSError(f"{written} of {len(data)} bytes were written")


def _first_sequence(path: Path) -> int:
    try:
        return int(path.name[: -len(_SUFFIX)])
    except ValueError:
        raise JournalError(f"{path}: not a segment of this journal") from None


def _frame_bytes(payload_bytes: int) -> int:
    return -(-(4 + payload_bytes) // 8) * 8 + _HEAD_BYTES


def _read_from(path: Path, position: int) -> memoryview:
    with path.open("rb") as file:
        file.seek(position)
        return memoryview(file.read())


def _frames(data: memoryview, sequence: int) -> Iterator[Frame]:
    # Frames by their lengths alone, the first one numbered ``sequence``; who needs to compares the heads.
    position = 0
    while True:
        length = int.from_bytes(data[position : position + 4], "big")
        end = position + _frame_bytes(length)
        if not 0 < length <= MAX_PAYLOAD_BYTES or end > len(data):
            return
        payload = bytes(data[position + 4 : position + 4 + length])
        yield Frame(sequence, bytes(data[end - _HEAD_BYTES : end]), payload)
        sequence, position = sequence + 1, end


def _is_torn_frame(data: bytes, position: int, tail_bytes: int) -> bool:
    # Memory and disks write whole words of eight bytes, frames begin on one, and the place was zeros before: a word
    # that did not arrive is zero. A frame without such a word was written, and perhaps answered; then it is damage.
    length = int.from_bytes(data[position : position + 4], "big")
    if not 0 < length <= MAX_PAYLOAD_BYTES:
        return not any(data[position : position + 8]) and tail_bytes <= _frame_bytes(MAX_PAYLOAD_BYTES)
    frame = data[position : position + _frame_bytes(length)]
    # Its length arrived, so nothing may follow its end: the next frame is written after this one's sync.
    whole = len(frame) == _frame_bytes(length) and tail_bytes <= len(frame)
    return whole and any(not any(frame[word : word + 8]) for word in range(0, len(frame), 8))


def _holds_frame(data: bytes, damaged: int, tail_bytes: int) -> bool:
    # Whether a frame stands at or behind a damaged place: its head must follow from the 32 bytes before it.
    end = damaged + -(-tail_bytes // 8) * 8
    for padding in range(8):
        # The damaged frame itself, complete but for its length.
        if _is_frame(data, damaged, end - _HEAD_BYTES - padding - damaged - 4, end):
            return True
    for position in range(damaged + _HEAD_BYTES + 8, damaged + tail_bytes, 8):
        length = int.from_bytes(data[position : position + 4], "big")
        if length <= MAX_PAYLOAD_BYTES and _is_frame(data, position, length, position + _frame_bytes(length)):
            return True
    return False


def _is_frame(data: bytes, position: int, length: int, end: int) -> bool:
    if length <= 0 or end > len(data):
        return False
    before = data[position - _HEAD_BYTES : position]
    head = sha256(before + data[position + 4 : position + 4 + length]).digest()
    return head == data[end - _HEAD_BYTES : end]
