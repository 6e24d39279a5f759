"""The right edge of a log: what a writer keeps in memory, and what an append adds to it.

The edge of a log of any size is its last partial bundle and one partial tile for each level, at most 255
hashes each. That is enough to compute all new tiles, the new root and the consistency proof, without
reading the log.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from anchor.errors import MalformedError, RefusedError
from anchor.merkle import EMPTY_ROOT, HASH_SIZE, consistency_ranges, leaf_hash, root_of
from anchor.tile import (
    TILE_WIDTH,
    Tile,
    decode_bundle,
    encode_bundle,
    entries_path,
    partial_width,
    range_hash,
    split_tile,
    tiles_of,
)


@dataclass(frozen=True, slots=True)
class RightEdge:
    """A log's size, the entries of its partial bundle, the hashes of its partial tiles by level."""

    size: int
    entries: tuple[bytes, ...] = ()
    tiles: tuple[tuple[bytes, ...], ...] = ()

    def root(self) -> bytes:
        """Return the log's root."""
        if self.size == 0:
            return EMPTY_ROOT
        return range_hash(0, self.size, lambda level, index: self.tiles[level][index % TILE_WIDTH])

    def grow(self, entries: Sequence[bytes]) -> "Growth":
        """Return what appending ``entries`` does."""
        size = self.size + len(entries)
        levels: list[list[bytes]] = []
        added = [leaf_hash(entry) for entry in entries]
        while size >> 8 * len(levels):
            kept = self.tiles[len(levels)] if len(levels) < len(self.tiles) else ()
            level = [*kept, *added]
            levels.append(level)
            added = [root_of(level[at : at + TILE_WIDTH]) for at in range(0, len(level) - TILE_WIDTH + 1, TILE_WIDTH)]
        return Growth(self, size, [*self.entries, *entries], levels)


class Growth:
    """The files, root and proof of one append.

    ``levels[L]`` holds the hashes of level L from the start of the old partial tile on.
    """

    def __init__(self, old: RightEdge, size: int, entries: Sequence[bytes], levels: Sequence[Sequence[bytes]]) -> None:
        self.size = size
        self._old_size = old.size
        self._entries = entries
        self._levels = levels
        self.root = range_hash(0, size, self._hash_at) if size else EMPTY_ROOT
        self.consistency_proof = [range_hash(*leaves, self._hash_at) for leaves in consistency_ranges(old.size, size)]

    @property
    def edge(self) -> RightEdge:
        """Return the edge after the append."""
        return RightEdge(
            self.size,
            tuple(self._entries[len(self._entries) - partial_width(0, self.size) :]),
            tuple(
                tuple(hashes[len(hashes) - partial_width(level, self.size) :])
                for level, hashes in enumerate(self._levels)
            ),
        )

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Yield path and bytes of every new bundle, then of every new tile from the lowest level up."""
        for tile in self._tiles():
            if tile.level == 0:
                yield entries_path(tile.index, tile.width), encode_bundle(self._slice(self._entries, tile))
        for tile in self._tiles():
            yield tile.path(), b"".join(self._slice(self._levels[tile.level], tile))

    def filled(self) -> Iterator[Tile]:
        """Yield the full tiles of which the old log had a partial one."""
        for tile in self._tiles():
            first = self._base(tile.level) == tile.index * TILE_WIDTH
            if first and tile.width == TILE_WIDTH and partial_width(tile.level, self._old_size):
                yield tile

    def _tiles(self) -> Iterator[Tile]:
        return tiles_of(self.size, self._old_size)

    def _slice(self, items: Sequence[bytes], tile: Tile) -> Sequence[bytes]:
        start = tile.index * TILE_WIDTH - self._base(tile.level)
        return items[start : start + tile.width]

    def _hash_at(self, level: int, index: int) -> bytes:
        return self._levels[level][index - self._base(level)]

    def _base(self, level: int) -> int:
        count = self._old_size >> 8 * level
        return count - count % TILE_WIDTH


def load_edge(directory: Path, size: int) -> RightEdge:
    """Read the edge of the log of ``size`` from its directory, checking that all its files are there.

    Every full tile has its length, every bundle exists, and the last bundle agrees with the last tile; the
    caller compares the root. Raises RefusedError naming the first file that is missing or wrong.
    """
    levels: dict[int, tuple[bytes, ...]] = {}
    entries: list[bytes] = []
    for tile in tiles_of(size):
        data_size = _size_of(directory, tile.path())
        if data_size != tile.width * HASH_SIZE:
            raise RefusedError(f"{directory / tile.path()}: {data_size} bytes, expected {tile.width * HASH_SIZE}")
        if tile.level == 0:
            _size_of(directory, entries_path(tile.index, tile.width))
        levels.setdefault(tile.level, ())
        if tile.width < TILE_WIDTH:
            path = directory / tile.path()
            levels[tile.level] = tuple(split_tile(path.read_bytes(), tile.width))
            if tile.level == 0:
                entries = _last_bundle(directory, tile, levels[0])
    return RightEdge(size, tuple(entries), tuple(levels.values()))


def _last_bundle(directory: Path, tile: Tile, hashes: Sequence[bytes]) -> list[bytes]:
    path = directory / entries_path(tile.index, tile.width)
    try:
        entries = decode_bundle(path.read_bytes(), tile.width, what=str(path))
    except MalformedError as error:
        raise RefusedError(str(error)) from None
    if [leaf_hash(entry) for entry in entries] != list(hashes):
        raise RefusedError(f"{path} does not hold the entries of {directory / tile.path()}")
    return entries


def _size_of(directory: Path, path: str) -> int:
    try:
        return (directory / path).stat().st_size
    except FileNotFoundError:
        raise RefusedError(
            f"{directory / path} is missing: the public directory is behind the vault's mark; "
            "restore it from a complete copy"
        ) from None
