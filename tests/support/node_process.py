"""One process of a node under test: its output in a file, in the test's process group, killed like any other.

Importing the front or the sequencer takes two seconds of a processor, and fault tests start them hundreds of times.
They are therefore forked from a server that has imported their modules and done nothing else; from there on they run
the `main` of their module as `python -m` would, each a process of its own. The vault is always started afresh.
"""

import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FORKED = frozenset({"rng_service.front.process", "rng_service.sequencer.process"})
_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(sorted(_FORKED))


class NodeProcess:
    """``command`` as `ChildSpec` has it: interpreter, -m, module, arguments. ``fresh`` forbids the shortcut."""

    def __init__(
        self, command: Sequence[str], log: Path, environment: Mapping[str, str], group: int, *, fresh: bool = False
    ) -> None:
        self.log = log
        log.touch()
        self._exec: subprocess.Popen[bytes] | None = None
        if fresh or command[2] not in _FORKED:
            with log.open("wb") as output:
                self._exec = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                    env=dict(environment), cwd=ROOT, process_group=group,
                )  # fmt: skip
            self.pid = self._exec.pid
        else:
            arguments = (command[2], list(command[3:]), dict(environment), str(log), group)
            self._fork = _server.Process(target=_run, args=arguments, daemon=True)
            self._fork.start()
            self.pid = self._fork.pid

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def last_line(self) -> str:
        lines = self.text.strip().splitlines()
        return lines[-1] if lines else ""

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal; None while the process runs."""
        return self._exec.poll() if self._exec is not None else self._fork.exitcode

    def signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait for the end; returns what `poll` returns then."""
        if self._exec is not None:
            try:
                self._exec.wait(timeout_s)
            except subprocess.TimeoutExpired:
                return None
        else:
            self._fork.join(timeout_s)
        return self.poll()

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()


def _run(module: str, arguments: list[str], environment: dict[str, str], log: str, group: int) -> None:
    """Become the process: what `python -m module arguments` would be in this environment."""
    os.setpgid(0, group)
    # To its parent it is one that ends with it; for itself it is no daemon, which could start no process of its own.
    multiprocessing.current_process()._config["daemon"] = False
    output = os.open(log, os.O_WRONLY | os.O_APPEND)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    os.close(output)
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [module, *arguments]
    sys.exit(importlib.import_module(module).main(arguments))
