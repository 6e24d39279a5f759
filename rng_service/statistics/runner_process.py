"""One statistics runner, as whoever starts it sees it: a job and data in, a report and its page out, or a failure.

The runner is not trusted: it may say anything, say nothing, or say too much. What comes back is bounded before it is
read, and it is over at the deadline at the latest. That its report is one, the caller checks.
"""

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, NamedTuple, Self

from anchor.errors import MalformedError
from rng_service.errors import SealdrawError
from rng_service.statistics.runner_protocol import ISOLATION, PAGE, REPORT, Job, read_message, write_job

__all__ = ["COMMAND", "RunnerAnswer", "RunnerFailedError", "RunnerProcess"]

# Isolated mode: neither the environment nor the current directory has a say in what is loaded.
COMMAND: Final = (sys.executable, "-I", "-B", "-m", "rng_service.statistics.runner")


class RunnerFailedError(SealdrawError):
    """The runner came to no report; says why."""


class RunnerAnswer(NamedTuple):
    """The bytes of a report and of its page, unchecked, and how many bytes of data the runner took."""

    report: bytes
    page: bytes
    taken_bytes: int


class RunnerProcess:
    """A runner with ``deadline_s`` to live: `ready`, then `conduct` once, then `close`, which kills what is left.

    `stop` may be called by another thread at any time; whatever is going on then fails.
    """

    def __init__(self, *, deadline_s: float, command: Sequence[str] = COMMAND) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="sealdraw-statistics-")
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=self._scratch.name,
                env={},
                close_fds=True,
            )
        except OSError as error:
            self._scratch.cleanup()
            raise RunnerFailedError(f"the runner could not be started: {error.strerror}") from None
        self._deadline_s = deadline_s
        self._late = False
        self._timer = threading.Timer(deadline_s, self._expire)
        self._timer.daemon = True
        self._timer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The runner's process."""
        return self._process.pid

    def ready(self) -> dict[str, str]:
        """Wait until the runner is isolated, and return what it says of that; raises RunnerFailedError."""
        assert self._process.stdout is not None  # noqa: S101 - a pipe, as was asked for
        try:
            found = json.loads(read_message(self._process.stdout, ISOLATION).decode("ascii"))
        except (MalformedError, ValueError, RecursionError) as error:
            raise self._failed(error) from None
        if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
            raise RunnerFailedError("the runner does not say what isolates it")
        return found

    def conduct(self, job: Job, data: Iterable[bytes]) -> RunnerAnswer:
        """Give the runner its job, and data for as long as it takes any; return what it answers.

        The pipe is what holds ``data`` back, and nothing of them is kept here. Raises RunnerFailedError, and what
        ``data`` raises.
        """
        assert self._process.stdin is not None  # noqa: S101 - pipes, as was asked for
        assert self._process.stdout is not None  # noqa: S101
        taken = 0
        try:
            # When it has seen enough, the runner closes its end: that is no failure.
            with suppress(BrokenPipeError):
                write_job(self._process.stdin, job)
                for part in data:
                    self._process.stdin.write(part)
                    self._process.stdin.flush()
                    taken += len(part)
            with suppress(BrokenPipeError):
                self._process.stdin.close()
            report = read_message(self._process.stdout, REPORT)
            return RunnerAnswer(report, read_message(self._process.stdout, PAGE), taken)
        except (MalformedError, OSError, ValueError) as error:
            raise self._failed(error) from None

    def stop(self) -> None:
        """End the runner at once; it has nothing that could be lost."""
        self._process.kill()

    def close(self) -> None:
        """End the runner, wait for it, and remove its directory."""
        self._timer.cancel()
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()
        self._scratch.cleanup()

    def _expire(self) -> None:
        self._late = True
        self._process.kill()

    def _failed(self, error: Exception) -> RunnerFailedError:
        if self._late:
            return RunnerFailedError(f"the runner was not done within {self._deadline_s:.0f} s and was ended")
        return RunnerFailedError(f"the runner failed: {error}")
