"""Ctrl-C that waits for what must not be left half done."""

import signal
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["undisturbed"]


@contextmanager
def undisturbed() -> Generator[None]:
    """Let Ctrl-C wait until what is inside is done; then KeyboardInterrupt is raised.

    Outside the main thread, where no signals arrive, it does nothing.
    """
    waiting = False

    def remember(_number: int, _frame: object) -> None:
        nonlocal waiting
        waiting = True

    try:
        before = signal.signal(signal.SIGINT, remember)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if waiting:
        raise KeyboardInterrupt
