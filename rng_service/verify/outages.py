"""Outages that the operator admitted: what was due in one counts from its end (PROTOCOL.md, section 9)."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from anchor.errors import VerificationError

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


def total_us(outages: Iterable[Outage]) -> int:
    """Return how long all outages together were, by the operator's clock."""
    return sum(outage.end_us - outage.start_us for outage in outages)


def require_total(outages: Iterable[Outage], most_s: int | None) -> None:
    """Check what the verifier is ready to forgive, None being anything; raises ``outage-too-long``."""
    found_us = total_us(outages)
    if most_s is not None and found_us > most_s * 1_000_000:
        raise VerificationError(
            "outage-too-long",
            f"the operator admits {found_us / 1_000_000:.3f} seconds of outages, accepted are {most_s}",
        )


def due_after(outages: Iterable[Outage], due_us: int, delay_us: int) -> int:
    """Return when something is due that was due at ``due_us``: ``delay_us`` after the end of the outages it fell in.

    ``outages`` come in the order of the log.
    """
    for outage in outages:
        if outage.start_us <= due_us <= outage.end_us:
            due_us = outage.end_us + delay_us
    return due_us
