"""`sealdraw serve`: starts the processes of a node, keeps them running, and ends them in order.

The supervisor holds no keys and serves nothing itself, so that there is nothing in it that could go wrong with a draw.
A process that dies is started again, later each time. One that refuses to start (exit status 2 or 3 before it was
ready) says that going on could break a promise: everything is then stopped and the reason shown. One that gave up
later is started again like any other, since its start looks at everything afresh. The supervisor has one thread.
"""

import logging
import math
import selectors
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from rng_service.errors import StartRefused
from rng_service.supervision.backoff import next_delay
from rng_service.supervision.child import Child, ChildSpec
from rng_service.supervision.event_log import log_event

__all__ = ["REFUSALS", "Supervisor"]

REFUSALS: Final = frozenset({2, 3})
_TICK_S: Final = 0.05


class Supervisor:
    """Runs ``specs`` until it is told to stop. ``keep_open`` are descriptors that every child inherits."""

    def __init__(
        self,
        specs: Sequence[ChildSpec],
        logger: logging.Logger,
        *,
        environment: Mapping[str, str],
        keep_open: Sequence[int] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._specs = {spec.name: spec for spec in specs}
        self._logger = logger
        self._environment = environment
        self._keep_open = tuple(keep_open)
        self._clock = clock
        self._children: dict[str, Child] = {}
        # When to start a process that is not running, and how long was waited for it.
        self._due: dict[str, float] = {}
        self._delays: dict[str, float] = {}
        self._stages_started = -1
        self._announced = False
        self._stopping = False
        self._refused = ""
        self._selector = selectors.DefaultSelector()

    def stop(self) -> None:
        """Ask `run` to end everything and return. May be called from a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Start everything and watch over it; returns after `stop`.

        Raises StartRefused, after everything was stopped, when a process refused to start.
        """
        try:
            while not self._stopping:
                self._start_due()
                self._relay(_TICK_S)
                self._reap()
        finally:
            self._stop_everything()
        if self._refused:
            raise StartRefused(self._refused)

    def _start_due(self) -> None:
        """Start the next stage when everything before it is ready, and whatever waits to be started again."""
        running = [self._children.get(spec.name) for spec in self._specs.values() if spec.stage <= self._stages_started]
        if all(child is not None and child.ready for child in running):
            later = [spec.stage for spec in self._specs.values() if spec.stage > self._stages_started]
            if later:
                self._stages_started = min(later)
                for spec in self._specs.values():
                    if spec.stage == self._stages_started:
                        self._due[spec.name] = self._clock()
            elif not self._announced:
                self._announced = True
                self._log(logging.INFO, "ready", processes=len(self._children))
        for name in [name for name, due in self._due.items() if due <= self._clock()]:
            del self._due[name]
            child = Child(
                self._specs[name], environment=self._environment, keep_open=self._keep_open, now=self._clock()
            )
            self._children[name] = child
            self._selector.register(child.output, selectors.EVENT_READ, child)
            self._log(logging.INFO, "started", process=name, pid=child.pid)

    def _relay(self, timeout_s: float) -> None:
        """Pass on what the processes write, for at most ``timeout_s`` when they write nothing."""
        if not self._selector.get_map():
            time.sleep(timeout_s)
            return
        for key, _ in self._selector.select(timeout_s):
            child: Child = key.data
            was_ready = child.ready
            self._pass_on(child)
            if child.ready and not was_ready:
                self._log(logging.INFO, "process ready", process=child.spec.name, pid=child.pid)
            if child.ended:
                # The end of a pipe would be reported again and again until the process is reaped.
                self._selector.unregister(child.output)

    def _pass_on(self, child: Child) -> None:
        for line in child.read_lines():
            self._log(logging.INFO, "output", process=child.spec.name, line=line)

    def _reap(self) -> None:
        for name, child in list(self._children.items()):
            status = child.poll()
            if status is None:
                continue
            self._forget(name)
            uptime_s = self._clock() - child.started_at
            if self._stopping:
                self._log(logging.INFO, "stopped", process=name, status=status)
            elif status in REFUSALS and not child.ready:
                self._log(logging.ERROR, "refused", process=name, status=status, reason=child.last_line)
                self._refused = child.last_line or f"{name} refused to start"
                self._stopping = True
            else:
                delay = next_delay(self._delays.get(name, 0.0), uptime_s)
                self._delays[name] = delay
                self._due[name] = self._clock() + delay
                self._log(
                    logging.WARNING,
                    "died",
                    process=name,
                    status=status,
                    uptime_s=round(uptime_s, 1),
                    restart_in_s=delay,
                )

    def _forget(self, name: str) -> None:
        child = self._children.pop(name)
        if not child.ended:
            self._pass_on(child)
            self._selector.unregister(child.output)
        child.close()

    def _stop_everything(self) -> None:
        """End the stages from the last to the first, each when the one behind it is gone."""
        self._stopping = True
        for stage in sorted({spec.stage for spec in self._specs.values()}, reverse=True):
            members = [name for name, child in self._children.items() if child.spec.stage == stage]
            if not members:
                continue
            self._log(logging.INFO, "stopping", processes=len(members), names=" ".join(members))
            for name in members:
                self._children[name].signal(signal.SIGTERM)
            self._await_end(members)
        self._selector.close()

    def _await_end(self, members: Sequence[str]) -> None:
        deadlines = {name: self._clock() + self._specs[name].stop_s for name in members}
        while any(name in self._children for name in members):
            self._relay(_TICK_S)
            self._reap()
            for name in members:
                child = self._children.get(name)
                if child is not None and self._clock() > deadlines[name]:
                    self._log(logging.WARNING, "killed", process=name, after_s=self._specs[name].stop_s)
                    child.signal(signal.SIGKILL)
                    # What was killed is waited for, however long the kernel takes.
                    deadlines[name] = math.inf

    def _log(self, level: int, event: str, **fields: str | float) -> None:
        log_event(self._logger, level, event, **fields)


def install_signals(supervisor: Supervisor) -> None:
    """Let SIGTERM and SIGINT end ``supervisor`` gracefully."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: supervisor.stop())


def base_environment(environ: Mapping[str, str], workers: int) -> dict[str, str]:
    """Return the environment of the children: that of the supervisor, and how many fronts there are."""
    return {**environ, "SEALDRAW_API_WORKERS": str(workers), "PYTHONUNBUFFERED": "1"}
