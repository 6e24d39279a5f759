"""Tiles that are believed only once a checkpoint vouches for them.

The partial tiles at the right edge together fold to the root, so the checkpoint authenticates every hash in
them. A full tile's root stands in the tile above it, which is authenticated first; so each tile is checked
when it is fetched, in constant memory, and a wrong byte is blamed on the file that holds it.
"""

from collections import OrderedDict

from anchor.checkpoint import Checkpoint
from anchor.errors import MalformedError, MissingError, VerificationError
from anchor.merkle import leaf_hash, root_of
from anchor.source import Source
from anchor.tile import (
    MAX_BUNDLE_BYTES,
    MAX_TILE_BYTES,
    TILE_WIDTH,
    Tile,
    decode_bundle,
    entries_path,
    partial_width,
    range_hash,
    split_tile,
    tile_path,
    tile_width,
)

_CACHED_TILES = 64


class AuthenticTiles:
    """The hashes and entries of one log at one checkpoint, read from a source and checked on the way.

    Methods raise VerificationError ``tile-mismatch``, ``entry-mismatch`` or ``root-mismatch``, naming the
    file, and MissingError for a file that the checkpoint implies but the source does not have.
    """

    def __init__(self, source: Source, checkpoint: Checkpoint) -> None:
        self._source = source
        self._checkpoint = checkpoint
        self._edge: dict[int, list[bytes]] | None = None
        self._cache: OrderedDict[tuple[int, int], list[bytes]] = OrderedDict()

    def hash_at(self, level: int, index: int) -> bytes:
        """Return the hash of the complete subtree (tile level, index)."""
        return self.tile(level, index // TILE_WIDTH)[index % TILE_WIDTH]

    def tile(self, level: int, index: int) -> list[bytes]:
        """Return the hashes of one tile, as many as the checkpoint implies."""
        if tile_width(level, index, self._checkpoint.size) < TILE_WIDTH:
            return self.edge()[level]
        key = level, index
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        hashes = self._fetch(Tile(level, index))
        found, expected = root_of(hashes), self.hash_at(level + 1, index)
        if found != expected:
            raise VerificationError(
                "tile-mismatch",
                f"{Tile(level, index).path()}: its hashes fold to {found.hex()}, the tile above has {expected.hex()}",
            )
        self._cache[key] = hashes
        if len(self._cache) > _CACHED_TILES:
            self._cache.popitem(last=False)
        return hashes

    def edge(self) -> dict[int, list[bytes]]:
        """Return the partial tiles by level, once they are known to fold to the checkpoint's root."""
        if self._edge is None:
            size = self._checkpoint.size
            tiles = self._edge_tiles()
            edge = {tile.level: self._fetch(tile) for tile in tiles}
            found = range_hash(0, size, lambda level, index: edge[level][index % TILE_WIDTH]) if size else root_of([])
            if found != self._checkpoint.root:
                self._blame(tiles, edge)
                raise VerificationError(
                    "root-mismatch",
                    f"checkpoint: {size} entries with root {self._checkpoint.root.hex()}, "
                    f"but the tiles, which agree with each other, fold to {found.hex()}",
                )
            self._edge = edge
        return self._edge

    def bundle(self, index: int) -> list[bytes]:
        """Return the entries of one bundle, each checked against its level-0 tile."""
        entries = self._fetch_bundle(index)
        for position, (entry, expected) in enumerate(zip(entries, self.tile(0, index), strict=True)):
            if leaf_hash(entry) != expected:
                raise self._entry_mismatch(index, position, leaf_hash(entry), expected)
        return entries

    def _edge_tiles(self) -> list[Tile]:
        size, tiles, level = self._checkpoint.size, [], 0
        while size >> 8 * level:
            if width := partial_width(level, size):
                tiles.append(Tile(level, (size >> 8 * level) // TILE_WIDTH, width))
            level += 1
        return tiles

    def _fetch(self, tile: Tile) -> list[bytes]:
        path, full = tile.path(), tile_path(tile.level, tile.index)
        try:
            data, width = self._read(path, full, tile.width, MAX_TILE_BYTES)
            return split_tile(data, width)[: tile.width]
        except MalformedError as error:
            raise VerificationError("tile-mismatch", f"{path}: {error}") from None

    def _fetch_bundle(self, index: int) -> list[bytes]:
        width = tile_width(0, index, self._checkpoint.size)
        path, full = entries_path(index, width), entries_path(index)
        try:
            data, found_width = self._read(path, full, width, MAX_BUNDLE_BYTES)
            return decode_bundle(data, found_width)[:width]
        except MalformedError as error:
            raise VerificationError("entry-mismatch", f"{path}: {error}") from None

    def _read(self, path: str, full: str, width: int, limit: int) -> tuple[bytes, int]:
        """Return a file and its width: a partial one may be gone once the full one exists."""
        try:
            return self._source.read(path, limit=limit), width
        except MissingError as missing:
            if path == full:
                raise
            try:
                return self._source.read(full, limit=limit), TILE_WIDTH
            except MissingError:
                raise missing from None

    def _blame(self, tiles: list[Tile], edge: dict[int, list[bytes]]) -> None:
        """Raise for the first partial tile that disagrees with what lies below it."""
        for tile in tiles:
            for position, expected in enumerate(edge[tile.level]):
                index = tile.index * TILE_WIDTH + position
                try:
                    found = self._hash_from_below(tile.level, index)
                except MissingError:
                    # The wrong root is the graver finding, and it stands without this file.
                    continue
                if found != expected and tile.level == 0:
                    raise self._entry_mismatch(tile.index, position, found, expected)
                if found != expected:
                    raise VerificationError(
                        "tile-mismatch",
                        f"{tile.path()}: hash {position} is {expected.hex()}, "
                        f"but {Tile(tile.level - 1, index).path()} folds to {found.hex()}",
                    )

    def _hash_from_below(self, level: int, index: int) -> bytes:
        if level == 0:
            return leaf_hash(self._fetch_bundle(index // TILE_WIDTH)[index % TILE_WIDTH])
        return root_of(self._fetch(Tile(level - 1, index)))

    def _entry_mismatch(self, bundle: int, position: int, found: bytes, expected: bytes) -> VerificationError:
        width = tile_width(0, bundle, self._checkpoint.size)
        return VerificationError(
            "entry-mismatch",
            f"{entries_path(bundle, width)}: entry {bundle * TILE_WIDTH + position} has the leaf hash "
            f"{found.hex()}, "
            f"{Tile(0, bundle, width).path()} has {expected.hex()}",
        )
