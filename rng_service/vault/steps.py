"""The durable steps of the vault by name, and the hook that fault tests stop it with.

Every place where a crash leaves a different state behind calls ``on_step(name)``. In production the hook does
nothing. In a development or test environment ``SEALDRAW_FAULT_POINT=<name>[:n]`` makes the process kill
itself at the n-th passing, as hard as a power cut would.
"""

import os
import signal
from collections.abc import Callable, Mapping
from typing import Final

from rng_service.vault.errors import VaultRefusedError

__all__ = ["FAULT_VARIABLE", "STEPS", "OnStep", "fault_point", "no_step"]

OnStep = Callable[[str], None]

FAULT_VARIABLE: Final = "SEALDRAW_FAULT_POINT"
_TEST_ENVIRONMENTS: Final = frozenset({"dev", "test"})

_WRITTEN_FILES: Final = (
    "checkpoint-key",
    "drbg",
    "kek",
    "mark",
    "origin",
    "pool-key",
    "receipt-key",
    "receipt-public",
    "rewrap",
)
_ERASED_FILES: Final = ("kek", "pool-key", "receipt-key")
STEPS: Final = frozenset(
    [f"{name}.{step}" for name in _WRITTEN_FILES for step in ("written", "renamed")]
    + [f"{name}.{step}" for name in _ERASED_FILES for step in ("overwritten", "unlinked")]
    + ["journal.extended", "journal.written", "journal.synced", "open.answering"]
)


def no_step(_name: str) -> None:
    """Do nothing: the hook of production."""


def fault_point(environ: Mapping[str, str], origin: str) -> OnStep:
    """Return the hook that ``environ`` asks for, `no_step` when it asks for none.

    Raises VaultRefusedError when a fault point is set outside the environments ``dev`` and ``test`` (the last
    path part of ``origin``), or names no step.
    """
    setting = environ.get(FAULT_VARIABLE)
    if setting is None:
        return no_step
    environment = origin.rpartition("/")[2]
    if environment not in _TEST_ENVIRONMENTS:
        raise VaultRefusedError(
            "fault-point", f"{FAULT_VARIABLE} is set in environment {environment!r}; unset it to start"
        )
    name, _, count = setting.partition(":")
    if name not in STEPS or not (count or "1").isdecimal():
        raise VaultRefusedError(
            "fault-point",
            f"{FAULT_VARIABLE}={setting!r}: expected <step>[:n], one of {', '.join(sorted(STEPS))}",
        )
    return _KillAt(name, int(count or "1"))


class _KillAt:
    def __init__(self, name: str, passings: int) -> None:
        self._name = name
        self._left = passings

    def __call__(self, name: str) -> None:
        if name == self._name:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
