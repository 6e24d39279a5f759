"""What the journal says about the entropy source: when it was last good, what was sealed since, and whether it failed.

    tested      nothing that was sealed before is in doubt; an earlier failure is over (an operator restarted the vault)
    failed      no key is made until then
    suspected   a pool that was sealed since the last good test when the source failed; for ever

A pure record: the owner journals first and applies afterwards, and the next start replays the same entries.
"""

from rng_service.vault.entries import (
    Entry,
    PoolSealed,
    PoolSuspected,
    SourceFailed,
    SourceTested,
    encode_failed,
    encode_suspected,
    parse_entries,
)

__all__ = ["SourceRecord"]


class SourceRecord:
    """The source as the journal has it. Not thread-safe: the owner serialises."""

    def __init__(self) -> None:
        # In the order of sealing; the values say nothing.
        self._untested: dict[str, None] = {}
        self._suspects: dict[str, None] = {}
        # The test that failed, empty while the source is good.
        self.failed_test = ""
        self.failures = 0

    @property
    def untested(self) -> tuple[str, ...]:
        """The pools that were sealed since the last good test."""
        return tuple(self._untested)

    @property
    def suspects(self) -> tuple[str, ...]:
        """The pools that are never drawn from, oldest first."""
        return tuple(self._suspects)

    def suspected(self, pool_id: str) -> bool:
        """Whether the pool was sealed since the last good test before a failure."""
        return pool_id in self._suspects

    def failure_frame(self, test: str, doubtful: list[str]) -> bytes:
        """Return the journal's frame for a failure at ``test``.

        Beside the pools sealed since the last good test, those in ``doubtful`` become suspects: keys of pools that are
        not sealed yet.
        """
        names = dict.fromkeys([*self._untested, *doubtful])
        return encode_failed(test) + b"".join(encode_suspected(name) for name in names)

    def apply(self, frame: bytes) -> None:
        """Take in a frame that is durable now."""
        for entry in parse_entries(frame):
            self.replay(entry)

    def replay(self, entry: Entry) -> None:
        """Take in one entry of the journal."""
        match entry:
            case PoolSealed():
                self._untested[entry.pool_id] = None
            case SourceTested():
                self._untested.clear()
                self.failed_test = ""
            case SourceFailed():
                self.failed_test = entry.test
                self.failures += 1
            case PoolSuspected():
                self._suspects[entry.pool_id] = None
            case _:
                pass
