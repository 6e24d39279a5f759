"""Scheduled statistics and dumps in running processes: reported, verified, and killed in the middle."""

import json
import os
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from node_process import ROOT
from system import System, wait_for

from rng_service.public_files import statistics_paths

STATISTICS = {"statistics.interval_hours": 24}


def say(system, *arguments, check=True):
    """Run a command of the operator's and return what it wrote."""
    done = subprocess.run(
        [sys.executable, "-m", "rng_service.cli.main", *arguments],
        capture_output=True, cwd=ROOT, env=system.environment, check=False,
    )  # fmt: skip
    assert not check or done.returncode == 0, done.stderr.decode()
    return done


def known_runs(system):
    return json.loads(say(system, "stats", "runs", "--config", str(system.settings), "--json").stdout)["runs"]


def opened_runs(system):
    """Return the finished runs over opened outcomes."""
    return [run["run"] for run in known_runs(system) if run["subject"] == "opened" and run.get("verdict") == "pass"]


def reported(system, run):
    return all((system.config.public_dir / path).exists() for path in statistics_paths(run))


def runners(system):
    """Return the runners whose parent is the sequencer of ``system``."""
    parent = system.running["sequencer"].pid
    children = Path(f"/proc/{parent}/task").glob("*/children")
    found = {int(pid) for path in children for pid in path.read_text().split()}
    return [pid for pid in found if b"rng_service.statistics.runner" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest.mark.timeout(180)
def test_a_run_is_reported_a_dump_announced_and_the_log_holds_both():
    with System(settings=STATISTICS) as system:
        system.begin().await_answers(5)
        wait_for(lambda: reported(system, 1), "the first report", 60)
        report = json.loads((system.config.public_dir / statistics_paths(1)[0]).read_bytes())
        assert report["verdict"] == "pass"
        assert report["isolation"]["environment_empty"] == "yes"
        target = system.root / "bits.bin"
        done = say(system, "stats", "dump", "--bits", "800000", "-o", str(target), "--config", str(system.settings))
        assert target.stat().st_size == 100_000
        assert sha256(target.read_bytes()).hexdigest() in done.stderr.decode()
        assert not target.with_name("bits.bin.unfinished").exists()
        # The load has drawn for a while: its outcomes are tested, too.
        wait_for(lambda: opened_runs(system), "a run over opened outcomes", 90)
        found = known_runs(system)
        assert (found[-1]["run"], found[-1]["subject"], found[-1]["verdict"]) == (1, "test-stream", "pass")
        assert [run["bits"] for run in found if run["purpose"] == "dump"] == [800_000]
        opened = json.loads((system.config.public_dir / statistics_paths(opened_runs(system)[0])[0]).read_bytes())
        assert opened["outcomes"] >= 1_000
        assert {"subsequences by caller", "subsequences by hour"} <= {test["name"] for test in opened["tests"]}
        system.settle_down()
        checked = system.check()
        assert checked.entries["stats.begin"] == checked.entries["stats.report"] + 1 >= len(found)


@pytest.mark.timeout(180)
def test_a_killed_runner_is_an_interrupted_run_and_a_killed_sequencer_another_one():
    # Hundreds of megabits: the run is going on for as long as anybody needs.
    with System(settings={**STATISTICS, "statistics.plan": "full"}) as system:
        system.begin().await_answers(5)
        wait_for(lambda: runners(system), "the first runner", 60)
        os.kill(runners(system)[0], signal.SIGKILL)
        wait_for(lambda: known_runs(system)[0].get("verdict") == "interrupted", "the end of run 1", 60)
        system.stop()
        system.start_together()
        system.settle_down()
        system.check()


@pytest.mark.timeout(180)
def test_a_sequencer_that_is_killed_in_a_run_takes_the_runner_along_and_the_next_one_says_so():
    with System(settings={**STATISTICS, "statistics.plan": "full"}) as system:
        system.begin().await_answers(5)
        wait_for(lambda: runners(system), "the first runner", 60)
        pid = runners(system)[0]
        system.kill("sequencer")
        wait_for(lambda: not Path(f"/proc/{pid}/cwd").exists(), "the runner to end", 60)
        system.start("sequencer")
        wait_for(lambda: known_runs(system)[0].get("verdict") == "interrupted", "the end of run 1", 60)
        system.settle_down()
        system.check()
