"""What `sealdraw doctor` says of the tests of pools."""

import pytest
from sqlalchemy import insert

from rng_service.config import load_config
from rng_service.doctor import examine
from rng_service.initialise import initialise
from rng_service.ledger.documents import add_documents
from rng_service.ledger.engine import open_engine, writing
from rng_service.ledger.models import GameRow, PoolRow, StreamRow
from rng_service.pools.plans import BUILT_IN_PLAN
from rng_service.public_files import plan_path

NOW_US = 1_790_000_000_000_000


@pytest.fixture
def settings(tmp_path):
    return initialise(tmp_path / "d", "acme.example/dev", clock_us=lambda: NOW_US).settings_path


def checked(settings, environ=None):
    found = {check.name: check for check in examine(load_config(settings, environ or {}), clock_us=lambda: NOW_US)}
    return found["pool tests"]


def add_tests(settings, *verdicts):
    engine = open_engine(load_config(settings, {}).ledger_url)
    with writing(engine) as connection:
        connection.execute(insert(GameRow).values(id=1, name="dice", version=1, digest=bytes(32), definition=b"{}"))
        connection.execute(
            insert(StreamRow).values(id=1, game_id=1, program="base", play_class="real", lanes=1, pool_size=8)
        )
        add_documents(connection, {plan_path(BUILT_IN_PLAN.digest): BUILT_IN_PLAN.to_bytes()})
        for number, verdict in enumerate(verdicts):
            connection.execute(
                insert(PoolRow).values(
                    pool_id=f"dev/dice/1/base/real/0/{number}",
                    stream_id=1,
                    lane=0,
                    number=number,
                    size=8,
                    state="active",
                    next_slot=0,
                    slot_root=bytes(32),
                    deadline_us=0,
                    commit_entry=b"",
                    test_plan=BUILT_IN_PLAN.digest,
                    test_verdict=verdict,
                )
            )
    engine.dispose()


def test_pools_that_passed_are_counted(settings):
    add_tests(settings, "pass", "pass", None)
    assert (checked(settings).verdict, checked(settings).finding) == ("ok", "2 pools passed, 0 failed")


def test_a_failure_is_shown_with_how_unlikely_it_is(settings):
    add_tests(settings, "pass", "fail")
    found = checked(settings)
    assert found.verdict == "weak"
    assert "1 failed" in found.finding
    assert "2^-39" in found.finding
    assert "operations.md" in found.advice


def test_switched_off_is_weak(settings):
    found = checked(settings, {"SEALDRAW_POOLS_TEST": "false"})
    assert found.verdict == "weak"
    assert "switched off" in found.finding
