"""The real processes of one node, started, killed and restarted one by one.

The commands are those of `rng_service.supervision.plan`, so that what is tested here is what `sealdraw serve` runs;
only who starts them again differs. All processes are in one process group: `kill_all` takes them away in one system
call, as a power cut would.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import grpc
from check_everything import Evidence, Seen, check_everything
from load import METADATA, Load
from node_process import ROOT, NodeProcess
from sealdraw.v1 import operator_pb2, operator_pb2_grpc, types_pb2

from rng_service.config import load_config
from rng_service.initialise import initialise
from rng_service.recovery import examine
from rng_service.request_id import new_request_id
from rng_service.supervision.plan import plan
from rng_service.vault.process import system_clock_us
from rng_service.verify.report import LogReport

ORIGIN = "acme.example/test"
GAME = "dice-99"
# Bottom-up: each needs those before it.
NAMES = ("vault", "sequencer", "front")
FAULT = "SEALDRAW_FAULT_POINT"
START_S = 60.0
POLL_S = 0.01
# Pools that end every second or so, digests at once: each fault meets every phase of a pool's life.
QUICK = {
    "pools.size": 96,
    "pools.ready": 3,
    "pools.ticket_lifetime_s": 1,
    "log.digest_interval_ms": 100,
    "log.totals_interval_s": 1,
    "statistics.interval_hours": 0,
    "public.enabled": False,
    "beacon.kind": "none",
    "api.threads": 16,
    "api.drain_s": 5,
}


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


class Refused(Exception):  # noqa: N818 - it is what the process did
    """A process ended instead of serving; ``status`` and its last line, which says why."""

    def __init__(self, name: str, status: int, line: str) -> None:
        super().__init__(f"{name} ended with status {status}: {line}")
        self.status = status
        self.line = line


class System:
    """A node in a directory of its own; leaving the ``with`` kills whatever still runs.

    The directory is removed when nothing went wrong. ``wrappers`` has what stands between the
    interpreter and what it runs, by process.
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        settings: Mapping[str, object] | None = None,
        environment: Mapping[str, str] | None = None,
        own_directories: bool = False,
    ) -> None:
        # A unix socket's path is short, pytest's own temporary directories are not.
        self.root = directory or Path(tempfile.mkdtemp(prefix="sd-"))
        self.logs = self.root / "logs"
        self.logs.mkdir(parents=True)
        if own_directories:
            # The ledger in a directory that can be mounted over.
            (self.root / "ledger").mkdir()
            settings = {"ledger.url": f"sqlite:///{self.root / 'ledger' / 'ledger.db'}", **(settings or {})}
        chosen = {**QUICK, "api.listen": f"127.0.0.1:{free_port()}", **(settings or {})}
        made = initialise(self.root / "d", ORIGIN, clock_us=system_clock_us, settings=chosen)
        self.vkey = made.vkey
        self.settings = made.settings_path
        self.config = load_config(self.settings, {})
        self.environment = {**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})}
        self.wrappers: dict[str, tuple[str, ...]] = {}
        self.running: dict[str, NodeProcess] = {}
        self.loads: list[Load] = []
        self._starts = 0
        # Leads the process group, so that it exists for as long as this object does.
        self._leader = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], process_group=0)
        self.seen = Seen(self.config.public_dir)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for load in self.loads:
            load.abandon()
        self.kill_all()
        self._leader.kill()
        self._leader.wait()
        self.seen.stop()
        if kind is None:
            shutil.rmtree(self.root)
        else:
            for path in sorted(self.logs.iterdir())[-8:]:
                sys.stderr.write(f"--- {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-15:]))
                sys.stderr.write("\n")

    @property
    def target(self) -> str:
        return self.config.api.listen

    def launch(self, name: str, *, fault: str = "") -> NodeProcess:
        """Start a process and do not wait for it."""
        spec = next(spec for spec in plan(self.config, self.settings, 1) if spec.name == name)
        self._starts += 1
        environment = {**self.environment, **({FAULT: fault} if fault else {})}
        log = self.logs / f"{self._starts:04d}-{name}.log"
        wrapper = self.wrappers.get(name, ())
        command = [spec.command[0], *wrapper, *spec.command[1:]]
        self.running[name] = NodeProcess(command, log, environment, self._leader.pid, fresh=bool(wrapper))
        return self.running[name]

    def start(self, *names: str) -> None:
        """Start processes and wait until each serves; raises Refused when one ends instead."""
        for name in names or NAMES:
            marker = next(spec.ready_marker for spec in plan(self.config, self.settings, 1) if spec.name == name)
            running = self.launch(name)
            wait_for(
                lambda running=running, marker=marker: marker in running.text or running.poll() is not None,
                f"{name} to be ready",
                START_S,
            )
            if running.poll() is not None:
                raise Refused(name, running.poll(), running.last_line)

    def start_together(self) -> None:
        """Start everything at once, as a machine that comes back would, and wait until all serve."""
        specs = {spec.name: spec for spec in plan(self.config, self.settings, 1)}
        started = [(self.launch(name), specs[name].ready_marker, name) for name in NAMES]
        for running, marker, name in started:
            wait_for(lambda r=running, m=marker: m in r.text or r.poll() is not None, f"{name} to be ready")
            if running.poll() is not None:
                raise Refused(name, running.poll(), running.last_line)

    def refusal(self, name: str) -> Refused:
        """Start a process that must refuse to; return with what words."""
        try:
            self.start(name)
        except Refused as refused:
            if refused.status not in {2, 3}:
                raise
            return refused
        raise AssertionError(f"{name} started, although it should have refused")

    def kill(self, name: str) -> None:
        running = self.running.pop(name, None)
        if running is not None:
            running.kill()

    def kill_all(self) -> None:
        """Kill everything in one system call."""
        os.killpg(self._leader.pid, signal.SIGKILL)
        for running in self.running.values():
            # One that was started a moment ago may not have joined the group yet.
            running.kill()
        self.running.clear()
        self._leader.wait()
        self._leader = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], process_group=0)

    def signal(self, name: str, number: int) -> None:
        self.running[name].signal(number)

    def await_death(self, name: str, step: str, timeout_s: float = 40.0) -> None:
        """Wait until a process with a fault point has killed itself."""
        running = self.running.pop(name)
        wait_for(lambda: running.poll() is not None, f"{name} to reach {step}", timeout_s)
        assert running.poll() == -signal.SIGKILL, (name, step, running.poll(), running.last_line)

    def stop(self) -> None:
        """End everything in order, as `sealdraw serve` does; everything bound is published afterwards."""
        for name in reversed(NAMES):
            running = self.running.pop(name, None)
            if running is None:
                continue
            running.signal(signal.SIGTERM)
            status = running.wait(START_S)
            if status is None:
                running.kill()
            assert status == 0, (name, status, running.last_line)

    def strike(self, load: Load, victim: str, choice: random.Random) -> None:
        """Let some requests be answered, kill the victim (or the ``tree``) wherever it is, start it again."""
        load.await_answers(choice.randint(1, 25))
        if victim == "tree":
            self.kill_all()
            self.start_together()
            return
        self.kill(victim)
        if choice.random() < 0.3:
            # Now and then the others go on without it for a moment: requests fail and come again.
            load.await_tries(choice.randint(1, 20))
        self.start(victim)

    def channel(self) -> grpc.Channel:
        return grpc.insecure_channel(
            self.target,
            options=[("grpc.max_reconnect_backoff_ms", 100), ("grpc.initial_reconnect_backoff_ms", 20),
                     ("grpc.min_reconnect_backoff_ms", 20), ("grpc.use_local_subchannel_pool", 1)],
        )  # fmt: skip

    def register(self, game: str = GAME, classes: Sequence[int] = (types_pb2.PLAY_CLASS_REAL,)) -> None:
        """Register a game, and wait until its pools can be drawn from."""
        self.submit(game, classes)
        wait_for(self._has_pools, "pools to be ready")

    def submit(self, game: str = GAME, classes: Sequence[int] = (types_pb2.PLAY_CLASS_REAL,)) -> None:
        """Register a game."""
        self.operate(
            lambda stub: stub.RegisterGame(
                operator_pb2.RegisterGameRequest(
                    request_id=new_request_id(),
                    definition=(ROOT / "games" / f"{game}.json").read_bytes(),
                    play_classes=classes,
                ),
                timeout=20,
                metadata=METADATA,
            )
        )

    def _has_pools(self) -> bool:
        streams = self.status().streams
        return bool(streams) and all(stream.ready_pools for stream in streams)

    def status(self) -> operator_pb2.GetStatusResponse:
        return self.operate(lambda stub: stub.GetStatus(operator_pb2.GetStatusRequest(), timeout=20, metadata=METADATA))

    def operate(self, call: Callable[[operator_pb2_grpc.OperatorServiceStub], object]) -> object:
        with self.channel() as channel:
            return call(operator_pb2_grpc.OperatorServiceStub(channel))

    def load(self, *, threads: int = 4, seed: int = 1, operator: bool = False) -> Load:
        """Return a started load; everything that it is answered counts in `check`."""
        load = Load(self.channel, GAME, threads=threads, seed=seed, operator=operator)
        self.loads.append(load)
        load.start()
        return load

    def begin(self, *, threads: int = 4, seed: int = 1, operator: bool = False) -> Load:
        """Start everything on a fresh directory with one game and load on it."""
        self.start()
        self.register()
        return self.load(threads=threads, seed=seed, operator=operator)

    def settle_down(self) -> None:
        """Let every request under way be answered, then stop everything cleanly."""
        for load in self.loads:
            load.stop()
        self.stop()

    def evidence(self) -> Evidence:
        """What is on the disk, and what clients and auditors have seen."""
        return Evidence(
            ledger_url=self.config.ledger_url,
            vault_dir=self.config.vault_dir,
            public_dir=self.config.public_dir,
            vkey=self.vkey,
            answers=[answer for load in self.loads for answer in load.answers],
            checkpoints=self.seen.checkpoints(),
        )

    def check(self) -> LogReport:
        """Hold everything against everything; the system must have been stopped cleanly."""
        report = check_everything(self.evidence())
        # What a start would refuse must not be there either.
        assert examine(self.config) == []
        return report

    def use_settings(self, **changes: object) -> None:
        """Change settings, `section__key`; processes read them when they are started."""
        config = self.config
        for name, value in changes.items():
            section, _, key = name.partition("__")
            config = replace(config, **{section: replace(getattr(config, section), **{key: value})})
            self.environment[f"SEALDRAW_{section.upper()}_{key.upper()}"] = str(value)
        self.config = config


def wait_for(condition: Callable[[], object], what: str, timeout_s: float = START_S) -> None:
    """Look again and again until ``condition`` holds; AssertionError names ``what`` was waited for."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s:.0f} s for {what}")
        time.sleep(POLL_S)
