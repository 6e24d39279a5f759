"""One supervised process: started with its output in a pipe, and never outliving the supervisor."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["Child", "ChildSpec"]

_PR_SET_PDEATHSIG: Final = 1
_MAX_LINE_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What to run. Stages start in order, each when all of the one before are ready, and stop in reverse order.

    The process is ready when a line of its output contains ``ready_marker``. ``stop_s`` is how long it may take
    to end after SIGTERM before it is killed.
    """

    name: str
    command: tuple[str, ...]
    stage: int
    ready_marker: str
    stop_s: float


class Child:
    """A started process of a spec."""

    def __init__(
        self, spec: ChildSpec, *, environment: Mapping[str, str], keep_open: Sequence[int], now: float
    ) -> None:
        self.spec = spec
        self.started_at = now
        self.ready = False
        self.last_line = ""
        # Whether the process has closed its output.
        self.ended = False
        self._partial = b""
        self._process = subprocess.Popen(  # noqa: S603 - the commands are this package's own modules
            spec.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            pass_fds=tuple(keep_open),
            # A terminal's Ctrl-C goes to the supervisor, which ends its children in order.
            start_new_session=True,
            preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509 - the supervisor has no threads
        )
        if self._process.stdout is None:
            raise AssertionError("a pipe was asked for")
        self.output = self._process.stdout.fileno()
        os.set_blocking(self.output, False)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit status when the process has ended: negative for a signal."""
        return self._process.poll()

    def signal(self, number: int) -> None:
        """Send a signal to the process, if it still runs."""
        self._process.send_signal(number)

    def read_lines(self) -> list[str]:
        """Return the complete lines that the process has written since the last call."""
        while True:
            try:
                data = os.read(self.output, _MAX_LINE_BYTES)
            except BlockingIOError:
                break
            if not data:
                self.ended = True
                break
            self._partial += data
        *lines, self._partial = self._partial.split(b"\n")
        if len(self._partial) > _MAX_LINE_BYTES:
            lines, self._partial = [*lines, self._partial], b""
        texts = [line.decode("utf-8", errors="replace").rstrip() for line in lines]
        for text in filter(None, texts):
            self.last_line = text
            self.ready = self.ready or self.spec.ready_marker in text
        return [text for text in texts if text]

    def close(self) -> None:
        """Close the pipe of an ended process."""
        if self._process.stdout is not None:
            self._process.stdout.close()


def _die_with(parent: int) -> Callable[[], None] | None:
    """Return what a child runs before its program: the kernel kills it when the supervisor dies, however it dies."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl

    def arm() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        # The supervisor may have died before the call above.
        if os.getppid() != parent:
            os._exit(1)

    return arm
