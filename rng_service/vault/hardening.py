"""What a process can do for its secrets without privileges; what was not to be had is reported."""

import ctypes
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Final

__all__ = ["harden_process"]

_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
_MCL_CURRENT: Final = 1
_MCL_FUTURE: Final = 2
_MCL_ONFAULT: Final = 4
_CAP_IPC_LOCK: Final = 14


def harden_process() -> dict[str, str]:
    """Apply every measure to this process; returns measure → ``yes`` or the reason why not."""
    measures: dict[str, Callable[[], str]] = {
        "core_dumps_disabled": _no_core_dumps,
        "not_dumpable": lambda: _prctl(_PR_SET_DUMPABLE, 0),
        "no_new_privileges": lambda: _prctl(_PR_SET_NO_NEW_PRIVS, 1),
        "memory_locked": _lock_memory,
        "umask_077": _private_umask,
    }
    return {name: _attempt(measure) for name, measure in measures.items()}


def _attempt(measure: Callable[[], str]) -> str:
    try:
        return measure()
    except (OSError, ValueError, AttributeError) as error:
        return str(error)


def _no_core_dumps() -> str:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return "yes"


def _private_umask() -> str:
    os.umask(0o077)
    return "yes"


def _prctl(option: int, value: int) -> str:
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(option, value, 0, 0, 0) != 0:
        return os.strerror(ctypes.get_errno())
    return "yes"


def _lock_memory() -> str:
    # With a finite limit and no capability, MCL_FUTURE would make later allocations fail at a random moment:
    # better unlocked, and said so.
    soft, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if hard == resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (hard, hard))
    elif not _has_capability(_CAP_IPC_LOCK):
        return f"RLIMIT_MEMLOCK is {soft} bytes; raise it to unlimited"
    library = ctypes.CDLL(None, use_errno=True)
    # On fault only: thread stacks are reserved generously and would otherwise all become resident.
    if library.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT) != 0:
        return os.strerror(ctypes.get_errno())
    return "yes"


def _has_capability(number: int) -> bool:
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False
