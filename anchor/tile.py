"""Tiles (C2SP tlog-tiles v0.1.0): where the hashes and entries of a log lie, and how they are laid out.

    tile/<level>/<number>[.p/<width>]       1 to 256 hashes of 32 bytes each; a full tile has 256
    tile/entries/<number>[.p/<width>]       for each entry u16 length || bytes

Tile n of level L holds the hashes of the complete subtrees of 256^L leaves number 256n, 256n+1, …; so each
hash above level 0 is the root of a full tile below, and partial tiles are never hashed upward. ``number``
is written in groups of three digits, all but the last behind an "x".
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from anchor.errors import MalformedError
from anchor.merkle import HASH_SIZE, node_hash, root_of, split_point

TILE_WIDTH = 256
MAX_ENTRY = 65_535
MAX_TILE_BYTES = TILE_WIDTH * HASH_SIZE
MAX_BUNDLE_BYTES = TILE_WIDTH * (2 + MAX_ENTRY)

HashAt = Callable[[int, int], bytes]
"""Returns the hash of the complete subtree (tile level, index): index i at level L covers 256^L leaves."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile of hashes by its place."""

    level: int
    index: int
    width: int = TILE_WIDTH

    def path(self) -> str:
        """Return the file's path below the log's prefix."""
        return tile_path(self.level, self.index, self.width)


def number_path(number: int) -> str:
    """Return 1234067 as ``x001/x234/067``."""
    if number < 0:
        raise ValueError("numbers of tiles are not negative")
    groups = [f"{number % 1000:03d}"]
    while number := number // 1000:
        groups.append(f"x{number % 1000:03d}")
    return "/".join(reversed(groups))


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """Return the path of a tile of hashes."""
    if not 0 <= level <= 63:
        raise ValueError(f"tile level {level} does not exist")
    return f"tile/{level}/{number_path(index)}{_partial_suffix(width)}"


def entries_path(index: int, width: int = TILE_WIDTH) -> str:
    """Return the path of an entry bundle."""
    return f"tile/entries/{number_path(index)}{_partial_suffix(width)}"


def partial_width(level: int, size: int) -> int:
    """Return how many hashes the last, partial tile of ``level`` has at ``size``; 0 when there is none."""
    return (size >> 8 * level) % TILE_WIDTH


def tile_width(level: int, index: int, size: int) -> int:
    """Return how many hashes tile ``index`` of ``level`` has at ``size``; 0 when it does not exist yet."""
    return max(0, min(TILE_WIDTH, (size >> 8 * level) - index * TILE_WIDTH))


def tiles_of(size: int, old_size: int = 0) -> Iterator[Tile]:
    """Yield every tile of hashes that a log of ``size`` has and the same log at ``old_size`` had not."""
    level = 0
    while (count := size >> 8 * level) > 0:
        old_count = old_size >> 8 * level
        if count > old_count:
            for index in range(old_count // TILE_WIDTH, -(-count // TILE_WIDTH)):
                yield Tile(level, index, min(TILE_WIDTH, count - index * TILE_WIDTH))
        level += 1


def split_tile(data: bytes, width: int, *, what: str = "tile") -> list[bytes]:
    """Return the hashes of a tile; raises MalformedError unless there are exactly ``width``."""
    if len(data) != width * HASH_SIZE:
        raise MalformedError(f"{what}: expected {width * HASH_SIZE} bytes, found {len(data)}")
    return [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Return the entry bundle of 1 to 256 entries; raises MalformedError for one beyond 65,535 bytes."""
    if not 1 <= len(entries) <= TILE_WIDTH:
        raise ValueError(f"a bundle holds 1 to {TILE_WIDTH} entries, not {len(entries)}")
    for entry in entries:
        check_entry(entry)
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def decode_bundle(data: bytes, width: int, *, what: str = "entry bundle") -> list[bytes]:
    """Return the entries of a bundle; raises MalformedError unless it is exactly ``width`` entries."""
    if len(data) > MAX_BUNDLE_BYTES:
        raise MalformedError(f"{what}: {len(data)} bytes, at most {MAX_BUNDLE_BYTES} are accepted")
    entries = []
    at = 0
    for position in range(width):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if at + 2 > len(data) or end > len(data):
            raise MalformedError(f"{what}: ends within entry {position} of {width}")
        entries.append(data[at + 2 : end])
        at = end
    if at != len(data):
        raise MalformedError(f"{what}: {len(data) - at} bytes behind its {width} entries")
    return entries


def check_entry(entry: bytes) -> None:
    """Raise MalformedError when ``entry`` is too long for a bundle."""
    if len(entry) > MAX_ENTRY:
        raise MalformedError(f"entry: {len(entry)} bytes, at most {MAX_ENTRY} fit in a bundle")


def range_hash(start: int, end: int, hash_at: HashAt) -> bytes:
    """Return the Merkle tree hash of leaves ``[start, end)``, a range that a proof or a root needs.

    ``start`` is a multiple of the smallest power of two that is not below the length, as in all ranges of
    `anchor.merkle`. Reads at most 128 hashes of one tile for each complete subtree.
    """
    length = end - start
    if length & (length - 1):
        middle = start + split_point(length)
        return node_hash(range_hash(start, middle, hash_at), range_hash(middle, end, hash_at))
    level = (length.bit_length() - 1) // 8
    first, count = start >> 8 * level, length >> 8 * level
    return root_of([hash_at(level, first + offset) for offset in range(count)])


def _partial_suffix(width: int) -> str:
    if not 1 <= width <= TILE_WIDTH:
        raise ValueError(f"a tile has 1 to {TILE_WIDTH} hashes, not {width}")
    return "" if width == TILE_WIDTH else f".p/{width}"
