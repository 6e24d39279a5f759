"""The sequencer dies before each of its durable steps, as often as it passes one, and a new one goes on."""

import contextlib
import random

import pytest
from sequencer_world import Killed
from sqlalchemy import func, insert, select
from test_sequencer_life import states

from rng_service.ledger.engine import reading, writing
from rng_service.ledger.models import GroupRow, PoolRow, RtpTableRequestRow
from rng_service.sequencer.faults import STEPS
from rng_service.sequencer.requests import request_quarantine
from tests.support.binder import ExhaustedError
from tests.support.postgres import new_database

# A log begins once; alarms have their own tests.
OUTSIDE_THE_STORY = {
    "genesis.written",
    "alarm.recorded",
    "statistics.begun",
    "statistics.recorded",
    "statistics.interrupted",
}


class KillAt:
    """Dies at the n-th passing of one step."""

    def __init__(self, name, passing):
        self.name = name
        self.left = passing
        self.passed = False

    def __call__(self, name):
        if name == self.name:
            self.left -= 1
            if self.left == 0:
                self.passed = True
                raise Killed(name)


def story(world):
    """Everything that a sequencer does, in short; each act is taken once, however often the sequencer dies."""
    binder = world.binder()

    def bind():
        binder.draws(5, stake=10, bet={"bet": "under", "threshold": 30})
        binder.reserve(2, lifetime_us=1)

    def stop_pool():
        with writing(world.engine) as connection:
            assert request_quarantine(connection, "test/dice/1/base/real/0/2")

    def use_up():
        while states(world)["active"] and _free(world):
            binder.draws(1)

    yield None
    yield bind
    yield None

    def ask_for_tables():
        with writing(world.engine) as connection:
            # The second is of days long before the first digest.
            for number, end_day in ((1, None), (2, 4)):
                connection.execute(
                    insert(RtpTableRequestRow).values(
                        request_id=bytes([number]) * 16, created_us=world.clock(), end_day=end_day
                    )
                )

    yield ask_for_tables
    yield stop_pool
    yield use_up
    for _ in range(4):
        yield None


def _free(world):
    from sqlalchemy import func, select

    from rng_service.ledger.engine import reading
    from rng_service.ledger.models import PoolRow

    with reading(world.engine) as connection:
        return connection.execute(
            select(func.sum(PoolRow.size - PoolRow.next_slot)).where(PoolRow.state == "active")
        ).scalar_one()


def play(world, kill):
    """Run the story; after the death a new sequencer starts over the same vault, ledger and directory."""
    deaths = 0

    def alive(action):
        nonlocal deaths
        while True:
            try:
                if world.sequencer is None:
                    world.start(on_step=kill)
                return action()
            except Killed:
                deaths += 1
                world.abandon()

    alive(lambda: None)
    alive(lambda: world.steps(1))
    alive(lambda: world.steps(1))
    for act in story(world):
        if act is not None:
            act()
        alive(lambda: world.steps(1))
    alive(lambda: world.sequencer.finish())  # noqa: PLW0108 - the sequencer may be another one by then
    return deaths


@pytest.mark.parametrize("passing", [1, 2])
@pytest.mark.parametrize("step", STEPS)
def test_a_death_before_any_durable_step_changes_nothing_that_an_auditor_sees(make_world, step, passing):
    world = make_world(size=8)
    world.register()
    kill = KillAt(step, passing)
    deaths = play(world, kill)
    assert deaths == (1 if kill.passed else 0)
    assert kill.passed or passing == 2 or step in OUTSIDE_THE_STORY
    report = world.verify()
    assert report.records["draw"] >= 6
    assert report.records["void"] >= 2
    assert report.pools_closed >= 1
    assert report.entries["rtp.table"] == 1


@pytest.mark.parametrize(
    "step", ["digest.recorded", "rtp-table.recorded", "publish.assigned", "publish.checkpoint", "publish.settled"]
)
def test_a_death_on_postgresql_changes_nothing_that_an_auditor_sees(make_world, step):
    world = make_world(new_database(), size=8)
    world.register()
    assert play(world, KillAt(step, 1 if step == "rtp-table.recorded" else 2)) == 1
    world.verify()


class KillOften:
    """Dies at one step in so many, wherever that is."""

    def __init__(self, chance, one_in):
        self.chance = chance
        self.one_in = one_in

    def __call__(self, name):
        if self.one_in and self.chance.randrange(self.one_in) == 0:
            raise Killed(name)


@pytest.mark.parametrize("seed", range(6))
def test_many_deaths_in_any_order_leave_a_log_that_passes_the_audit(make_world, seed):
    chance = random.Random(seed)
    world = make_world(size=8, ready=2)
    world.register()
    kill = KillOften(chance, 12)
    tickets, deaths = [], 0

    def alive(action):
        nonlocal deaths
        for _ in range(1_000):
            try:
                if world.sequencer is None:
                    world.start(on_step=kill)
                return action()
            except Killed:
                deaths += 1
                world.abandon()
        raise AssertionError("the sequencer gets nowhere")

    alive(lambda: world.steps(1))
    binder = world.binder()

    def act():
        match chance.randrange(6):
            case 0 | 1:
                binder.draws(chance.randrange(1, 4), stake=7, bet={"bet": "over", "threshold": 60})
            case 2:
                binder.draws(1, count=chance.randrange(2, 5))
            case 3:
                tickets.extend((world.clock(), ticket) for ticket in binder.reserve(2, lifetime_us=8 * 1_000_000))
            case 4 if tickets and world.clock() - tickets[0][0] < 6 * 1_000_000:
                binder.draw_on(tickets.pop(0)[1])
            case 5 if chance.randrange(3) == 0:
                with writing(world.engine) as connection:
                    active = connection.scalars(select(PoolRow.pool_id).where(PoolRow.state == "active")).all()
                    if active:
                        request_quarantine(connection, chance.choice(active), "frozen")
                tickets.clear()

    for _ in range(40):
        with contextlib.suppress(ExhaustedError):
            act()
        alive(lambda: world.steps(1))
    kill.one_in = 0
    alive(lambda: world.steps(12))
    alive(lambda: world.sequencer.finish())  # noqa: PLW0108 - the sequencer may be another one by then
    assert deaths > 5
    report = world.verify()
    assert report.incidents == {}
    assert report.pools_closed >= 1
    with reading(world.engine) as connection:
        unclaimed = select(func.count()).select_from(GroupRow).where(GroupRow.digest_seq.is_(None))
        assert connection.execute(unclaimed).scalar_one() == 0
