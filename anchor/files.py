"""Files that survive a crash, and files that are read only beneath a given directory.

A file appears under its name complete or not at all: its bytes are made durable under a temporary name in
the same directory, which is then renamed. The temporary name begins with a dot and depends only on the
final name, so that one writer's leftovers are overwritten by its next try and never served.
"""

import os
import stat
from io import BufferedReader
from pathlib import Path, PurePosixPath

from anchor.errors import MalformedError, MissingError, RefusedError


def atomic_write(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data``; when the call returns, contents and name are durable.

    Missing parent directories are made. One writer at a time for each path; OSError is passed on.
    """
    make_directory(path.parent)
    temporary = path.parent / f".{path.name}.tmp"
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        # A crash up to here leaves a temporary file that nobody reads.
        os.fsync(file.fileno())
    # A crash right here leaves the old file and a complete temporary one.
    temporary.replace(path)
    # A crash right here leaves either the old or the new file, each complete.
    sync_directory(path.parent)


def write_immutable(path: Path, data: bytes) -> None:
    """Write a file whose bytes never change: writing the same again is fine.

    Raises RefusedError when the file exists with other contents.
    """
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        atomic_write(path, data)
        return
    if found != data:
        raise RefusedError(f"{path} exists with other contents and must never change")
    # The crash that interrupted the first writing may have come before the name itself was durable.
    sync_directory(path.parent)


def make_directory(path: Path) -> None:
    """Make a directory and its missing parents, each durable in the one above."""
    if path.is_dir():
        return
    make_directory(path.parent)
    path.mkdir(exist_ok=True)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_relative(path: str) -> PurePosixPath:
    """Return ``path`` when it names something beneath a directory in the one plain way.

    Raises MalformedError for absolute paths, empty or dotted first-letter segments, back-slashes and
    controls.
    """
    segments = path.split("/")
    if len(path) > 1024 or any(not s or s.startswith(".") for s in segments):
        raise MalformedError(f"path {path[:80]!r}: expected segments that are not empty and begin with no dot")
    if any(c < " " or c in "\\\x7f" for c in path):
        raise MalformedError(f"path {path[:80]!r}: control characters and back-slashes are not allowed")
    return PurePosixPath(path)


def open_beneath(root: Path, path: str) -> BufferedReader:
    """Open the regular file at the relative ``path`` beneath ``root`` for reading.

    Links are followed only while they stay beneath ``root``. Raises MalformedError for a path that
    `check_relative` refuses and MissingError for everything that cannot be read as a regular file.
    """
    relative = check_relative(path)
    try:
        real_root = root.resolve(strict=True)
        target = (real_root / relative).resolve(strict=True)
        if not target.is_relative_to(real_root):
            raise MissingError(f"{path} leads out of {root}")
        # Without O_NONBLOCK a named pipe would hold the reader up before it could be told from a file.
        descriptor = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (OSError, RuntimeError) as error:
        raise MissingError(f"{path} cannot be read in {root}: {_reason(error)}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise MissingError(f"{path} in {root} is not a regular file")
    return os.fdopen(descriptor, "rb")


def _reason(error: BaseException) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else "links that lead in a circle"
