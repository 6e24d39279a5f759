"""A whole package: every file is checked, against the others too, before anything is made of it."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from anchor import canonical
from anchor.errors import MalformedError, MissingError
from anchor.files import open_beneath
from rng_service.games.definition import GameDefinition, parse_game
from rng_service.games.errors import GameError
from rng_service.games.files import GameFiles
from rng_service.games.models.lookup import Books
from rng_service.games.weights import MAX_WEIGHTS_BYTES, read_weights
from rng_service.outcome.lookup import LookupTable
from rng_service.stake_engine.books import check_books
from rng_service.stake_engine.index import INDEX, Mode, parse_index
from rng_service.stake_engine.zstandard_lines import MAX_COMPRESSED_BYTES

__all__ = ["CheckedMode", "Package", "Progress", "read_package"]

_MAX_INDEX: Final = 1 << 20
# What is being read, how many of its rows were, and how many there are.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class CheckedMode:
    """A mode whose files hold and agree."""

    mode: Mode
    table: LookupTable
    books: Books


@dataclass(frozen=True, slots=True)
class Package:
    """A package that was checked, all of it."""

    directory: Path
    modes: tuple[CheckedMode, ...]

    def definition(self, game: str, version: int, title: str) -> GameDefinition:
        """Return the game that the package is: each mode a program; raises GameError for a name that is none."""
        value: canonical.JSONValue = {
            "v": 1,
            "game": game,
            "version": version,
            "title": title,
            "programs": {checked.mode.program: _program(checked) for checked in self.modes},
        }
        files = GameFiles.of(checked.table for checked in self.modes)
        return parse_game(canonical.encode(value), files)

    def files(self) -> Mapping[str, Path]:
        """Return what the definition names, under the names ``<digest>.csv`` and ``<digest>.jsonl.zst``."""
        found: dict[str, Path] = {}
        for checked in self.modes:
            found[f"{checked.table.digest.hex()}.csv"] = self.directory / checked.mode.weights
            found[f"{checked.books.file.hex()}.jsonl.zst"] = self.directory / checked.mode.books
        return found


def read_package(directory: Path, progress: Progress = lambda _what, _done, _total: None) -> Package:
    """Read and check the package in ``directory``, one mode after the other, in memory that its size hardly changes.

    Raises MalformedError and MissingError; the message names file and line, or file and field.
    """
    with _open(directory, INDEX, _MAX_INDEX) as file:
        data = file.read()
    try:
        modes = parse_index(data)
    except GameError as error:
        raise MalformedError(f"{INDEX}: {error}") from None
    for mode in modes:
        # A file that is missing or too large is told before the first is read.
        _open(directory, mode.weights, MAX_WEIGHTS_BYTES).close()
        _open(directory, mode.books, MAX_COMPRESSED_BYTES).close()
    return Package(directory, tuple(_read_mode(directory, mode, progress) for mode in modes))


def _read_mode(directory: Path, mode: Mode, progress: Progress) -> CheckedMode:
    with _open(directory, mode.weights, MAX_WEIGHTS_BYTES) as file:
        progress(mode.weights, 0, 0)
        weights = read_weights(file, name=mode.weights)
    rows = weights.table.rows
    with _open(directory, mode.books, MAX_COMPRESSED_BYTES) as file:
        checked = check_books(
            file,
            weights,
            name=mode.books,
            weights_name=mode.weights,
            progress=lambda done: progress(mode.books, done, rows),
        )
    return CheckedMode(mode, weights.table, checked.books)


def _open(directory: Path, path: str, limit: int) -> BinaryIO:
    """Open a file of the package; links are followed only while they stay in its directory."""
    if not directory.is_dir():
        raise MissingError(f"{directory} is no directory")
    file = open_beneath(directory, path)
    size = os.fstat(file.fileno()).st_size
    if size > limit:
        file.close()
        raise MalformedError(f"{path}: {size} bytes, at most {limit} are accepted")
    return file


def _program(checked: CheckedMode) -> canonical.JSONValue:
    table, books = checked.table, checked.books
    step: canonical.JSONValue = {
        "step": "lookup",
        "file": table.digest.hex(),
        "rows": table.rows,
        "total": str(table.total),
    }
    settlement: canonical.JSONValue = {
        "model": "lookup",
        "cost": str(checked.mode.cost),
        "books": {"file": books.file.hex(), "root": books.root.hex(), "size": books.size},
    }
    return {"steps": [step], "settlement": settlement}
