"""A front draws from a pool once it has passed its test, and never from one that waits for it or failed."""

import pytest
from front_service import connected, served
from front_world import wager
from sealdraw.v1 import operator_pb2

from rng_service.errors import Unavailable
from rng_service.ledger.engine import writing
from rng_service.ledger.models import PoolRow


def draw(world, service):
    return service.draw(world.draw_request(wager=wager()), "server", 5).receipt


def test_a_pool_that_waits_for_its_test_is_not_drawn_from(world):
    pool = world.add_pool(tested=True)
    world.set_state(pool, "testing")
    world.refresh()
    with pytest.raises(Unavailable, match="no sealed and activated pool"):
        draw(world, world.service())
    assert world.rows("SELECT count(*) FROM records") == [(0,)]
    world.set_state(pool, "active")
    world.refresh()
    assert draw(world, world.service()).pool_id == pool


@pytest.mark.parametrize("state", ["testing", "activating", "quarantined", "void"])
def test_the_ledger_binds_nothing_of_it_whatever_a_front_still_believes(world, state):
    pool = world.add_pool(tested=True)
    service = world.service()
    # The front's catalog has the pool as active.
    world.set_state(pool, state)
    with pytest.raises(Unavailable, match="no sealed and activated pool"):
        draw(world, service)
    assert world.rows("SELECT next_slot FROM pools") == [(0,)]


def test_a_pool_behind_one_that_failed_is_drawn_from(world):
    failed, good = world.add_pool(tested=True), world.add_pool(tested=True)
    world.set_state(failed, "quarantined")
    world.refresh()
    assert draw(world, world.service()).pool_id == good


def test_status_says_what_the_tests_of_pools_came_to(sqlite_world):
    world = sqlite_world
    failed, waiting, _ = (world.add_pool(tested=True) for _ in range(3))
    with writing(world.ledger) as connection:
        pools = PoolRow.__table__
        connection.execute(pools.update().where(pools.c.pool_id == waiting).values(state="testing", test_verdict=None))
    with served(world) as server, connected(server.port) as running:
        before = running.operators.GetStatus(operator_pb2.GetStatusRequest(), timeout=10).pool_tests
        assert (before.passed, before.failed, before.waiting, before.alarm) == (2, 0, 1, False)
        assert before.log2_p_value == 0
        with writing(world.ledger) as connection:
            connection.execute(pools.update().where(pools.c.pool_id == failed).values(test_verdict="fail"))
        after = running.operators.GetStatus(operator_pb2.GetStatusRequest(), timeout=10).pool_tests
    assert (after.passed, after.failed, after.waiting, after.alarm) == (1, 1, 1, True)
    assert after.log2_p_value == -39
