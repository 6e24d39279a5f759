"""Outages that the operator admitted: what was due in one counts from its end (PROTOCOL.md, section 9)."""

from collections.abc import Iterable
from typing import Final, NamedTuple

# The kind of incident by which an operator owns up to it.
OUTAGE: Final = "outage"


class Outage(NamedTuple):
    """The time between two digests in which the operator could not write any; ``digest`` is the one after it."""

    digest: int
    start_us: int
    end_us: int

    def text(self) -> str:
        """Return the outage for people."""
        seconds = (self.end_us - self.start_us) / 1_000_000
        return f"{seconds:.3f} seconds before digest {self.digest}, by the operator's clock"


def due_after(outages: Iterable[Outage], due_us: int, delay_us: int) -> int:
    """Return when something is due that was due at ``due_us``: ``delay_us`` after the end of the outages it fell in.

    ``outages`` come in the order of the log.
    """
    for outage in outages:
        if outage.start_us <= due_us <= outage.end_us:
            due_us = outage.end_us + delay_us
    return due_us
