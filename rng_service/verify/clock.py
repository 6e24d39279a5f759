"""What the digests of a log have said about time: it never runs backwards, and nothing is dated before them.

The operator's clock proves nothing, but log order does: what a digest stated is known to have been reached when the
entries behind it were written. So a commitment behind a digest cannot name a beacon round that was out by then.
"""

import re
from typing import Final, NamedTuple

from anchor.errors import MalformedError
from rng_service.verify.fault import require

MICROSECONDS: Final = 1_000_000
# How far the clocks of the operator's own processes may lie apart (PROTOCOL.md, sections 5 and 8).
CLOCK_TOLERANCE_US: Final = 5 * MICROSECONDS
# How far the verifier's own clock may be behind the operator's.
OWN_CLOCK_TOLERANCE_US: Final = 300 * MICROSECONDS

# A digest is canonical JSON: a beacon stands at its beginning, its time just before its type.
_END = re.compile(rb'"time_us":(0|[1-9][0-9]{0,15}),"type":"digest","v":1\}\Z')
_BEACON = re.compile(rb'\{"beacon":\{"chain":"([0-9a-f]{64})","round":([1-9][0-9]{0,15})\},')


class LogTime(NamedTuple):
    """How far the log had come: the time of the newest digest, and the newest round of one chain that any stated.

    Both are 0 before there was one.
    """

    newest_us: int = 0
    newest_round: int = 0

    def require_not_before(self, time_us: int) -> None:
        """Check the time of an entry that is no digest; raises VerificationError ``entry-time``."""
        require(
            time_us >= self.newest_us - CLOCK_TOLERANCE_US,
            "entry-time",
            f"the entry is of {time_us}, a digest before it of {self.newest_us}: it is dated back",
        )


class LogClock:
    """Follows the digests of a log in order."""

    def __init__(self) -> None:
        self.newest_us = 0
        self._rounds: dict[bytes, int] = {}

    def begin(self, time_us: int) -> None:
        """Take the time of the log.config, which bounds everything behind it as a digest's does."""
        self.newest_us = max(self.newest_us, time_us)

    def digest(self, time_us: int, chain: bytes | None = None, round_number: int = 0) -> None:
        """Take the next digest; raises VerificationError ``digest-time`` when it lies before the last one."""
        require(
            time_us >= self.newest_us,
            "digest-time",
            f"the digest is of {time_us}, and one before it of {self.newest_us}: time runs backwards",
        )
        self.newest_us = time_us
        if chain is not None:
            self._rounds[chain] = max(round_number, self._rounds.get(chain, 0))

    def digest_bytes(self, data: bytes) -> bool:
        """Take an entry's bytes when it is a digest, and say whether it was; for walks that parse few entries.

        Raises VerificationError ``digest-time``, MalformedError for a digest that states no time.
        """
        if not data.endswith(b'"type":"digest","v":1}'):
            return False
        end, beacon = _END.search(data), _BEACON.match(data)
        if end is None:
            raise MalformedError("digest: it states no time")
        if beacon is None:
            self.digest(int(end[1]))
        else:
            self.digest(int(end[1]), bytes.fromhex(beacon[1].decode("ascii")), int(beacon[2]))
        return True

    def at(self, chain: bytes | None = None) -> LogTime:
        """Return how far the log has come, for commitments to rounds of ``chain``."""
        return LogTime(self.newest_us, 0 if chain is None else self._rounds.get(chain, 0))
