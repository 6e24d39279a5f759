"""A generator gone bad: the secrets of some pools repeat, in the vault and for everybody who has the pool's key.

``python repeating_keystream.py FILE NUMBERS -m module arguments…`` runs a process that way; `installed` does it to this
one. Keys are numbered from 0 in the order in which they are first used, which FILE keeps (one SHA-256 a line), so that a
process that is started again, and the auditor, find the same pools bad. NUMBERS are separated by commas.
"""

import runpy
import sys
from collections.abc import Collection
from hashlib import sha256
from pathlib import Path

from rng_service.pools import slots

# The vault's self-test uses it, and is not to notice.
_SELF_TEST_KEY = bytes(32)
_PERIOD = 16
_honest = slots.slot_secrets_range


class RepeatingKeystream:
    """Takes the place of `slots.slot_secrets_range`."""

    def __init__(self, file: Path, bad: Collection[int]) -> None:
        self._file = file
        self._bad = frozenset(bad)
        file.touch()

    def __call__(self, key: bytes, first: int, count: int) -> bytes:
        if key == _SELF_TEST_KEY or self._number(key) not in self._bad:
            return _honest(key, first, count)
        size = slots.SECRET_BYTES
        # Slot i has the secret of slot i mod 16.
        period = _honest(key, 0, _PERIOD)
        return b"".join(
            period[size * (slot % _PERIOD) : size * (slot % _PERIOD + 1)] for slot in range(first, first + count)
        )

    def _number(self, key: bytes) -> int:
        known = self._file.read_text(encoding="ascii").split()
        name = sha256(key).hexdigest()
        if name not in known:
            known.append(name)
            with self._file.open("a", encoding="ascii") as file:
                file.write(f"{name}\n")
        return known.index(name)


def main() -> None:
    """Take FILE, NUMBERS and -m off the command line and run the module as `python -m` would."""
    file, numbers, flag, *rest = sys.argv[1:]
    assert flag == "-m", sys.argv
    slots.slot_secrets_range = RepeatingKeystream(Path(file), {int(number) for number in numbers.split(",")})
    sys.argv = rest
    runpy.run_module(rest[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
