"""The files that a game definition names by digest: where they come from, and the tables that they hold."""

from collections.abc import Callable, Iterable
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Self

from anchor.errors import MissingError, VerificationError
from anchor.files import open_beneath
from anchor.source import Source
from rng_service.games.weights import MAX_WEIGHTS_BYTES, read_weights
from rng_service.outcome.lookup import LookupTable
from rng_service.public_files import weights_path

__all__ = [
    "GameFiles",
    "Open",
    "directory_files",
    "file_digest",
    "files_beside",
    "find_beside",
    "no_files",
    "source_files",
]

# Of a stranger's tables: half a gigabyte.
_KEPT_ROWS = 2**25

# Opens the file with this SHA-256, or raises MissingError; whether it really hashes so is for `GameFiles`.
Open = Callable[[bytes], BinaryIO]


class GameFiles:
    """The weights files that definitions name; each is read once and then shared by all that name it.

    Owned by one reader of definitions. What it opens is not trusted: only a file that hashes to its name is used.
    """

    def __init__(self, open_file: Open, *, most_rows: int | None = None) -> None:
        """Read with ``open_file``; tables of more than ``most_rows`` rows together are let go, the oldest first."""
        self._open = open_file
        self._most_rows = most_rows
        self._tables: dict[bytes, LookupTable] = {}

    @classmethod
    def of(cls, tables: Iterable[LookupTable]) -> Self:
        """Return files of which these were read before, and no others."""
        files = cls(_missing)
        files._tables = {table.digest: table for table in tables}
        return files

    def table(self, digest: bytes) -> LookupTable:
        """Return the table whose file has this SHA-256.

        Raises MissingError when there is no such file, VerificationError ``game-file`` when it hashes otherwise,
        and MalformedError as `read_weights`.
        """
        found = self._tables.get(digest)
        if found is None:
            name = weights_path(digest)
            with self._open(digest) as file:
                found = read_weights(file, name=name).table
            if found.digest != digest:
                raise VerificationError("game-file", f"{name} hashes to {found.digest.hex()}")
            self._tables[digest] = found
            self._let_go()
        return found

    def _let_go(self) -> None:
        rows = sum(table.rows for table in self._tables.values())
        while self._most_rows is not None and rows > self._most_rows and len(self._tables) > 1:
            oldest = next(iter(self._tables))
            rows -= self._tables.pop(oldest).rows


def no_files() -> GameFiles:
    """Return files of which there are none, for definitions that stand alone."""
    return GameFiles(_missing)


def directory_files(directory: Path) -> GameFiles:
    """Return the files in ``directory``, each named ``<digest>.csv``."""
    return GameFiles(lambda digest: open_beneath(directory, f"{digest.hex()}.csv"))


def files_beside(directory: Path) -> GameFiles:
    """Return the files of a definition in ``directory``, or in a directory ``files`` in it; see `find_beside`."""
    return GameFiles(lambda digest: find_beside(directory, digest, (".csv",)).open("rb"))


def find_beside(directory: Path, digest: bytes, suffixes: tuple[str, ...]) -> Path:
    """Return the file with this SHA-256 in ``directory``, or in a directory ``files`` in it.

    One that is called by its digest is found at once; otherwise those with one of the ``suffixes`` are hashed.
    Raises MissingError.
    """
    places = [place for place in (directory, directory / "files") if place.is_dir()]
    for place in places:
        for suffix in suffixes:
            named = place / f"{digest.hex()}{suffix}"
            if named.is_file():
                return named
    for place in places:
        for path in sorted(place.iterdir()):
            if path.name.endswith(suffixes) and path.is_file() and file_digest(path) == digest:
                return path
    raise MissingError(f"no {' or '.join(suffixes)} in {directory} or {directory / 'files'} hashes to {digest.hex()}")


def source_files(source: Source) -> GameFiles:
    """Return the files of a public directory, below ``games/files``, of which strangers say how many there are."""
    return GameFiles(
        lambda digest: BytesIO(source.read(weights_path(digest), limit=MAX_WEIGHTS_BYTES)), most_rows=_KEPT_ROWS
    )


def file_digest(path: Path) -> bytes:
    """Return SHA-256 of a file."""
    hashed = sha256()
    with path.open("rb") as file:
        while data := file.read(1 << 20):
            hashed.update(data)
    return hashed.digest()


def _missing(digest: bytes) -> BinaryIO:
    raise MissingError(f"{weights_path(digest)}: this definition has files beside it, and none were handed over")
