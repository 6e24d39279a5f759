"""What the statistics runner gives up before it reads a byte, and what of that held: said in every report.

Standard library only, and first of all: a process with threads may no longer leave its user namespace. Each measure is
tried by itself; a system that does not permit one says so in the report, and the others stand. What could go wrong for
all that is looked at afterwards (`verify_isolation`): whether a socket goes anywhere, and whether a file can be read.
"""

import ctypes
import errno
import os
import platform
import resource
import signal
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

__all__ = ["close_file_system", "give_up", "verify_isolation"]

YES: Final = "yes"

_CLONE_NEWUSER: Final = 0x1000_0000
_CLONE_NEWNET: Final = 0x4000_0000
_CLONE_NEWIPC: Final = 0x0800_0000
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_SECCOMP: Final = 22
_PR_SET_NO_NEW_PRIVS: Final = 38
_SECCOMP_MODE_FILTER: Final = 2
_NICE: Final = 10
_STANDARD: Final = (0, 1, 2)
_MOST_FILES: Final = 64
# A sequence of 2^26 bits takes 1.5 GB; libraries reserve more than they use.
_MEMORY_BYTES: Final = 6 << 30
_MOST_DESCRIPTORS: Final = 1 << 16

# Landlock, from Linux 5.13 on; its system calls have the same numbers everywhere.
_LANDLOCK_CREATE_RULESET: Final = 444
_LANDLOCK_RESTRICT_SELF: Final = 446
_LANDLOCK_VERSION: Final = 1
# Every access that the first version knows: to read, write, list, make and remove.
_LANDLOCK_ACCESS: Final = (1 << 13) - 1

# Classic BPF, as <linux/filter.h> and <linux/seccomp.h> have it.
_LOAD_WORD: Final = 0x20
_JUMP_IF_EQUAL: Final = 0x15
_JUMP_IF_AT_LEAST: Final = 0x35
_RETURN: Final = 0x06
_ALLOW: Final = 0x7FFF_0000
_DENY: Final = 0x0005_0000 | errno.EPERM
_NUMBER_AT: Final = 0
_ARCHITECTURE_AT: Final = 4
_X32: Final = 0x4000_0000
# To a network, to another program: socket, socketpair, connect, bind, execve, execveat, io_uring_setup. To another
# process, and what it has open: ptrace, process_vm_readv, process_vm_writev, kill, tkill, tgkill, pidfd_send_signal,
# pidfd_open, pidfd_getfd. To files without a path: open_by_handle_at.
_SYSTEM_CALLS: Final[dict[str, tuple[int, tuple[int, ...]]]] = {
    "x86_64": (0xC000_003E, (41, 53, 42, 49, 59, 322, 425, 101, 310, 311, 62, 200, 234, 424, 434, 438, 304)),
    "aarch64": (0xC000_00B7, (198, 199, 203, 200, 221, 281, 425, 117, 270, 271, 129, 130, 131, 424, 434, 438, 265)),
}


def give_up() -> dict[str, str]:
    """Give up everything that the batteries do not need; return measure → ``yes`` or the reason why not.

    Files can still be read: modules are still to be loaded. `close_file_system` ends that.
    """
    measures: dict[str, Callable[[], str]] = {
        "descriptors_closed": _close_descriptors,
        "environment_empty": _empty_environment,
        # Before anything else has threads.
        "network_namespace": _unshare,
        "no_new_privileges": lambda: _prctl(_PR_SET_NO_NEW_PRIVS, 1),
        "not_dumpable": lambda: _prctl(_PR_SET_DUMPABLE, 0),
        "dies_with_parent": lambda: _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),
        "no_core_dumps": lambda: _limit(resource.RLIMIT_CORE, 0),
        "no_file_grows": lambda: _limit(resource.RLIMIT_FSIZE, 0),
        "few_descriptors": lambda: _limit(resource.RLIMIT_NOFILE, _MOST_FILES),
        "memory_limited": lambda: _limit(resource.RLIMIT_AS, _MEMORY_BYTES),
        "low_priority": lambda: str(os.nice(_NICE)) and YES,
        "system_calls_filtered": _filter_system_calls,
    }
    return {name: _attempt(measure) for name, measure in measures.items()}


def close_file_system() -> dict[str, str]:
    """Let no file be opened any more: an empty directory becomes the root, and Landlock allows nothing.

    The current directory is the empty one. Everything that will ever be needed was loaded before.
    """
    return {"empty_root": _attempt(_change_root), "landlock": _attempt(_landlock)}


def verify_isolation() -> dict[str, str]:
    """Try what must not work, and return what was found; ``no`` is what a report hopes for."""
    return {
        "network_reachable": _try_network(),
        "files_readable": _try_files(),
        "parent_reachable": _try_parent(),
        "descriptors": " ".join(map(str, _descriptors())),
        "environment": " ".join(sorted(os.environ)),
        "user": str(os.getuid()),
    }


def _attempt(measure: Callable[[], str]) -> str:
    try:
        return measure()
    except (OSError, ValueError, AttributeError) as error:
        return str(error) or type(error).__name__


def _library() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _reason() -> str:
    return os.strerror(ctypes.get_errno())


def _prctl(option: int, value: int) -> str:
    return YES if _library().prctl(option, value, 0, 0, 0) == 0 else _reason()


def _limit(what: int, value: int) -> str:
    _, hard = resource.getrlimit(what)
    lower = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (lower, lower))
    return YES


def _unshare() -> str:
    flags = _CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC
    return YES if _library().unshare(flags) == 0 else _reason()


def _descriptors() -> list[int]:
    """Return the open descriptors; without /proc they are looked for one by one."""
    found = []
    for descriptor in range(min(_MOST_DESCRIPTORS, resource.getrlimit(resource.RLIMIT_NOFILE)[0])):
        with suppress(OSError):
            os.fstat(descriptor)
            found.append(descriptor)
    return found


def _close_descriptors() -> str:
    inherited = [descriptor for descriptor in _descriptors() if descriptor not in _STANDARD]
    os.closerange(_STANDARD[-1] + 1, _MOST_DESCRIPTORS)
    return f"{len(inherited)} were inherited" if inherited else YES


def _empty_environment() -> str:
    # What the interpreter itself puts there when it finds nothing (PEP 538).
    inherited = sorted(set(os.environ) - {"LC_CTYPE"})
    os.environ.clear()
    return f"{len(inherited)} variables were inherited" if inherited else YES


def _filter_system_calls() -> str:
    """Refuse, for ever, every system call by which a process finds another one; needs no privilege."""
    machine = platform.machine()
    known = _SYSTEM_CALLS.get(machine)
    if known is None:
        return f"not known for {machine}"
    architecture, numbers = known
    # Any other way of calling, with other numbers, is refused as a whole.
    program = [(_LOAD_WORD, 0, 0, _ARCHITECTURE_AT), (_JUMP_IF_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _DENY)]
    program += [(_LOAD_WORD, 0, 0, _NUMBER_AT), (_JUMP_IF_AT_LEAST, len(numbers) + 1, 0, _X32)]
    program += [(_JUMP_IF_EQUAL, len(numbers) - place, 0, number) for place, number in enumerate(numbers)]
    program += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _DENY)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *instruction) for instruction in program))
    filter_program = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    answer = _library().prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, filter_program, 0, 0)
    return YES if answer == 0 else _reason()


def _change_root() -> str:
    if any(Path().iterdir()):
        return "the scratch directory is not empty"
    os.chroot(".")
    os.chdir("/")
    return YES


def _landlock() -> str:
    library = _library()
    if library.syscall(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_VERSION) < 1:
        return _reason()
    handled = ctypes.create_string_buffer(struct.pack("=Q", _LANDLOCK_ACCESS), 8)
    rules = library.syscall(_LANDLOCK_CREATE_RULESET, handled, 8, 0)
    if rules < 0:
        return _reason()
    try:
        return YES if library.syscall(_LANDLOCK_RESTRICT_SELF, rules, 0) == 0 else _reason()
    finally:
        os.close(rules)


def _try_parent() -> str:
    """Ask for a handle on the parent: with one, what it has open could be taken, and it could be told to end."""
    try:
        os.close(os.pidfd_open(os.getppid()))
    except OSError:
        return "no"
    return YES


def _try_network() -> str:
    """Ask for the loopback interface, which every network has: even a refusal by it would be an answer."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as attempt:
            attempt.settimeout(1.0)
            attempt.connect(("127.0.0.1", 9))
    except ConnectionRefusedError:
        return YES
    except OSError:
        return "no"
    return YES


def _try_files() -> str:
    """Ask for what can be read everywhere else."""
    for path in ("/", ".", "/etc/passwd", "/proc/self/status"):
        try:
            os.close(os.open(path, os.O_RDONLY))
        except OSError:
            continue
        if path in {"/", "."} and not any(Path(path).iterdir()):
            continue
        return YES
    return "no"
