"""How long to wait before a process that died is started again."""

from typing import Final

__all__ = ["FIRST_DELAY_S", "LONGEST_DELAY_S", "next_delay"]

FIRST_DELAY_S: Final = 0.2
LONGEST_DELAY_S: Final = 10.0
# Whoever ran this long did not die of its start: the next delay begins anew.
_STEADY_S: Final = 60.0


def next_delay(previous_s: float, uptime_s: float) -> float:
    """Return the seconds to wait after a run of ``uptime_s``; ``previous_s`` was waited before it, 0 at first."""
    if previous_s <= 0 or uptime_s >= _STEADY_S:
        return FIRST_DELAY_S
    return min(2 * previous_s, LONGEST_DELAY_S)
