"""The supervisor with small processes of its own: order, restarts, refusals, and that nothing outlives it."""

import io
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from rng_service.config import Config
from rng_service.errors import StartRefused
from rng_service.supervision.backoff import FIRST_DELAY_S, LONGEST_DELAY_S, next_delay
from rng_service.supervision.child import ChildSpec
from rng_service.supervision.event_log import event_logger
from rng_service.supervision.lock import take_lock
from rng_service.supervision.plan import plan, split_address
from rng_service.supervisor import Supervisor

# Says that it is ready, and ends on SIGTERM.
STEADY = "import signal, sys; print('ready', flush=True); signal.sigwait({signal.SIGTERM}); sys.exit(0)"


def spec(name, code, stage=0, stop_s=5.0):
    block = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\n"
    return ChildSpec(name, (sys.executable, "-c", block + code), stage, "ready", stop_s)


class Watched(Supervisor):
    """A supervisor that stops itself as soon as what it logged satisfies a condition."""

    def __init__(self, specs, until=lambda _events: False, **options):
        self.stream = io.StringIO()
        super().__init__(specs, event_logger(self.stream), environment=os.environ, **options)
        self.until = until

    @property
    def events(self):
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def named(self, event):
        return [line["process"] for line in self.events if line["event"] == event]

    def _log(self, level, event, **fields):
        super()._log(level, event, **fields)
        if self.until(self.events):
            self.stop()


def is_ready(events):
    return events[-1]["event"] == "ready"


def test_stages_start_in_order_and_stop_in_reverse():
    supervisor = Watched([spec("c", STEADY, 2), spec("a", STEADY), spec("b", STEADY, 1)], until=is_ready)
    supervisor.run()
    assert supervisor.named("started") == ["a", "b", "c"]
    assert supervisor.named("stopped") == ["c", "b", "a"]
    events = [(line["event"], line.get("process")) for line in supervisor.events]
    assert events.index(("process ready", "a")) < events.index(("started", "b"))
    assert events.index(("stopped", "c")) < events.index(("stopped", "b"))


def test_a_process_that_dies_is_started_again_while_the_others_go_on():
    crash = "import os, signal; print('ready', flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    died_twice = [spec("steady", STEADY), spec("fragile", crash)]
    supervisor = Watched(died_twice, until=lambda events: sum(line["event"] == "died" for line in events) == 2)
    supervisor.run()
    died = [line for line in supervisor.events if line["event"] == "died"]
    assert [(line["process"], line["status"]) for line in died] == [("fragile", -signal.SIGKILL)] * 2
    assert [line["restart_in_s"] for line in died] == [FIRST_DELAY_S, 2 * FIRST_DELAY_S]
    assert supervisor.named("started").count("steady") == 1


@pytest.mark.parametrize("status", [2, 3])
def test_a_refusal_stops_everything_and_its_reason_is_told(status):
    refuse = f"import sys; print('vault: the journal is damaged'); sys.exit({status})"
    supervisor = Watched([spec("steady", STEADY), spec("vault", refuse, 1)])
    with pytest.raises(StartRefused, match="vault: the journal is damaged"):
        supervisor.run()
    assert supervisor.named("refused") == ["vault"]
    assert supervisor.named("stopped") == ["steady"]


def test_a_process_that_gives_up_after_it_was_ready_may_start_afresh_and_refuse_then(tmp_path):
    code = f"""
import pathlib, sys
mark = pathlib.Path({str(tmp_path / "mark")!r})
if mark.exists():
    print("the ledger is an older copy")
else:
    mark.touch()
    print("ready")
sys.exit(2)
"""
    supervisor = Watched([spec("sequencer", code)])
    with pytest.raises(StartRefused, match="the ledger is an older copy"):
        supervisor.run()
    assert (supervisor.named("died"), supervisor.named("refused")) == (["sequencer"], ["sequencer"])


def test_a_process_that_does_not_end_is_killed_when_its_time_is_over():
    deaf = "import time; print('ready', flush=True)\nwhile True: time.sleep(1)"
    supervisor = Watched([spec("deaf", deaf, stop_s=0.2)], until=is_ready)
    supervisor.run()
    assert supervisor.named("killed") == ["deaf"]
    assert supervisor.events[-1] | {"time": ""} == {
        "time": "", "level": "info", "event": "stopped", "process": "deaf", "status": -signal.SIGKILL,
    }  # fmt: skip


def test_what_processes_write_becomes_one_json_line_each():
    noisy = "print('one\\ntwo'); print('ready \\xff \\x00', flush=True)\n" + STEADY
    supervisor = Watched([spec("noisy", noisy)], until=is_ready)
    supervisor.run()
    lines = [line["line"] for line in supervisor.events if line["event"] == "output"]
    assert lines[:2] == ["one", "two"]
    assert lines[2].startswith("ready ")


def test_children_die_with_a_supervisor_that_was_killed(tmp_path):
    program = textwrap.dedent(f"""
        import os, sys
        sys.path[:0] = {sys.path!r}
        from rng_service.supervision.child import ChildSpec
        from rng_service.supervision.event_log import event_logger
        from rng_service.supervision.lock import take_lock
        from rng_service.supervisor import Supervisor
        from pathlib import Path
        lock = take_lock(Path({str(tmp_path)!r}) / "run" / "serve.lock")
        code = "import signal; print('ready', flush=True); signal.pause()"
        spec = ChildSpec("child", (sys.executable, "-c", code), 0, "ready", 1.0)
        Supervisor([spec], event_logger(sys.stderr), environment=os.environ, keep_open=[lock]).run()
    """)
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
    with process:
        for line in process.stderr:
            event = json.loads(line)
            if event["event"] == "started":
                child = event["pid"]
            if event["event"] == "ready":
                break
        process.kill()
    # The lock is inherited: it can only be had when the last process of the old service is gone.
    os.close(take_lock(tmp_path / "run" / "serve.lock"))
    state = Path(f"/proc/{child}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_second_service_on_the_same_directory_is_refused_by_name(tmp_path):
    first = take_lock(tmp_path / "run" / "serve.lock")
    with pytest.raises(StartRefused, match=rf"another `sealdraw serve` \(process {os.getpid()}\)"):
        take_lock(tmp_path / "run" / "serve.lock", sleep=lambda _seconds: None)
    os.close(first)
    os.close(take_lock(tmp_path / "run" / "serve.lock", sleep=lambda _seconds: None))


def test_restarts_wait_longer_each_time_and_start_anew_after_a_steady_run():
    delays = [next_delay(0.0, 0.1)]
    while delays[-1] < LONGEST_DELAY_S:
        delays.append(next_delay(delays[-1], 0.1))
    assert delays[:3] == [FIRST_DELAY_S, 2 * FIRST_DELAY_S, 4 * FIRST_DELAY_S]
    assert next_delay(LONGEST_DELAY_S, 0.1) == LONGEST_DELAY_S
    assert next_delay(LONGEST_DELAY_S, 3_600) == FIRST_DELAY_S


def test_the_plan_starts_the_vault_first_and_the_fronts_last():
    specs = plan(Config(), Path("sealdraw.toml"), 3)
    stages = {item.name: item.stage for item in specs}
    assert stages == {"vault": 0, "public": 0, "sequencer": 1, "front-1": 2, "front-2": 2, "front-3": 2}
    assert "--share-port" in specs[-1].command
    assert specs[-1].stop_s > Config().api.drain_s
    assert "--share-port" not in plan(Config(), Path("sealdraw.toml"), 1)[-1].command


def test_addresses_are_split_into_host_and_port():
    assert split_address("127.0.0.1:7480") == ("127.0.0.1", "7480")
    assert split_address("[::1]:7480") == ("::1", "7480")
