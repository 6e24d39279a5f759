"""A limit for work that a stranger's data decides the size of, such as the mathematics of an operator's game."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

__all__ = ["OutOfTimeError", "time_limit"]


class OutOfTimeError(Exception):
    """The work took longer than it was given."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise OutOfTimeError inside the block when it takes longer than ``seconds``, and before it when they are used up.

    By SIGALRM: only the main thread can be stopped like this, in any other the block takes as long as it takes.
    """
    if seconds <= 0:
        raise OutOfTimeError
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, _stop)
    # Again every second: what is raised while something is being thrown away is lost.
    outer_s, _ = signal.setitimer(signal.ITIMER_REAL, seconds, 1)
    try:
        yield
    finally:
        # A limit around this one goes on with what it had left; it is told of its end a little late.
        signal.setitimer(signal.ITIMER_REAL, outer_s)
        signal.signal(signal.SIGALRM, before)


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    raise OutOfTimeError
