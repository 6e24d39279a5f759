"""Handing the files that a game definition names over to a service, before the game is registered."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rng_service.cli.connection import Connection, call
from rng_service.cli.progress import ProgressBar
from rng_service.games import GameDefinition
from rng_service.games.models.lookup import LookupModel

if TYPE_CHECKING:
    import grpc

__all__ = ["BOOKS", "WEIGHTS", "FindFile", "upload_files"]

WEIGHTS: Final = (".csv",)
BOOKS: Final = (".jsonl.zst", ".jsonl.zstd")
_CHUNK: Final = 1 << 20
# The service packs books before it answers: seconds for a million, minutes for the largest.
_TIMEOUT_S: Final = 1_800.0

# Finds the file with a SHA-256 and one of some endings; raises MissingError.
FindFile = Callable[[bytes, tuple[str, ...]], Path]


def upload_files(channel: "grpc.Channel", definition: GameDefinition, find: FindFile, connection: Connection) -> int:
    """Upload what the definition names and the service does not have; return how many files it did not have.

    Weights come before their books. Raises MissingError for a file that ``find`` does not find, CallError when the
    service refuses one.
    """
    from sealdraw.v1 import operator_pb2, operator_pb2_grpc

    upload = operator_pb2_grpc.OperatorServiceStub(channel).UploadGameFile
    wanted: dict[tuple[bytes, bytes], tuple[Any, Path]] = {}
    for program in definition.programs.values():
        model = program.model
        if not isinstance(model, LookupModel):
            continue
        weights, books = model.table.digest, model.books
        file = operator_pb2.GameFile(kind=operator_pb2.GAME_FILE_KIND_WEIGHTS, digest=weights)
        wanted[weights, b""] = file, find(weights, WEIGHTS)
        if books is not None:
            kind = operator_pb2.GAME_FILE_KIND_BOOKS
            file = operator_pb2.GameFile(kind=kind, digest=books.file, weights_digest=weights)
            wanted[books.file, weights] = file, find(books.file, BOOKS)
    fresh = 0
    for file, path in wanted.values():
        with ProgressBar(f"uploading {path.name}") as bar:
            answer = call(upload, _messages(file, path, bar), connection, timeout_s=_TIMEOUT_S)
        fresh += not answer.known
    return fresh


def _messages(file: Any, path: Path, bar: ProgressBar) -> Iterator[Any]:
    from sealdraw.v1 import operator_pb2

    size, sent = path.stat().st_size, 0
    yield operator_pb2.UploadGameFileRequest(file=file)
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield operator_pb2.UploadGameFileRequest(chunk=chunk)
            sent += len(chunk)
            bar.update(sent, size)
