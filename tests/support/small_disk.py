"""A disk of a few megabytes that can be filled: a tmpfs of its own, where the tests may mount one."""

import errno
import os
import shutil
import subprocess
from pathlib import Path
from typing import Self

import pytest

_CHUNK = bytes(64 * 1024)


class SmallDisk:
    """Mounts ``megabytes`` at ``path``; what was in the directory is moved onto it. Skips where that is not allowed."""

    def __init__(self, path: Path, megabytes: int) -> None:
        self.path = path
        self._filler = path / "filler"
        if shutil.which("mount") is None or os.geteuid() != 0:
            pytest.skip("only root can mount a small disk")
        kept = path.with_name(path.name + ".before")
        path.rename(kept)
        path.mkdir(mode=kept.stat().st_mode & 0o777)
        options = f"size={megabytes}m,mode={kept.stat().st_mode & 0o777:o}"
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "sealdraw-test", str(path)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
        shutil.copytree(kept, path, dirs_exist_ok=True)
        shutil.rmtree(kept)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Lazily: a process that was just killed may still be on it.
        subprocess.run(["umount", "-l", str(self.path)], check=True)

    def fill(self) -> None:
        """Leave not a single byte free."""
        with self._filler.open("ab", buffering=0) as filler:
            for size in (len(_CHUNK), 512, 1):
                try:
                    while filler.write(_CHUNK[:size]):
                        pass
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def free(self) -> None:
        """Give the room back."""
        self._filler.unlink()
