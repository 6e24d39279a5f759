"""Scheduled statistics in a whole installation with a clock by hand: announced, carried out, reported, interrupted."""

import json
import sys
from dataclasses import replace

import pytest
from sequencer_world import Killed

from rng_service.config import StatisticsConfig
from rng_service.ledger.engine import reading, writing
from rng_service.ledger.models import LogEntryRow
from rng_service.ledger.statistics_runs import acknowledge_run, begin_dump, list_runs
from rng_service.log_entries import StatsBegin, StatsReport, parse_entry
from rng_service.public_files import statistics_paths
from rng_service.sequencer.statistics import StatisticsDesk
from rng_service.statistics.runner_process import COMMAND

HOUR_S = 3_600


@pytest.fixture
def world(make_world):
    made = make_world(size=64)
    made.with_config(statistics=StatisticsConfig(interval_hours=24))
    made.register()
    return made


def start(world, command=COMMAND, **options):
    world.start(**options)
    world.sequencer._statistics = StatisticsDesk(command)


def runner(code):
    """Return the command of a runner that does what it likes."""
    return (sys.executable, "-I", "-c", "import sys, time, json, struct\n" + code)


def settle(world):
    """Step until no run is going on; nothing here waits for more than a runner."""
    for _ in range(20):
        world.steps(1)
        begun = world.sequencer._statistics._begun
        if begun is None:
            break
        if begun.running is not None:
            begun.running._thread.join(60)
    world.steps(2)


def entries(world, *kinds):
    with reading(world.engine) as connection:
        rows = connection.execute(LogEntryRow.__table__.select().order_by(LogEntryRow.log_index)).all()
    found = [parse_entry(bytes(row.entry)) for row in rows if row.log_index is not None]
    return [entry for entry in found if isinstance(entry, kinds)]


def runs(world):
    return [(entry.run, entry.verdict) for entry in entries(world, StatsReport)]


def report_of(world, run):
    return json.loads((world.config.public_dir / statistics_paths(run)[0]).read_bytes())


def test_a_test_stream_is_tested_once_an_interval_and_the_log_says_so(world):
    start(world)
    settle(world)
    assert runs(world) == [(1, "pass")]
    begun, ended = entries(world, StatsBegin, StatsReport)
    assert (begun.purpose, begun.subject) == ("test", "test-stream")
    assert (ended.stream, ended.drbg_instance) == (1, world.vault.get_state().drbg_instance)
    found = report_of(world, 1)
    assert found["isolation"]["environment_empty"] == "yes"
    assert found["isolation"]["descriptors"] == "0 1 2"
    world.steps(3, seconds=7 * HOUR_S)
    assert len(runs(world)) == 1
    world.steps(1, seconds=4 * HOUR_S)
    settle(world)
    assert runs(world) == [(1, "pass"), (2, "pass")]
    assert entries(world, StatsReport)[1].stream == 2
    report = world.verify()
    assert report.entries["stats.report"] == 2
