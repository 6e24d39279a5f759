"""The clock of the log: the operator's, which never runs backwards over what the log says already."""

from collections.abc import Callable

__all__ = ["LogClock"]


class LogClock:
    """``clock_us``, but never before a time that it has told, or before ``floor_us``.

    A machine whose clock was set back goes on with the newest time of the log until its clock has caught up: an entry
    must not be older than one before it (PROTOCOL.md, section 5).
    """

    def __init__(self, clock_us: Callable[[], int], *, floor_us: int) -> None:
        self._clock_us = clock_us
        self._newest_us = floor_us

    def __call__(self) -> int:
        """Return the time in microseconds UTC."""
        self._newest_us = max(self._newest_us, self._clock_us())
        return self._newest_us

    @property
    def behind(self) -> bool:
        """Whether the machine's clock is before the newest time, so that this one stands still."""
        return self._clock_us() < self._newest_us
