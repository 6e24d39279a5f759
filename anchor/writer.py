"""The writer of a log: entries go into bundles and tiles, a signer fixes them, a checkpoint publishes them.

The signer's *mark* is the last tree head that it signed, kept durably and apart from the public directory.
Whatever lies in the directory beyond the mark was never promised to anybody and may be written again;
whatever the mark implies never changes. One writer at a time holds the directory's lock; a writer elsewhere
is stopped by the signer.
"""

import fcntl
import os
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from anchor.checkpoint import Checkpoint, parse_checkpoint
from anchor.edge import Growth, RightEdge, load_edge
from anchor.errors import AnchorError, RefusedError
from anchor.files import atomic_write, make_directory, write_immutable
from anchor.merkle import EMPTY_ROOT
from anchor.note import parse_note
from anchor.tile import check_entry, entries_path


class Signer(Protocol):
    """The holder of the checkpoint key and of the only memory that decides what the log's history is."""

    def mark(self) -> Checkpoint | None:
        """Return the last tree head that was signed, None when there was none."""
        ...

    def sign(self, size: int, root: bytes, consistency_proof: Sequence[bytes], old_size: int) -> bytes:
        """Return the signed note of (size, root); the mark is durable before the note is returned.

        Signs only when ``old_size`` is the mark's size and the proof links the mark's root to ``root``.
        Signing the mark itself again, with an empty proof, is always allowed. Raises RefusedError
        otherwise.
        """
        ...


class LogWriter:
    """Appends to the log in one public directory.

    ``on_step`` is told the name of each durable step just before it is taken, and ``published`` at the end.
    """

    def __init__(self, directory: Path, signer: Signer, *, on_step: Callable[[str], None] | None = None) -> None:
        self._directory = directory
        self._signer = signer
        self._on_step = on_step or _ignore
        self._edge: RightEdge | None = None
        self._checkpoint: Checkpoint | None = None
        self._unlock: Callable[[], object] | None = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def size(self) -> int:
        """Return the number of entries in the log."""
        return self._opened().size

    def open(self) -> Checkpoint | None:
        """Load the state that the signer marked, publish it if a crash came in between, and return it.

        Returns None for a log that has never been signed. Raises RefusedError, naming the reason, when
        directory and mark do not belong together; nothing is written then.
        """
        make_directory(self._directory)
        self._lock()
        try:
            mark, published = self._signer.mark(), self._published()
            _check_history(mark, published)
            size = 0 if mark is None else mark.size
            edge = load_edge(self._directory, size)
            if mark is not None:
                _check_root(self._directory, edge, mark)
            self._edge, self._checkpoint = edge, published
            if size and (published is None or published.size < size):
                # The last run died between signing and publishing. Its entries have their final places.
                self._publish(size, edge.root(), [], size)
        except BaseException:
            self.close()
            raise
        return self._checkpoint

    def close(self) -> None:
        """Let go of the directory; the writer can be opened again."""
        self._edge = None
        if self._unlock is not None:
            self._unlock()
            self._unlock = None

    def append_and_publish(self, entries: Sequence[bytes]) -> Checkpoint:
        """Append ``entries`` and return the published checkpoint that covers them.

        When the call returns, entries, tiles and checkpoint are durable. No entries publish the empty log
        once and change nothing later. Raises MalformedError for an entry beyond 65,535 bytes before
        anything is written. After every other error the writer closes itself: what was reached is known
        only after `open`, which finds either the old state or the new one.
        """
        edge = self._opened()
        for entry in entries:
            check_entry(entry)
        if not entries and self._checkpoint is not None:
            return self._checkpoint
        growth = edge.grow(entries)
        try:
            # A crash within these writes leaves files beyond the mark, which nobody was promised.
            for path, data in growth.files():
                self._put(path, data)
            # A crash right here leaves the growth unsigned: the next run may append the same or others.
            checkpoint = self._publish(growth.size, growth.root, growth.consistency_proof, edge.size)
            # A crash from here on leaves partial tiles beside full ones, which costs space and nothing else.
            self._drop_partials(growth)
        except BaseException:
            self.close()
            raise
        self._edge = growth.edge
        return checkpoint

    def _opened(self) -> RightEdge:
        if self._edge is None:
            raise RefusedError(f"{self._directory}: the log writer is not open")
        return self._edge

    def _put(self, path: str, data: bytes) -> None:
        self._on_step(path)
        try:
            write_immutable(self._directory / path, data)
        except RefusedError:
            # Every file that grows lies beyond our mark. If the signer's is still the same, these are the
            # leftovers of a run that was never signed; if not, somebody else's promise.
            self._check_mark()
            atomic_write(self._directory / path, data)

    def _check_mark(self) -> None:
        mark = self._signer.mark()
        marked = 0 if mark is None else mark.size
        if marked != self._opened().size:
            raise RefusedError(
                f"{self._directory}: another writer has taken over, "
                f"the signer's mark is at {marked}, ours at {self.size}"
            )

    def _publish(self, size: int, root: bytes, proof: Sequence[bytes], old_size: int) -> Checkpoint:
        self._on_step("sign")
        note = self._signer.sign(size, root, proof, old_size)
        # A crash right here leaves the mark ahead of the checkpoint; `open` signs it again and publishes.
        checkpoint = parse_checkpoint(parse_note(note).text)
        if (checkpoint.size, checkpoint.root) != (size, root):
            raise RefusedError(
                f"the signer was asked for size {size} with root {root.hex()} and signed {checkpoint.text()!r}"
            )
        published = self._published()
        if published is not None and published.size > size:
            raise RefusedError(
                f"{self._directory}: size {published.size} is published already, not going back to {size}"
            )
        self._on_step("checkpoint")
        atomic_write(self._directory / "checkpoint", note)
        self._on_step("published")
        self._checkpoint = checkpoint
        return checkpoint

    def _published(self) -> Checkpoint | None:
        path = self._directory / "checkpoint"
        try:
            return parse_checkpoint(parse_note(path.read_bytes()).text)
        except FileNotFoundError:
            return None
        except AnchorError as error:
            raise RefusedError(f"{path} is not a checkpoint: {error}") from None

    def _drop_partials(self, growth: Growth) -> None:
        for tile in growth.filled():
            self._drop(f"{tile.path()}.p")
            if tile.level == 0:
                self._drop(f"{entries_path(tile.index)}.p")

    def _drop(self, path: str) -> None:
        partials = self._directory / path
        if partials.is_dir():
            self._on_step(f"drop {path}")
            for file in partials.iterdir():
                file.unlink()
            partials.rmdir()

    def _lock(self) -> None:
        if self._unlock is not None:
            raise RefusedError(f"{self._directory}: the log writer is open already")
        descriptor = os.open(self._directory / ".writer.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        # Also a writer that is merely dropped lets go of the lock; a process that dies does so in any case.
        self._unlock = weakref.finalize(self, os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise RefusedError(f"{self._directory}: another log writer has it open") from None


def _check_history(mark: Checkpoint | None, published: Checkpoint | None) -> None:
    """Raise RefusedError when what is published does not lie on the way to what was signed last."""
    if published is None:
        return
    if mark is None:
        mark = Checkpoint(published.origin, 0, EMPTY_ROOT)
    if published.origin != mark.origin:
        raise RefusedError(f"the public directory is of {published.origin!r}, the vault signs for {mark.origin!r}")
    if published.size > mark.size:
        raise RefusedError(
            f"the vault is older than the public directory: it last signed size {mark.size}, "
            f"size {published.size} is published; restore the vault's newest state"
        )
    if published.size == mark.size and published.root != mark.root:
        raise RefusedError(
            f"two histories: at size {mark.size} the vault signed the root {mark.root.hex()}, "
            f"published is {published.root.hex()}"
        )


def _check_root(directory: Path, edge: RightEdge, mark: Checkpoint) -> None:
    if edge.root() != mark.root:
        raise RefusedError(
            f"{directory}: the tiles for size {mark.size} fold to the root {edge.root().hex()}, "
            f"the signer marked {mark.root.hex()}; restore the directory from a complete copy"
        )


def _ignore(_step: str) -> None:
    """Do nothing at a step."""
