"""kill -9 at random moments under load: of each process, of the whole tree, and of a supervised service."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from node_process import ROOT
from system import NAMES, System, wait_for

ROUNDS = 6
CHILDREN = ("vault", "sequencer", "front-1", "front-2")


@pytest.mark.parametrize("victim", [*NAMES, "tree"])
def test_whatever_is_killed_under_load_nothing_is_lost_and_nothing_is_drawn_twice(victim):
    choice = random.Random(f"short/{victim}")
    with System() as system:
        load = system.begin(operator=True)
        for _ in range(ROUNDS):
            system.strike(load, victim, choice)
        load.await_answers(10)
        system.settle_down()
        system.check()


def test_a_supervised_service_with_two_fronts_that_loses_its_children_and_then_all_of_it_goes_on():
    with System() as system:
        service = Supervised(system)
        system.register()
        # Repeats of what one front has bound come to the other one as well.
        load = system.load(threads=8)
        for name in CHILDREN:
            load.await_answers(10)
            os.kill(service.pid_of(name), signal.SIGKILL)
            service.await_restart(name)
        load.await_answers(10)
        service.kill()
        service = Supervised(system)
        load.await_answers(10)
        load.stop()
        service.stop()
        system.check()


class Supervised:
    """`sealdraw serve` on the directory of a system, watched through its log."""

    def __init__(self, system: System) -> None:
        self._log = system.logs / f"serve-{len(list(system.logs.iterdir()))}.log"
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "rng_service.cli.main", "serve", "--workers", "2", "--config", str(system.settings)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=system.environment, cwd=ROOT,
            )  # fmt: skip
        wait_for(lambda: any(event["event"] == "ready" for event in self._events()), "the service to be ready")

    def pid_of(self, name: str) -> int:
        return [event["pid"] for event in self._events() if event["event"] == "started" and event["process"] == name][
            -1
        ]

    def await_restart(self, name: str) -> None:
        wait_for(lambda: self._ready(name) == 2, f"{name} to be started again")

    def kill(self) -> None:
        """Kill the supervisor alone; the kernel takes its children away with it."""
        children = [self.pid_of(name) for name in CHILDREN]
        self._process.kill()
        self._process.wait()
        wait_for(lambda: not any(is_alive(pid) for pid in children), "the children to be gone")

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(60) == 0

    def _ready(self, name: str) -> int:
        return sum(event["event"] == "process ready" and event["process"] == name for event in self._events())

    def _events(self) -> list[dict[str, object]]:
        lines = self._log.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
