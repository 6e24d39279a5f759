"""Scheduled statistics in a whole installation with a clock by hand: announced, carried out, reported, interrupted."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from sequencer_world import Killed
from sqlalchemy import text

from rng_service.config import StatisticsConfig
from rng_service.ledger.engine import reading, writing
from rng_service.ledger.models import LogEntryRow
from rng_service.ledger.statistics_runs import acknowledge_run, begin_dump, list_runs
from rng_service.log_entries import Incident, StatsBegin, StatsReport, parse_entry
from rng_service.public_files import statistics_paths
from rng_service.sequencer.rebuild import rebuild_public
from rng_service.sequencer.statistics import StatisticsDesk
from rng_service.statistics.runner_process import COMMAND
from tests.support.binder import Binder
from tests.support.postgres import new_database

HOUR_S = 3_600
ROOT = Path(__file__).parents[3]


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
    # The generator was replaced at the end of the day, and its streams count from 1.
    again = entries(world, StatsReport)[1]
    assert (again.drbg_instance != ended.drbg_instance, again.stream) == (True, 1)
    page = (world.config.public_dir / "index.html").read_text()
    assert "<tr><td>2<td>" in page
    assert '<a href="statistics/1.html">report</a>' in page
    report = world.verify()
    assert report.entries["stats.report"] == 2


ISOLATED = 'def say(kind, data): sys.stdout.buffer.write(kind + struct.pack(">I", len(data)) + data); sys.stdout.buffer.flush()\nsay(b"I", b"{}")\n'


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("", "ends 1 bytes too early"),
        ("sys.stdout.buffer.write(b'I' + bytes([255] * 4)); sys.stdout.flush(); time.sleep(60)", "at most 16384"),
        ("sys.stdout.buffer.write(b'?garbage'); sys.stdout.flush(); sys.stdin.read()", "unknown kind"),
        (ISOLATED + "say(b'E', b'no room')", "no room"),
        (ISOLATED + "sys.stdout.buffer.write(b'R' + bytes([255] * 4)); sys.stdout.flush()", "at most 8388608"),
        (ISOLATED + "say(b'R', b'not JSON'); say(b'P', b'')", "report of the runner"),
        (ISOLATED + "say(b'R', b'{\"verdict\":\"pass\"}'); say(b'P', b'')", "format is"),
        ("say = None; sys.stdout.buffer.write(b'I' + struct.pack('>I', 2) + b'[]')", "does not say what isolates it"),
    ],
)
def test_a_runner_that_misbehaves_is_an_interrupted_run_and_nothing_of_it_is_published(world, caplog, code, reason):
    start(world, runner(code))
    settle(world)
    assert runs(world) == [(1, "interrupted")]
    assert reason in caplog.text
    assert not (world.config.public_dir / "statistics").exists()
    assert world.verify().entries["stats.report"] == 1


def test_a_runner_that_hangs_is_ended_at_the_deadline(world, caplog):
    world.with_config(statistics=replace(world.config.statistics, deadline_s=1))
    start(world, runner("time.sleep(600)"))
    settle(world)
    assert runs(world) == [(1, "interrupted")]
    assert "not done within 1 s" in caplog.text


def test_a_run_of_a_sequencer_that_died_is_reported_as_interrupted_by_the_next_one(world):
    def die(name):
        if name == "statistics.begun":
            raise Killed(name)

    world.start(on_step=die)
    with pytest.raises(Killed):
        world.steps(1)
    world.abandon()
    start(world)
    world.steps(2)
    assert runs(world) == [(1, "interrupted")]
    # Its bits are not asked for again; another run has its turn an hour later, under its own number.
    assert len(entries(world, StatsBegin)) == 1
    world.steps(1, seconds=HOUR_S)
    settle(world)
    assert runs(world) == [(1, "interrupted"), (2, "pass")]
    world.verify()


@pytest.mark.parametrize("step", ["statistics.recorded", "statistics.interrupted"])
def test_a_death_behind_a_report_leaves_one_report(world, step):
    def die(name):
        if name == step:
            raise Killed(name)

    start(world, COMMAND if step == "statistics.recorded" else runner(""), on_step=die)
    with pytest.raises(Killed):
        settle(world)
    world.sequencer._statistics.close()
    world.abandon()
    start(world)
    world.steps(3)
    assert runs(world) == [(1, "pass" if step == "statistics.recorded" else "interrupted")]
    world.verify()


def test_a_clean_stop_says_of_a_run_that_goes_on_that_it_was_interrupted(world):
    start(world, runner("sys.stdin.read()"))
    world.steps(2)
    assert world.sequencer._statistics._begun.running is not None
    world.sequencer.finish()
    assert runs(world) == [(1, "interrupted")]
    world.verify()


# A runner whose source stands still: what a broken generator would come to.
STANDING_STILL = """
sys.path.insert(0, ROOT)
import io
from rng_service.statistics import runner, runner_work
from rng_service.statistics.runner_isolation import give_up
examine = runner_work.examine
runner_work.examine = lambda job, stream, facts=(): examine(job, io.BytesIO(bytes(8_000_000)), facts)
runner_work.warm_up = lambda: None
runner.run(open(0, "rb"), sys.stdout.buffer, give_up())
"""


def pools_sealed(world):
    return world.vault.get_state().pools


def test_a_failed_run_is_an_incident_and_stops_the_sealing_of_pools_until_somebody_has_seen_to_it(world, caplog):
    broken = StatisticsDesk(runner(STANDING_STILL.replace("ROOT", repr(str(ROOT)))))
    world.start()
    world.sequencer._statistics = broken
    settle(world)
    assert runs(world) == [(1, "fail")]
    assert "statistics.failed: run 1" in caplog.text
    assert [(entry.kind, entry.reason) for entry in entries(world, Incident)] == [("statistics-failed", "test-stream")]
    sealed = len(pools_sealed(world))
    world.register(version=2)
    world.steps(3)
    assert len(pools_sealed(world)) == sealed
    with writing(world.engine) as connection:
        values = {"origin": world.config.service.origin, "now_us": world.clock(), "reason": "drill", "caller": "alice"}
        assert acknowledge_run(connection, run=1, **values)
        assert not acknowledge_run(connection, run=1, **values)
    world.steps(3)
    assert len(pools_sealed(world)) > sealed
    assert entries(world, Incident)[-1].kind == "statistics-acknowledged"
    world.verify()


def test_without_stop_on_fail_a_failed_run_stops_nothing(world):
    world.with_config(statistics=replace(world.config.statistics, stop_on_fail=False))
    start(world, runner(STANDING_STILL.replace("ROOT", repr(str(ROOT)))))
    settle(world)
    sealed = len(pools_sealed(world))
    world.register(version=2)
    world.steps(3)
    assert len(pools_sealed(world)) > sealed


def test_a_dump_between_begin_and_report_has_its_own_number(world):
    start(world, runner("sys.stdin.read()"))
    world.steps(2)
    with writing(world.engine) as connection:
        values = {"origin": world.config.service.origin, "now_us": world.clock(), "bits": 8, "caller": "lab"}
        assert begin_dump(connection, **values).run == 2
    world.steps(1)
    world.sequencer.finish()
    with reading(world.engine) as connection:
        rows = list_runs(connection, before=None, limit=10)
    assert [(row.run, row.purpose, row.verdict) for row in rows] == [(2, "dump", None), (1, "test", "interrupted")]
    assert world.verify().entries["stats.begin"] == 2


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_opened_outcomes_are_tested_once_digests_have_enough_of_them_and_never_twice(make_world, database):
    world = make_world(None if database == "sqlite" else new_database(), size=64)
    world.with_config(statistics=StatisticsConfig(interval_hours=24))
    world.register()
    world.with_config(
        statistics=replace(world.config.statistics, interval_hours=1), pools=replace(world.config.pools, size=2_048)
    )
    world.register(version=3)
    start(world)
    settle(world)
    world.steps(5)
    binder = Binder(world.engine, world.vault, world.clock)
    for _ in range(22):
        binder.draws(50)
        world.steps(1)
    world.steps(1, seconds=90)
    settle(world)
    opened = [entry for entry in entries(world, StatsBegin) if entry.subject == "opened"]
    assert len(opened) == 1
    assert runs(world)[-1] == (opened[0].run, "pass")
    report = report_of(world, opened[0].run)
    assert report["outcomes"] == 1_000
    assert "stream" not in report
    world.steps(1, seconds=2 * HOUR_S)
    settle(world)
    assert [entry for entry in entries(world, StatsBegin) if entry.subject == "opened"] == opened
    world.verify()


def test_outcomes_of_an_interrupted_run_are_tested_again_and_free_play_is_left_out(make_world):
    world = make_world(size=2_048)
    world.with_config(statistics=StatisticsConfig(interval_hours=24))
    world.register()
    start(world)
    settle(world)
    world.steps(5)
    binder = Binder(world.engine, world.vault, world.clock)
    for _ in range(22):
        binder.draws(50)
        world.steps(1)
    with world.engine.begin() as connection:
        # An operator who would like its players' outcomes untested: all of them look like free play.
        connection.execute(text("UPDATE digest_totals SET play_class = 'free'"))
    world.steps(1, seconds=90)
    settle(world)
    assert [entry for entry in entries(world, StatsBegin) if entry.subject == "opened"] == []
    with world.engine.begin() as connection:
        connection.execute(text("UPDATE digest_totals SET play_class = 'real'"))
    world.sequencer._statistics._command = runner("")
    world.steps(1, seconds=90)
    settle(world)
    assert runs(world)[-1][1] == "interrupted"
    world.sequencer._statistics._command = COMMAND
    world.steps(1, seconds=2 * HOUR_S)
    settle(world)
    world.steps(1, seconds=90)
    settle(world)
    ranges = [(e.from_digest, e.to_digest) for e in entries(world, StatsBegin) if e.subject == "opened"]
    assert len(ranges) == 2
    assert ranges[0] == ranges[1]
    assert "pass" in {verdict for run, verdict in runs(world) if run > 2}


def test_lost_public_files_of_runs_come_back(world):
    start(world)
    settle(world)
    paths = [world.config.public_dir / path for path in statistics_paths(1)]
    before = [path.read_bytes() for path in paths]
    for path in paths:
        path.unlink()
    rebuild_public(world.sequencer._context)
    assert [path.read_bytes() for path in paths] == before
