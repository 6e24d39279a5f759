"""Client seeds that were used again: no fault of the operator's, but a seed that was shown once is no secret.

Kept are short hashes of a bounded number of seeds, so that memory does not grow with the log.
"""

from collections import Counter
from hashlib import sha256

MOST_SEEDS = 1_000_000


class Seeds:
    """Counts, for each caller, the draws and tickets whose client seed had been there before."""

    def __init__(self, most: int = MOST_SEEDS) -> None:
        self._most = most
        self._seen: set[int] = set()
        self._repeated: Counter[str] = Counter()
        self._full = False

    def seed(self, caller: str, seed: bytes) -> None:
        """Take the seed of a draw without a ticket."""
        key = hash((caller, sha256(seed).digest()))
        seen = self._seen
        if key not in seen and len(seen) < self._most:
            # The way of nearly every draw.
            seen.add(key)
        else:
            self._again(caller, key)

    def seed_hash(self, caller: str, seed_hash: str) -> None:
        """Take the hash that a ticket holds; the draw on it repeats it and is not taken."""
        key = hash((caller, bytes.fromhex(seed_hash)))
        if key not in self._seen and len(self._seen) < self._most:
            self._seen.add(key)
        else:
            self._again(caller, key)

    def notes(self) -> list[str]:
        """Return what was found, for people."""
        lines = [
            f"client seeds of {caller} that were used before: {self._repeated[caller]}"
            for caller in sorted(self._repeated)
        ]
        if self._full:
            lines.append(f"client seeds behind the first {self._most} were not looked at")
        return lines

    def _again(self, caller: str, key: int) -> None:
        if key in self._seen:
            self._repeated[caller] += 1
        else:
            self._full = True
