"""The log's clock, and what else keeps the entries of a log in the order of their times."""

from rng_service.ledger.engine import reading
from rng_service.ledger.sequencing import log_time_us
from rng_service.log_entries import MAX_DIGEST_RECORDS
from rng_service.sequencer.clock import LogClock
from rng_service.sequencer.digests import MAX_RECORDS
from rng_service.vault.opening import MAX_GROUP_OPENINGS


def test_the_clock_of_the_log_stands_still_until_the_machines_has_caught_up():
    times = [100, 90, 120, 50]
    clock = LogClock(lambda: times[0], floor_us=110)
    assert (clock(), clock.behind) == (110, True)
    times.pop(0)
    assert (clock(), clock.behind) == (110, True)
    times.pop(0)
    assert (clock(), clock.behind) == (120, False)
    times.pop(0)
    assert (clock(), clock.behind) == (120, True)


def test_a_game_that_a_slow_machine_registers_has_the_time_of_the_log(make_world):
    world = make_world()
    world.start()
    world.steps(3)
    with reading(world.engine) as connection:
        before = log_time_us(connection)
    world.clock.advance(-3_600)
    world.register()
    with reading(world.engine) as connection:
        assert log_time_us(connection) == before
    world.steps(3)
    assert world.verify().entries["game.register"] == 1


def test_no_pass_can_make_a_digest_that_a_verifier_refuses_to_read():
    assert MAX_RECORDS + MAX_GROUP_OPENINGS <= MAX_DIGEST_RECORDS
