"""The demo's service: `sealdraw serve` as a process of its own, watched through what it logs."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from rng_service.errors import StartRefused
from rng_service.supervision.child import Child, ChildSpec

__all__ = ["Service"]

_START_S: Final = 60.0
_POLL_S: Final = 0.02


class Service:
    """A running `sealdraw serve`; leaving the ``with`` stops it, whatever happened. Its log is kept in a file."""

    def __init__(self, settings: Path, log: Path) -> None:
        command = (sys.executable, "-m", "rng_service.cli.main", "serve", "--config", str(settings))
        spec = ChildSpec("serve", command, 0, '"event": "ready"', 40.0)
        self._child = Child(spec, environment=os.environ, keep_open=(), now=time.monotonic())
        self._log = log.open("w", encoding="utf-8")
        self._pids: dict[str, int] = {}
        self._ready_counts: dict[str, int] = {}
        self._changed = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, name="service-log", daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._log.close()

    def wait_ready(self) -> None:
        """Return once every process serves; raises StartRefused with the last words of one that does not."""
        with self._changed:
            ready = self._changed.wait_for(lambda: self._child.ready or self._ended, _START_S)
        if not ready or self._ended:
            raise StartRefused(f"the service did not start: {self._child.last_line}; its log is {self._log.name}")

    def kill(self, process: str) -> float:
        """Kill one process as a power cut would, and return the seconds until another one serves in its place."""
        began = time.monotonic()
        with self._changed:
            before = self._ready_counts[process]
            os.kill(self._pids[process], signal.SIGKILL)
            back = self._changed.wait_for(lambda: self._ready_counts[process] > before or self._ended, _START_S)
        if not back or self._ended:
            raise StartRefused(f"{process} did not come back: {self._child.last_line}; see {self._log.name}")
        return time.monotonic() - began

    def require_running(self) -> None:
        """Raise StartRefused, with the service's last words, when it has ended."""
        if self._ended:
            raise StartRefused(f"the service ended: {self._child.last_line}; see {self._log.name}")

    def stop(self) -> int:
        """Stop everything in order and return the exit status. May be called again."""
        if self._child.poll() is None:
            self._child.signal(signal.SIGTERM)
        self._reader.join()
        status = self._child.poll()
        return -1 if status is None else status

    def _read(self) -> None:
        while True:
            ended = self._child.poll() is not None
            for line in self._child.read_lines():
                self._take(line)
            if ended:
                break
            time.sleep(_POLL_S)
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _take(self, line: str) -> None:
        self._log.write(line + "\n")
        self._log.flush()
        try:
            event: dict[str, Any] = json.loads(line)
        except ValueError:
            return
        with self._changed:
            if event.get("event") == "started":
                self._pids[event["process"]] = event["pid"]
            if event.get("event") == "process ready":
                self._ready_counts[event["process"]] = self._ready_counts.get(event["process"], 0) + 1
            self._changed.notify_all()
