import pytest
from sqlalchemy import func, insert, select

from rng_service.errors import StartRefused
from rng_service.ledger.engine import writing
from rng_service.ledger.leases import LeaseLostError, acquire_lease, hold_lease, release_lease
from rng_service.ledger.models import MetaRow

SECOND = 1_000_000


def take(engine, holder, now_s):
    with writing(engine) as connection:
        return acquire_lease(connection, "sequencer", holder, now_us=now_s * SECOND, lifetime_us=10 * SECOND)


def write_late(engine, lease):
    with writing(engine) as connection:
        connection.execute(insert(MetaRow).values(key="late", value="write"))
        hold_lease(connection, lease, now_us=111 * SECOND)


def test_a_second_holder_is_refused_with_the_name_of_the_first(ledger):
    take(ledger, "one", 100)
    with pytest.raises(StartRefused, match=r"run by one .*10 s more"):
        take(ledger, "two", 100)


def test_an_expired_lease_is_taken_over_and_its_old_holder_writes_nothing_more(ledger):
    old = take(ledger, "one", 100)
    new = take(ledger, "two", 111)
    assert new.epoch == old.epoch + 1
    with pytest.raises(LeaseLostError):
        write_late(ledger, old)
    with writing(ledger) as connection:
        assert connection.execute(select(func.count()).select_from(MetaRow)).scalar_one() == 0
        hold_lease(connection, new, now_us=111 * SECOND)


def test_a_holder_that_comes_back_takes_over_at_once_under_another_epoch(ledger):
    first = take(ledger, "one", 100)
    second = take(ledger, "one", 101)
    assert second.epoch == 2
    with pytest.raises(LeaseLostError), writing(ledger) as connection:
        hold_lease(connection, first, now_us=102 * SECOND)


def test_every_write_of_the_holder_keeps_the_lease_alive(ledger):
    lease = take(ledger, "one", 100)
    with writing(ledger) as connection:
        hold_lease(connection, lease, now_us=109 * SECOND)
    with pytest.raises(StartRefused):
        take(ledger, "two", 118)
    assert take(ledger, "two", 120).holder == "two"


def test_a_released_lease_is_free_and_a_lost_one_is_left_alone(ledger):
    lease = take(ledger, "one", 100)
    with writing(ledger) as connection:
        release_lease(connection, lease)
    other = take(ledger, "two", 100)
    with writing(ledger) as connection:
        release_lease(connection, lease)
        hold_lease(connection, other, now_us=101 * SECOND)
    with pytest.raises(StartRefused):
        take(ledger, "one", 102)
