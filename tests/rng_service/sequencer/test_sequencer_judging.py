"""Between activation and first draw: every pool is tested, and one that fails is opened and never drawn from."""

import pytest
from repeating_keystream import RepeatingKeystream
from sequencer_world import Killed
from sqlalchemy import select
from test_sequencer_life import entries, states

from anchor.errors import VerificationError
from rng_service.config import PoolsConfig
from rng_service.ledger.engine import reading, writing
from rng_service.ledger.models import LogEntryRow, PoolRow
from rng_service.ledger.pool_tests import count_pool_tests
from rng_service.log_entries import parse_entry
from rng_service.pools import slots
from rng_service.pools.plans import BUILT_IN_PLAN
from rng_service.public_files import plan_path
from rng_service.sequencer import judging
from rng_service.sequencer.requests import request_quarantine
from rng_service.vault.errors import VaultRefusedError
from tests.support.binder import ExhaustedError

POOL = "test/dice/1/base/real/0/{}"


@pytest.fixture
def bad_pools(monkeypatch, tmp_path):
    """Let the secrets of the pools with these numbers, in the order of their sealing, repeat."""

    def install(*numbers):
        bad = {number - 1 for number in numbers}
        monkeypatch.setattr(slots, "slot_secrets_range", RepeatingKeystream(tmp_path / "keys-used", bad))

    return install


def log_of(world):
    """Return (type, pool) of every published entry, in order."""
    with reading(world.engine) as connection:
        rows = connection.execute(
            select(LogEntryRow.type, LogEntryRow.entry)
            .where(LogEntryRow.log_index.is_not(None))
            .order_by(LogEntryRow.log_index)
        ).all()
    return [(row.type, getattr(parse_entry(bytes(row.entry)), "pool", None)) for row in rows]


def place(log, kind, pool):
    (found,) = [at for at, entry in enumerate(log) if entry == (kind, pool)]
    return found


def pool_row(world, number):
    with reading(world.engine) as connection:
        return connection.execute(select(PoolRow.__table__).where(PoolRow.number == number)).one()


def rate(world):
    with reading(world.engine) as connection:
        return count_pool_tests(connection)


class KillOnce:
    def __init__(self, step):
        self.step = step
        self.passed = False

    def __call__(self, name):
        if name == self.step and not self.passed:
            self.passed = True
            raise Killed(name)


def test_a_pool_is_tested_behind_its_activation_and_before_its_first_draw(make_world, ledger_url):
    world = make_world(ledger_url)
    world.register()
    world.start()
    world.steps(2)
    world.binder().draws(3)
    world.steps()
    log = log_of(world)
    for number in (1, 2):
        pool = POOL.format(number)
        order = [place(log, kind, pool) for kind in ("pool.commit", "pool.activate", "pool.test")]
        assert order == sorted(order)
    with_records = [entry for entry in entries(world, "digest") if entry.ranges]
    digests = [at for at, (kind, _) in enumerate(log) if kind == "digest"]
    assert len(with_records) == 1
    assert place(log, "pool.test", POOL.format(1)) < digests[-1]
    assert [entry.verdict for entry in entries(world, "pool.test")] == ["pass", "pass"]
    plan = (world.config.public_dir / plan_path(BUILT_IN_PLAN.digest)).read_bytes()
    assert plan == BUILT_IN_PLAN.to_bytes()
    assert world.verify().pool_tests == {
        "fail": 0,
        "named": 2,
        "pass": 2,
        "recomputed": 0,
        "unlogged_failures": 0,
        "without_plan": 0,
    }


def test_a_pool_that_fails_its_test_is_opened_to_the_public_and_never_drawn_from(make_world, ledger_url, bad_pools):
    bad_pools(2)
    world = make_world(ledger_url, size=48)
    world.register()
    world.start()
    world.steps(2)
    failed = POOL.format(2)
    assert pool_row(world, 2).test_verdict == "fail"
    log = log_of(world)
    at = place(log, "pool.test", failed)
    assert log[at + 1] == ("pool.quarantine", failed)
    (quarantine,) = entries(world, "pool.quarantine")
    assert (quarantine.from_slot, quarantine.reason) == (0, "test-failed")
    (verdict,) = [entry for entry in entries(world, "pool.test") if entry.verdict == "fail"]
    assert (verdict.pool, verdict.test) == (failed, "repeats")
    # The pool before it is used to its end, and then there is nothing: the failed one is not touched.
    binder = world.binder()
    assert binder.draws(1, count=48) == [(1, 0)]
    with pytest.raises(ExhaustedError):
        binder.draws(1)
    world.steps(2)
    assert pool_row(world, 2).state == "void"
    assert pool_row(world, 2).next_slot == 0
    assert [entry.reason for entry in entries(world, "pool.void")] == ["test-failed"]
    report = world.verify()
    assert (report.pool_tests["fail"], report.pool_tests["recomputed"]) == (1, 1)


def test_the_vault_gives_no_slot_of_a_failed_pool_to_anybody(make_world, bad_pools):
    bad_pools(1)
    world = make_world(size=48, ready=1)
    world.register()
    world.start(on_step=KillOnce("test.recorded"))
    with pytest.raises(Killed):
        world.steps(2)
    world.abandon()
    # Whoever holds the ledger sets the pool active without the vault.
    with writing(world.engine) as connection:
        connection.execute(PoolRow.__table__.update().values(state="active", reason=None))
    world.binder().draws(1)
    world.start()
    world.steps(2)
    assert [(entry.kind, entry.reason) for entry in entries(world, "incident")][-1] == (
        "opening-refused",
        "pool-not-active",
    )


def test_one_failure_is_an_alarm_by_itself(make_world, bad_pools):
    bad_pools(2)
    world = make_world(size=48)
    world.register()
    world.start()
    world.steps(3)
    (incident,) = entries(world, "incident")
    assert (incident.kind, incident.reason, incident.pool) == ("pool-test-rate", "beyond-bound", POOL.format(2))
    found = rate(world)
    assert (found.passed, found.failed, found.alarm) == (1, 1, True)
    assert found.log2_p_value == pytest.approx(-39)


def test_a_lane_whose_pools_fail_gets_others_slowly(make_world, bad_pools):
    bad_pools(*range(1, 20))
    world = make_world(size=48)
    world.register()
    world.start()
    world.steps(20)
    assert states(world) == {"void": 2}
    world.steps(1, seconds=60)
    world.steps(20)
    assert states(world) == {"void": 4}
    assert [entry.kind for entry in entries(world, "incident")].count("pool-test-rate") == 4
    world.verify()


@pytest.mark.parametrize("step", ["test.vault", "test.recorded", "publish.files", "disposal.vault"])
def test_a_death_around_a_failed_test_leaves_one_verdict_and_one_quarantine(make_world, bad_pools, step):
    bad_pools(1)
    world = make_world(size=48, ready=1)
    world.register()
    kill = KillOnce(step)
    for _ in range(6):
        try:
            if world.sequencer is None:
                world.start(on_step=kill)
            world.steps(1)
        except Killed:
            world.abandon()
    assert kill.passed
    assert [entry.verdict for entry in entries(world, "pool.test")] == ["fail"]
    assert len(entries(world, "pool.quarantine")) == 1
    assert len(entries(world, "pool.void")) == 1
    assert world.verify().pool_tests["fail"] == 1


def test_a_verdict_on_a_pool_that_was_stopped_meanwhile_stands_in_the_log(make_world, bad_pools, monkeypatch):
    bad_pools(1)
    world = make_world(size=48, ready=1)
    world.register()
    world.start()
    tested = world.vault.test_pool

    def stopping(pool_id, *arguments, **documents):
        answer = tested(pool_id, *arguments, **documents)
        with writing(world.engine) as connection:
            request_quarantine(connection, pool_id)
        return answer

    monkeypatch.setattr(world.vault, "test_pool", stopping)
    world.steps(3)
    assert [entry.verdict for entry in entries(world, "pool.test")][:1] == ["fail"]
    assert pool_row(world, 1).state == "void"
    world.verify()


def test_a_pool_that_passes_while_it_is_stopped_is_thrown_away_with_its_pass(make_world, monkeypatch):
    world = make_world(ready=1)
    world.register()
    world.start()
    tested = world.vault.test_pool

    def stopping(pool_id, *arguments, **documents):
        answer = tested(pool_id, *arguments, **documents)
        if pool_id == POOL.format(1):
            with writing(world.engine) as connection:
                request_quarantine(connection, pool_id)
        return answer

    monkeypatch.setattr(world.vault, "test_pool", stopping)
    world.steps(3)
    assert states(world) == {"void": 1, "active": 1}
    assert world.verify().pool_tests["pass"] == 2


def test_a_pool_that_the_vault_does_not_test_is_given_up_and_said_so(make_world, monkeypatch):
    world = make_world(ready=1)
    world.register()
    world.start()

    def refusing(pool_id, *_arguments, **_documents):
        raise VaultRefusedError("pool-suspect", f"{pool_id} was sealed since the last good test of the source")

    monkeypatch.setattr(world.vault, "test_pool", refusing)
    world.steps(3)
    assert states(world) == {"void": 1}
    (incident,) = entries(world, "incident")
    assert (incident.kind, incident.reason, incident.pool) == ("pool-untested", "pool-suspect", POOL.format(1))
    assert entries(world, "pool.test") == []
    world.verify()


def test_pools_of_a_service_that_does_not_test_name_no_plan_and_the_auditor_counts_them(make_world):
    world = make_world()
    world.with_config(pools=PoolsConfig(size=64, ready=2, test=False))
    world.register()
    world.start()
    world.steps(2)
    world.binder().draws(2)
    world.steps()
    assert entries(world, "pool.test") == []
    assert [entry.test_plan for entry in entries(world, "pool.commit")] == [None, None]
    assert world.verify().pool_tests["without_plan"] == 2


def test_pools_that_were_committed_to_with_a_plan_are_tested_after_testing_was_switched_off(make_world):
    world = make_world(beacon="development", ready=1)
    world.register()
    world.start()
    world.steps(1)
    assert states(world) == {"committed": 1}
    world.sequencer.close()
    world.with_config(pools=PoolsConfig(size=64, ready=1, test=False))
    world.start()
    world.steps(3, seconds=10)
    assert states(world) == {"active": 1}
    assert [entry.verdict for entry in entries(world, "pool.test")] == ["pass"]


def test_few_pools_are_tested_in_one_step_so_that_digests_go_on(make_world, monkeypatch):
    monkeypatch.setattr(judging, "_SLOTS_A_STEP", 100)
    world = make_world(ready=4)
    world.register()
    world.start()
    world.steps(1)
    assert states(world) == {"active": 1, "testing": 3}
    world.steps(1)
    assert states(world) == {"active": 2, "testing": 2}
    world.steps(2)
    assert states(world) == {"active": 4}
    world.verify()


def test_a_plan_that_the_public_directory_lacks_is_noticed(make_world):
    world = make_world()
    world.register()
    world.start()
    world.steps(2)
    (world.config.public_dir / plan_path(BUILT_IN_PLAN.digest)).unlink()
    with pytest.raises(VerificationError):
        world.verify()
