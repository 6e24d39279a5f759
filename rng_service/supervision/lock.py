"""One supervised service on a data directory at a time."""

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rng_service.errors import StartRefused

__all__ = ["take_lock"]

_TRIES: Final = 20
_PAUSE_S: Final = 0.1


def take_lock(path: Path, *, sleep: Callable[[float], None] = time.sleep) -> int:
    """Lock ``path`` and return the descriptor that holds the lock.

    The children inherit the descriptor, so that the lock is free only when the last process of a service is gone:
    after a supervisor was killed, its children may live for a moment, which is waited for. Raises StartRefused when
    the lock stays taken.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for _ in range(_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sleep(_PAUSE_S)
        else:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
            return descriptor
    holder = os.pread(descriptor, 32, 0).decode("ascii", errors="replace").strip() or "unknown"
    os.close(descriptor)
    raise StartRefused(
        f"{path.parent.parent}: another `sealdraw serve` (process {holder}) runs on this directory; stop it first"
    )
