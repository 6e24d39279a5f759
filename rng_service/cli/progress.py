"""A progress bar: one line on a terminal that is drawn over itself, and nothing at all anywhere else."""

import shutil
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self, TextIO

__all__ = ["ProgressBar"]

_REDRAW_S: Final = 0.1
_BAR: Final = 24
_CLEAR_LINE: Final = "\r\x1b[2K"


class ProgressBar:
    """``with ProgressBar("verifying the log") as bar: bar.update(done, total)``; the line is gone afterwards.

    May be updated as often as one likes: it draws at most ten times a second. With a total of 0 it shows that
    something is going on, without saying how far it is.
    """

    def __init__(
        self,
        label: str,
        *,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._label = label
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._visible = self._stream.isatty()
        self._drawn_at: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def update(self, done: int, total: int, note: str = "") -> None:
        """Show that ``done`` of ``total`` are done, with ``note`` behind it."""
        if not self._visible:
            return
        now = self._clock()
        if self._drawn_at is not None and now - self._drawn_at < _REDRAW_S and done != total:
            return
        self._drawn_at = now
        self._stream.write(_CLEAR_LINE + self._line(done, total, note))
        self._stream.flush()

    def clear(self) -> None:
        """Take the line away, so that what is printed next begins on a clean one."""
        if self._drawn_at is not None:
            self._stream.write(_CLEAR_LINE)
            self._stream.flush()
            self._drawn_at = None

    def _line(self, done: int, total: int, note: str) -> str:
        if total > 0:
            filled = _BAR * min(done, total) // total
            shown = f"{'█' * filled}{'░' * (_BAR - filled)}  {done:,} of {total:,}"
        else:
            shown = "…"
        line = f"{self._label}  {shown}  {note}".rstrip()
        # A line that wraps cannot be drawn over.
        return line[: shutil.get_terminal_size().columns - 1]
