"""The durable steps of the sequencer by name, and the hook that fault tests stop it with.

Every place where a crash leaves a different state behind passes ``on_step(name)``. In production the hook does
nothing. In a development environment ``SEALDRAW_FAULT_POINT=sequencer.<name>[:n]`` makes the process kill itself at
the n-th passing, as hard as a power cut would.
"""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from rng_service.config import DEVELOPMENT_ENVIRONMENTS
from rng_service.errors import StartRefused

__all__ = ["FAULT_VARIABLE", "STEPS", "OnStep", "fault_point", "no_step"]

OnStep = Callable[[str], None]

FAULT_VARIABLE: Final = "SEALDRAW_FAULT_POINT"
_PREFIX: Final = "sequencer."
STEPS: Final = (
    "genesis.written",
    "seal.vault",
    "seal.leaves",
    "seal.recorded",
    "expiry.recorded",
    "disposal.vault",
    "disposal.recorded",
    "digest.opened",
    "digest.files",
    "digest.recorded",
    "totals.recorded",
    "rollups.folded",
    "alarm.recorded",
    "rtp-table.recorded",
    "rtp-table.refused",
    "statistics.begun",
    "statistics.recorded",
    "statistics.interrupted",
    "close.voids",
    "close.recorded",
    "publish.assigned",
    "publish.files",
    "publish.sign",
    "publish.checkpoint",
    "publish.published",
    "publish.settled",
    "activate.recorded",
    "test.vault",
    "test.recorded",
    "activate.vault",
    "activate.enabled",
    "erase.vault",
    "erase.recorded",
)


def no_step(_name: str) -> None:
    """Do nothing: the hook of production."""


def fault_point(
    environ: Mapping[str, str], environment: str, *, prefix: str = _PREFIX, steps: Sequence[str] = STEPS
) -> OnStep:
    """Return the hook that ``environ`` asks for; settings that do not begin with ``prefix`` are for other processes.

    Raises StartRefused when one is set outside the development environments, or names no step.
    """
    setting = environ.get(FAULT_VARIABLE, "")
    if not setting.startswith(prefix):
        return no_step
    if environment not in DEVELOPMENT_ENVIRONMENTS:
        raise StartRefused(f"{FAULT_VARIABLE} is set in environment {environment!r}; unset it to start")
    name, _, count = setting.removeprefix(prefix).partition(":")
    if name not in steps or not (count or "1").isdecimal():
        known = ", ".join(prefix + step for step in steps)
        raise StartRefused(f"{FAULT_VARIABLE}={setting!r}: expected <step>[:n], one of {known}")
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
