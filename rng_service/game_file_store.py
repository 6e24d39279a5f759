"""The operator's own copy of the files that game definitions name: weights as they are, books packed.

    <digest>.csv                weights; copied into the public directory when a game that names them is published
    <books>-<weights>.books     a pack: books are shown with receipts and never published
    incoming-<digest>           an upload that is under way, or was cut off; the next one of the file overwrites it

A file stands under its name when it is whole, checked and durable, and never changes. Several processes read the
directory; one upload at a time is taken by each front.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Final

from anchor.errors import MalformedError, MissingError, RefusedError
from anchor.files import make_directory, sync_directory
from rng_service.books.pack import Pack
from rng_service.games.definition import GameDefinition
from rng_service.games.files import directory_files, file_digest
from rng_service.games.models.lookup import LookupModel
from rng_service.games.weights import MAX_WEIGHTS_BYTES, read_weights
from rng_service.public_files import weights_path
from rng_service.stake_engine.packing import pack_books_aside
from rng_service.stake_engine.zstandard_lines import MAX_COMPRESSED_BYTES

__all__ = ["GameFileStore", "named_weights"]

PackBooks = Callable[[Path, Path, Path], None]
_COPY: Final = 1 << 20


class GameFileStore:
    """The directory, what was read from it, and the packs that are open."""

    def __init__(self, directory: Path, *, pack_books: PackBooks = pack_books_aside) -> None:
        self._directory = directory
        self._pack_books = pack_books
        self._packs: dict[tuple[bytes, bytes], Pack] = {}
        self._taking, self._opening = Lock(), Lock()
        self.files = directory_files(directory)

    def has_weights(self, digest: bytes) -> bool:
        """Return whether the weights file is here."""
        return self._weights(digest).is_file()

    def has_books(self, books: bytes, weights: bytes) -> bool:
        """Return whether the books file is here, packed for these weights."""
        return self._pack(books, weights).is_file()

    def take_weights(self, digest: bytes, chunks: Iterable[bytes]) -> None:
        """Keep a weights file, durably.

        Raises MalformedError when it is not the file announced, or does not hold; RefusedError while another front
        takes it.
        """
        with self._taking:
            if self.has_weights(digest):
                return
            with self._received(digest, chunks, MAX_WEIGHTS_BYTES) as received:
                with received.open("rb") as file:
                    read_weights(file, name="weights")
                self._name(received, self._weights(digest))

    def take_books(self, books: bytes, weights: bytes, chunks: Iterable[bytes]) -> None:
        """Keep a books file, packed, durably.

        Raises MissingError when the weights are not here yet, MalformedError when it is not the file announced or
        does not go with them, RefusedError while another front takes it.
        """
        with self._taking:
            if self.has_books(books, weights):
                return
            if not self.has_weights(weights):
                raise MissingError(f"the weights {weights.hex()} are not here; they are uploaded before their books")
            with self._received(books, chunks, MAX_COMPRESSED_BYTES) as received:
                packed = received.with_name(received.name + ".books")
                try:
                    self._pack_books(received, self._weights(weights), packed)
                    self._name(packed, self._pack(books, weights))
                finally:
                    packed.unlink(missing_ok=True)

    def check(self, definition: GameDefinition) -> None:
        """Demand that the books of every program are here and are those that it commits to.

        Raises MissingError, and MalformedError for another root.
        """
        for name, program in definition.programs.items():
            if isinstance(program.model, LookupModel) and program.model.books is not None:
                pack, said = self.pack(program.model), program.model.books
                if pack.root != said.root:
                    raise MalformedError(
                        f"$.programs.{name}.settlement.books.root: the books have the root {pack.root.hex()}, "
                        f"the definition says {said.root.hex()}"
                    )

    def pack(self, model: LookupModel) -> Pack:
        """Return the pack of a program that has books; raises MissingError when they are not here."""
        if model.books is None:
            raise MissingError("this program has no books")
        key = model.books.file, model.table.digest
        found = self._packs.get(key)
        if found is None:
            with self._opening:
                found = self._packs.get(key)
                if found is None:
                    found = self._packs[key] = Pack(self._pack(*key))
        return found

    def publish(self, definition: bytes, public_dir: Path) -> None:
        """Copy the weights that a definition names into the public directory; the same again changes nothing.

        Raises MissingError when they are not here, RefusedError when the public directory has another file there.
        """
        for digest in named_weights(definition):
            target = public_dir / weights_path(digest)
            if target.exists():
                if file_digest(target) != digest:
                    raise RefusedError(f"{target} exists with other contents and must never change")
                continue
            source = self._weights(digest)
            if not source.is_file():
                raise MissingError(f"{source} is not here; upload it again: sealdraw game register does")
            make_directory(target.parent)
            temporary = target.with_name(f".{target.name}.tmp")
            _copy(source, temporary)
            # A crash right here leaves a temporary file that is never served.
            temporary.replace(target)
            sync_directory(target.parent)

    def close(self) -> None:
        """Let go of the packs."""
        for pack in self._packs.values():
            pack.close()
        self._packs.clear()

    def _weights(self, digest: bytes) -> Path:
        return self._directory / f"{digest.hex()}.csv"

    def _pack(self, books: bytes, weights: bytes) -> Path:
        return self._directory / f"{books.hex()}-{weights.hex()}.books"

    @contextmanager
    def _received(self, digest: bytes, chunks: Iterable[bytes], limit: int) -> Iterator[Path]:
        """Give the uploaded file, whole, while nobody else can take it; it is gone afterwards unless it got a name."""
        make_directory(self._directory)
        temporary = self._directory / f"incoming-{digest.hex()}"
        hashed, size = sha256(), 0
        # A crash or a caller that goes away leaves a file that the next upload overwrites.
        with temporary.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Whoever had it before has thrown it away; what stands under the name is somebody else's by now.
                ours = temporary.exists() and os.path.samestat(temporary.stat(), os.fstat(file.fileno()))
            except (BlockingIOError, FileNotFoundError):
                ours = False
            if not ours:
                raise RefusedError(f"{digest.hex()} is being uploaded already; try again later")
            try:
                file.truncate(0)
                for chunk in chunks:
                    size += len(chunk)
                    _require(size <= limit, f"more than the {limit} bytes that are accepted")
                    hashed.update(chunk)
                    file.write(chunk)
                found = hashed.digest()
                _require(found == digest, f"{size} bytes that hash to {found.hex()}, announced was {digest.hex()}")
                file.flush()
                os.fsync(file.fileno())
                yield temporary
            finally:
                temporary.unlink(missing_ok=True)

    def _name(self, temporary: Path, name: Path) -> None:
        temporary.replace(name)
        # A crash right here leaves the whole file under its name, or an upload that is made again.
        sync_directory(self._directory)


def named_weights(definition: bytes) -> list[bytes]:
    """Return the digests of the weights files that a definition (which was parsed before) names, sorted."""
    programs = json.loads(definition)["programs"].values()
    steps = [step for program in programs for step in program["steps"] if step["step"] == "lookup"]
    return sorted({bytes.fromhex(step["file"]) for step in steps})


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise MalformedError(message)


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as file, target.open("wb") as out:
        shutil.copyfileobj(file, out, _COPY)
        out.flush()
        os.fsync(out.fileno())
