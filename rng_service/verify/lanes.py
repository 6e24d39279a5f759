"""How many lanes a stream had when a record was bound: the number in force, or for a while the one before it.

Only these count (PROTOCOL.md, section 7). With every number that ever was, an operator could choose among lanes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rng_service.verify.outages import Outage, due_after


@dataclass(slots=True)
class _Lanes:
    current: int = 1
    before: int = 1
    # The last time of a digest in which records may still follow the number before.
    until_us: int = 0


class LaneCounts:
    """Follows the stream.lanes entries and the digests of a log in order."""

    def __init__(self) -> None:
        self._streams: dict[str, _Lanes] = {}
        self._fresh: list[_Lanes] = []

    def change(self, stream: str, lanes: int, time_us: int, delay_us: int) -> None:
        """Take a change of a stream's lanes; ``delay_us`` is the log's merge delay."""
        state = self._streams.setdefault(stream, _Lanes())
        state.before, state.current, state.until_us = state.current, lanes, time_us + delay_us
        self._fresh.append(state)

    def digest(self, time_us: int, delay_us: int) -> None:
        """Take the time of a digest: a change before it was not made after it, whatever time it states."""
        for state in self._fresh:
            state.until_us = min(state.until_us, time_us + delay_us)
        self._fresh.clear()

    def excuse(self, outages: Sequence[Outage], delay_us: int) -> None:
        """Let what was due in an admitted outage count from its end."""
        for state in self._streams.values():
            state.until_us = due_after(outages, state.until_us, delay_us)

    def current(self, stream: str) -> int:
        """Return the number in force, 1 when the log says nothing."""
        state = self._streams.get(stream)
        return 1 if state is None else state.current

    def accepted(self, stream: str, time_us: int) -> tuple[int, ...]:
        """Return the numbers by which the lanes of records in a digest of ``time_us`` may follow."""
        state = self._streams.get(stream)
        if state is None:
            return (1,)
        return (state.current, state.before) if time_us <= state.until_us else (state.current,)
