"""The files that a game definition names by digest: where they come from, and the tables that they hold."""

from collections.abc import Callable
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from anchor.errors import MissingError, VerificationError
from anchor.files import open_beneath
from anchor.source import Source
from rng_service.games.weights import MAX_WEIGHTS_BYTES, read_weights
from rng_service.outcome.lookup import LookupTable
from rng_service.public_files import weights_path

__all__ = ["GameFiles", "Open", "directory_files", "files_beside", "no_files", "source_files"]

# Opens the file with this SHA-256, or raises MissingError; whether it really hashes so is for `GameFiles`.
Open = Callable[[bytes], BinaryIO]


class GameFiles:
    """The weights files that definitions name; each is read once and then shared by all that name it.

    Owned by one reader of definitions. What it opens is not trusted: only a file that hashes to its name is used.
    """

    def __init__(self, open_file: Open) -> None:
        self._open = open_file
        self._tables: dict[bytes, LookupTable] = {}

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
        return found


def no_files() -> GameFiles:
    """Return files of which there are none, for definitions that stand alone."""

    def missing(digest: bytes) -> BinaryIO:
        raise MissingError(f"{weights_path(digest)}: this definition has files beside it, and none were handed over")

    return GameFiles(missing)


def directory_files(directory: Path) -> GameFiles:
    """Return the files in ``directory``, each named ``<digest>.csv``."""
    return GameFiles(lambda digest: open_beneath(directory, f"{digest.hex()}.csv"))


def files_beside(directory: Path) -> GameFiles:
    """Return the CSV files in ``directory`` whatever their names are: each is hashed when one is first asked for."""
    known: dict[bytes, Path] = {}

    def open_file(digest: bytes) -> BinaryIO:
        if not known:
            known.update({_digest(path): path for path in _candidates(directory)})
        if digest not in known:
            raise MissingError(f"no .csv in {directory} has the SHA-256 {digest.hex()}")
        return known[digest].open("rb")

    return GameFiles(open_file)


def source_files(source: Source) -> GameFiles:
    """Return the files of a public directory, below ``games/files``."""
    return GameFiles(lambda digest: BytesIO(source.read(weights_path(digest), limit=MAX_WEIGHTS_BYTES)))


def _candidates(directory: Path) -> list[Path]:
    places = (directory, directory / "files")
    found = [path for place in places if place.is_dir() for path in sorted(place.glob("*.csv"))]
    return [path for path in found if path.is_file() and path.stat().st_size <= MAX_WEIGHTS_BYTES]


def _digest(path: Path) -> bytes:
    hashed = sha256()
    with path.open("rb") as file:
        while data := file.read(1 << 20):
            hashed.update(data)
    return hashed.digest()
