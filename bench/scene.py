"""A real service for measuring: vault, sequencer and front as processes, each where the measurement wants it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from sealdraw.v1 import draw_pb2, operator_pb2, operator_pb2_grpc, types_pb2

from rng_service.request_id import new_request_id

GAME = "european-roulette"
PROGRAM = "base"
GAMES = Path(__file__).parents[1] / "games"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def spawn(command: list[str], cores: set[int] | None, **options: Any) -> subprocess.Popen[Any]:
    """Start a process on ``cores``; it has no threads yet when it is moved, so all of them stay there."""
    process = subprocess.Popen(command, **options)
    if cores:
        os.sched_setaffinity(process.pid, cores)
    return process


class Scene:
    """One service in a directory of its own; ``hot`` are the cores of vault and front, ``cold`` of the rest."""

    def __init__(self, directory: Path, *, hot: set[int] | None, cold: set[int] | None, pool_size: int) -> None:
        self.directory = directory
        self.port = free_port()
        self._processes: dict[str, subprocess.Popen[Any]] = {}
        self._hot, self._cold = hot, cold
        run = [sys.executable, "-m", "rng_service.cli.main"]
        target = directory / "service"
        subprocess.run([*run, "init", str(target), "--origin", "bench.example", "--env", "test"], check=True, stdout=-3)
        self.config = target / "sealdraw.toml"
        self.config.write_text(
            f'[service]\norigin = "bench.example/test"\n[api]\nlisten = "127.0.0.1:{self.port}"\nmax_in_flight = 4000\n'
            f'[beacon]\nkind = "none"\n[pools]\nsize = {pool_size}\nready = 2\n'
            # What is measured is not to share its core with tests of the generator.
            "[statistics]\ninterval_hours = 0\n",
        )
        self.start("vault", hot, "--directory", str(target / "vault"), "--socket", str(target / "run" / "vault.sock"),
                   "--origin", "bench.example/test")  # fmt: skip
        self.start("sequencer", cold, "--config", str(self.config))
        self.start("front", hot, "--config", str(self.config))
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.port}")
        self.operator = operator_pb2_grpc.OperatorServiceStub(self.channel)
        grpc.channel_ready_future(self.channel).result(30)
        definition = (GAMES / f"{GAME}.json").read_bytes()
        self.operator.RegisterGame(
            operator_pb2.RegisterGameRequest(request_id=new_request_id(), definition=definition, play_classes=[1]),
        )
        self.wait_for_slots(pool_size)

    def start(self, name: str, cores: set[int] | None, *arguments: str) -> None:
        log = (self.directory / f"{name}.log").open("a")
        command = [sys.executable, "-m", f"rng_service.{name}.process", *arguments]
        self._processes[name] = spawn(command, cores, stdout=log, stderr=log)

    def restart(self, name: str, cores: set[int] | None, *arguments: str) -> None:
        """End one process cleanly and start it again; the others stay."""
        self._processes[name].send_signal(signal.SIGTERM)
        self._processes[name].wait(60)
        self.start(name, cores, *arguments)

    def pid(self, name: str) -> int:
        return self._processes[name].pid

    def wait_for_slots(self, wanted: int) -> None:
        for _ in range(600):
            status = self.operator.GetStatus(operator_pb2.GetStatusRequest())
            if sum(stream.ready_slots for stream in status.streams) >= wanted:
                return
            time.sleep(0.1)
        raise SystemExit(f"no pool became ready; see the logs in {self.directory}")

    def close(self) -> None:
        self.channel.close()
        for name in ("front", "sequencer", "vault"):
            process = self._processes[name]
            process.send_signal(signal.SIGTERM)
        for process in self._processes.values():
            process.wait(60)


@contextmanager
def scene(*, pin: bool, pool_size: int = 131_072, directory: Path | None = None) -> Iterator[Scene]:
    cores = sorted(os.sched_getaffinity(0))
    hot = {cores[0]} if pin else None
    cold = set(cores[1:]) or None if pin else None
    base = directory or Path(tempfile.mkdtemp(prefix="sealdraw-bench-", dir=os.environ.get("TMPDIR")))
    made = Scene(base, hot=hot, cold=cold, pool_size=pool_size)
    try:
        yield made
    finally:
        made.close()
        if directory is None:
            shutil.rmtree(base, ignore_errors=True)


def draw_bodies(count: int, *, bet: bool = False) -> list[bytes]:
    wager = types_pb2.Wager(stake_minor=100, currency="EUR", bet='{"bet":"red"}') if bet else None
    tags = types_pb2.Tags(brand="north", jurisdiction="MT", channel="web") if bet else None
    return [
        draw_pb2.DrawRequest(
            request_id=new_request_id(),
            game=GAME,
            program=PROGRAM,
            play_class=1,
            client_seed=os.urandom(32),
            wager=wager,
            tags=tags,
        ).SerializeToString()
        for _ in range(count)
    ]


def batch_bodies(count: int, outcomes: int) -> list[bytes]:
    return [
        draw_pb2.BatchDrawRequest(
            request_id=new_request_id(), game=GAME, program=PROGRAM, play_class=1, count=outcomes
        ).SerializeToString()
        for _ in range(count)
    ]
