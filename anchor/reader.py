"""The reader of a log: everything it returns is proven against the log's signed checkpoint."""

from collections.abc import Iterator

from anchor.authentic import AuthenticTiles
from anchor.checkpoint import Checkpoint, open_checkpoint
from anchor.merkle import consistency_ranges, inclusion_ranges, verify_consistency, verify_inclusion
from anchor.note import MAX_NOTE, VerifierKey
from anchor.source import Source
from anchor.tile import TILE_WIDTH, range_hash


class LogReader:
    """One log at one checkpoint, which is fetched and verified at first use and kept.

    A newer state is read with a new reader; `consistency_proof` then links it to the old checkpoint.
    Methods raise VerificationError (``note-unsigned``, ``note-signature``, ``origin``, ``root-mismatch``,
    ``tile-mismatch``, ``entry-mismatch``) naming the file, MissingError for files that the checkpoint
    implies, MalformedError for a checkpoint that does not parse, and IndexError for positions beyond the
    checkpoint.
    """

    def __init__(self, source: Source, vkey: VerifierKey, *, origin: str | None = None) -> None:
        self._source = source
        self._vkey = vkey
        self._origin = origin
        self._opened: tuple[bytes, Checkpoint, AuthenticTiles] | None = None

    def checkpoint(self) -> Checkpoint:
        """Return the verified checkpoint."""
        return self._open()[1]

    def checkpoint_note(self) -> bytes:
        """Return the checkpoint's note as it was served, with all its signature lines."""
        return self._open()[0]

    def entry(self, index: int) -> bytes:
        """Return one entry."""
        self._check_index(index)
        return self._open()[2].bundle(index // TILE_WIDTH)[index % TILE_WIDTH]

    def entries(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the entries ``[start, end)`` in order, in memory that does not grow with the log.

        From 0 to the end this authenticates every tile and every entry that the checkpoint implies.
        """
        _, checkpoint, tiles = self._open()
        end = checkpoint.size if end is None else end
        if not 0 <= start <= end <= checkpoint.size:
            raise IndexError(f"entries {start} to {end} of a log with {checkpoint.size}")
        # Also a log without entries has a root to be compared.
        tiles.edge()
        return self._stream(tiles, start, end)

    def inclusion_proof(self, index: int) -> list[bytes]:
        """Return the inclusion path of entry ``index`` under the checkpoint."""
        _, checkpoint, tiles = self._open()
        self._check_index(index)
        path = [range_hash(*leaves, tiles.hash_at) for leaves in inclusion_ranges(index, checkpoint.size)]
        verify_inclusion(
            index=index, size=checkpoint.size, leaf=tiles.hash_at(0, index), path=path, root=checkpoint.root
        )
        return path

    def consistency_proof(self, old_size: int) -> list[bytes]:
        """Return the proof that the checkpoint extends the log's own state at ``old_size``."""
        _, checkpoint, tiles = self._open()
        return [range_hash(*leaves, tiles.hash_at) for leaves in consistency_ranges(old_size, checkpoint.size)]

    def verify_extends(self, old: Checkpoint) -> None:
        """Check that the checkpoint extends ``old``, one that was verified earlier.

        Raises VerificationError ``consistency``.
        """
        new = self.checkpoint()
        path = self.consistency_proof(old.size) if old.size <= new.size else []
        verify_consistency(old_size=old.size, size=new.size, old_root=old.root, root=new.root, path=path)

    def _open(self) -> tuple[bytes, Checkpoint, AuthenticTiles]:
        if self._opened is None:
            note = self._source.read("checkpoint", limit=MAX_NOTE)
            checkpoint = open_checkpoint(note, self._vkey, self._origin)
            self._opened = note, checkpoint, AuthenticTiles(self._source, checkpoint)
        return self._opened

    def _check_index(self, index: int) -> None:
        if not 0 <= index < self.checkpoint().size:
            raise IndexError(f"entry {index} of a log with {self.checkpoint().size}")

    @staticmethod
    def _stream(tiles: AuthenticTiles, start: int, end: int) -> Iterator[bytes]:
        for bundle in range(start // TILE_WIDTH, -(-end // TILE_WIDTH)):
            first = bundle * TILE_WIDTH
            yield from tiles.bundle(bundle)[max(0, start - first) : end - first]
