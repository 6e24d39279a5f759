"""Files that are either the old or the new version after a crash, and files that are gone for good."""

import os
import stat
from pathlib import Path

from rng_service.vault.errors import KeystoreError
from rng_service.vault.steps import OnStep

__all__ = [
    "TEMPORARY_SUFFIX",
    "erase_file",
    "make_private_directory",
    "read_private",
    "remove_temporaries",
    "sync_directory",
    "write_atomically",
]

TEMPORARY_SUFFIX = ".tmp"


def sync_directory(directory: Path) -> None:
    """Make the names in ``directory`` durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_private_directory(directory: Path) -> None:
    """Create ``directory`` with mode 0700, durably; it may exist already when nobody else can enter it."""
    if not directory.exists():
        directory.mkdir(mode=0o700)
        sync_directory(directory.parent)
    _check_private(directory, directory.stat())


def write_atomically(path: Path, data: bytes, *, on_step: OnStep, step: str) -> None:
    """Replace ``path`` by ``data`` with mode 0600; durable when the call returns."""
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    # A crash here leaves the old file and a complete temporary one, which the next start removes.
    on_step(f"{step}.written")
    temporary.replace(path)
    # A crash here leaves either version; the caller has promised nothing yet.
    on_step(f"{step}.renamed")
    sync_directory(path.parent)


def remove_temporaries(directory: Path) -> None:
    """Remove what interrupted `write_atomically` calls left; the names they were meant for are intact."""
    for path in directory.glob(f"*{TEMPORARY_SUFFIX}"):
        _overwrite(path)
        path.unlink()
    sync_directory(directory)


def erase_file(path: Path, *, on_step: OnStep, step: str) -> None:
    """Overwrite and remove ``path``; does nothing when it is gone already.

    What this cannot promise: copy-on-write file systems, journals, snapshots, backups and flash controllers
    may keep the old blocks. What was in the file is therefore wrapped under the key-encryption key, and the
    rotation of that key is what finally makes such remains useless; for the key-encryption key itself the
    directory must lie on storage without snapshots.
    """
    if not path.exists():
        return
    _overwrite(path)
    # A crash here leaves a file of zeros, which authenticates as nothing; the next start removes it.
    on_step(f"{step}.overwritten")
    path.unlink()
    on_step(f"{step}.unlinked")
    sync_directory(path.parent)


def read_private(path: Path, limit: int) -> bytes:
    """Return at most ``limit`` bytes of a file that nobody but its owner, this process' user, can access.

    Raises KeystoreError, naming the file and the remedy, when it is missing, larger, not a regular file,
    owned by somebody else or open to group or others.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise KeystoreError(f"{path}: cannot be opened ({error.strerror})") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise KeystoreError(f"{path}: not a regular file")
        _check_private(path, status)
        data = os.read(descriptor, limit + 1)
    finally:
        os.close(descriptor)
    if len(data) > limit:
        raise KeystoreError(f"{path}: larger than the {limit} bytes such a file has")
    return data


def _check_private(path: Path, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise KeystoreError(f"{path}: owned by user {status.st_uid}, expected {os.geteuid()}; chown it")
    if status.st_mode & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        raise KeystoreError(f"{path}: mode {mode:04o} lets group or others in; run chmod go= on it")


def _overwrite(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    try:
        os.write(descriptor, bytes(os.fstat(descriptor).st_size))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
