"""What `sealdraw doctor` says of scheduled statistics."""

import pytest

from rng_service.config import load_config
from rng_service.doctor import Verdict, examine
from rng_service.initialise import initialise
from rng_service.ledger.engine import open_engine, writing
from rng_service.ledger.statistics_runs import StreamSource, acknowledge_run, begin_test, finish_run
from rng_service.statistics.built_in import BIT_PLANS

ORIGIN = "acme.example/dev"
NOW_US = 1_790_000_000_000_000


@pytest.fixture
def settings(tmp_path):
    return initialise(tmp_path / "d", ORIGIN, clock_us=lambda: NOW_US).settings_path


def checked(settings, environ=None):
    found = {check.name: check for check in examine(load_config(settings, environ or {}), clock_us=lambda: NOW_US)}
    return found["statistics"]


def add_run(settings, verdict):
    engine = open_engine(load_config(settings, {}).ledger_url)
    with writing(engine) as connection:
        run = begin_test(connection, origin=ORIGIN, now_us=NOW_US, plan=BIT_PLANS["quick"].to_bytes()).run
        files, source = (b"report", b"page"), StreamSource("instance", 1, run)
        finish_run(connection, origin=ORIGIN, now_us=NOW_US, run=run, verdict=verdict, files=files, source=source)
    return engine


def test_passed_runs_are_fine(settings):
    add_run(settings, "pass").dispose()
    assert (checked(settings).verdict, checked(settings).finding) == (
        Verdict.OK,
        "every 24 h; no failure waits for anybody",
    )


def test_a_failed_run_is_wrong_until_somebody_has_seen_to_it(settings):
    engine = add_run(settings, "fail")
    assert checked(settings).verdict is Verdict.WRONG
    assert checked(settings).finding == "run 1 failed, and nobody has seen to it; no pool is sealed meanwhile"
    assert "meanwhile" not in checked(settings, {"SEALDRAW_STATISTICS_STOP_ON_FAIL": "false"}).finding
    with writing(engine) as connection:
        acknowledge_run(connection, origin=ORIGIN, now_us=NOW_US, run=1, reason="drill", caller="alice")
    engine.dispose()
    assert checked(settings).verdict is Verdict.OK


def test_statistics_that_are_off_or_cannot_run_are_said(settings, monkeypatch):
    assert checked(settings, {"SEALDRAW_STATISTICS_INTERVAL_HOURS": "0"}).verdict is Verdict.NOTE
    monkeypatch.setattr("rng_service.doctor.find_spec", lambda _name: None)
    assert checked(settings).verdict is Verdict.WEAK
