"""What the front does when the database fails it: nothing is lost, nothing happens twice, and it recovers."""

import json
import logging
import sqlite3

import pytest
from front_world import HOUR_US, FrontWorld, said, seed, wager
from sealdraw.v1 import draw_pb2
from sqlalchemy import event

from rng_service.errors import Unavailable
from rng_service.front.status import status_of
from rng_service.ledger.engine import open_engine, sqlite_url
from rng_service.request_id import new_request_id


def unavailable(call, *arguments):
    with pytest.raises(Unavailable) as caught:
        call(*arguments)
    return caught.value


def told(call, *arguments):
    """The status that a caller gets for whatever the call raises."""
    with pytest.raises(Exception) as caught:
        call(*arguments)
    return status_of(caught.value)


class Commits:
    """Stands before the driver's commit; `fail` says what to do instead, once or until told otherwise."""

    def __init__(self, engine):
        self.dialect, self.commit = engine.dialect, engine.dialect.do_commit
        self.mode, self.count, self.skip = "", 0, 0
        engine.dialect.do_commit = self

    def fail(self, mode, count=1):
        self.mode, self.count = mode, count

    def __call__(self, connection):
        if not self.count or self.skip:
            self.skip = max(0, self.skip - 1)
            return self.commit(connection)
        self.count -= 1
        if self.mode == "after":
            self.commit(connection)
        raise self.dialect.dbapi.OperationalError("the server closed the connection unexpectedly")


@pytest.fixture
def commits(world):
    return Commits(world.ledger)


def test_a_commit_that_failed_before_it_was_durable_leaves_nothing(world, commits):
    world.add_pool()
    service = world.service()
    request = world.draw_request(session="s", wager=wager())
    commits.fail("before")
    error = unavailable(service.draw, request, "server", 5)
    assert error.reason == "LEDGER_UNAVAILABLE"
    assert world.rows("SELECT count(*) FROM requests") == [(0,)]
    answer = service.draw(request, "server", 5)
    assert (answer.receipt.slot, answer.session_sequence) == (0, 1)


def test_a_commit_that_was_durable_although_it_failed_is_answered_as_if_it_had_not(world, commits):
    world.add_pool()
    service = world.service()
    request = world.draw_request(session="s")
    commits.fail("after")
    answer = service.draw(request, "server", 5)
    assert (answer.receipt.slot, answer.session_sequence) == (0, 1)
    assert service.draw(request, "server", 5) == answer
    assert service.draw(world.draw_request(), "server", 5).receipt.slot == 1


@pytest.mark.parametrize("mode", ["before", "after"])
def test_a_commit_in_doubt_is_said_to_be_in_doubt_and_the_repeat_settles_it(world, commits, mode):
    world.add_pool()
    service = world.service()
    request = world.draw_request()
    # The commit, and the reading that would find out what became of it.
    commits.fail(mode, 2)
    error = unavailable(service.draw, request, "server", 5)
    assert error.reason == "LEDGER_UNAVAILABLE"
    assert "repeat with the same request_id" in str(error)
    answer = service.draw(request, "server", 5)
    assert answer.receipt.slot == 0
    assert world.rows("SELECT next_slot FROM pools") == [(1,)]
    assert service.draw(world.draw_request(), "server", 5).receipt.slot == 1


def test_a_fence_in_doubt_is_settled_by_asking_again(world, commits):
    world.add_pool()
    service = world.service()
    request = draw_pb2.ResolveRequestRequest(request_id=new_request_id())
    commits.fail("after", 1)
    # The first transaction is the look-up, which reads; the fence itself is the second.
    commits.skip = 1
    status = told(service.resolve_request, request, "server", 5)
    assert (status.code, status.message) == (14, "the ledger does not answer; repeat the request")
    assert service.resolve_request(request, "server", 5).state == draw_pb2.ResolveRequestResponse.STATE_FENCED


@pytest.fixture
def locked(tmp_path):
    """A front with little patience, and another connection to its database."""
    world = FrontWorld(tmp_path)
    world.add_pool()
    impatient = open_engine(sqlite_url(tmp_path / "ledger.db"), busy_timeout_ms=30)
    service = world.front(world.catalog, ledger=impatient)
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    yield world, service, other
    other.close()
    world.close()
    impatient.dispose()


def test_a_database_that_stays_locked_is_unavailable_and_nothing_is_lost(locked):
    world, service, other = locked
    before = world.draw_request()
    first = service.draw(before, "server", 5)
    other.execute("BEGIN IMMEDIATE")
    requests = [world.draw_request(wager=wager()) for _ in range(3)]
    for request in requests:
        assert unavailable(service.draw, request, "server", 5).reason == "LEDGER_UNAVAILABLE"
    other.execute("COMMIT")
    assert [service.draw(request, "server", 5).receipt.slot for request in requests] == [1, 2, 3]
    assert service.draw(before, "server", 5) == first


def test_a_fence_on_a_locked_database_is_unavailable(locked):
    _, service, other = locked
    request = draw_pb2.ResolveRequestRequest(request_id=new_request_id())
    other.execute("BEGIN IMMEDIATE")
    assert told(service.resolve_request, request, "server", 5).code == 14
    other.execute("COMMIT")
    assert service.resolve_request(request, "server", 5).state == draw_pb2.ResolveRequestResponse.STATE_FENCED


def test_a_full_disk_refuses_draws_cleanly_and_ends_when_there_is_room(tmp_path):
    world = FrontWorld(tmp_path)
    world.add_pool(512)
    limit = [1 << 30]
    full = open_engine(sqlite_url(tmp_path / "ledger.db"))
    event.listen(
        full, "checkout", lambda connection, *_: connection.execute(f"PRAGMA max_page_count = {limit[0]}").close()
    )
    service = world.front(world.catalog, ledger=full)
    answered = [service.draw(world.draw_request(), "server", 5).receipt.slot]
    limit[0] = world.rows("PRAGMA page_count")[0][0]
    for _ in range(300):
        request = world.draw_request(session="s" * 64, tags={"player": "p" * 128})
        try:
            answered.append(service.draw(request, "server", 5).receipt.slot)
        except Unavailable as error:
            refusal = error
            break
    assert refusal.reason == "LEDGER_UNAVAILABLE"
    assert world.rows("SELECT next_slot FROM pools") == [(len(answered),)]
    # What was drawn before can be read while nothing can be written.
    limit[0] = 1 << 30
    assert service.draw(request, "server", 5).receipt.slot == len(answered)
    assert answered == list(range(len(answered)))
    world.close()
    full.dispose()


def test_bind_times_never_run_backwards_after_the_clock_was_set_back(world):
    world.add_pool()
    service = world.service()
    first = said(service.draw(world.draw_request(), "server", 5).receipt)["bind_time"]
    # The newest group stands an hour ahead of the clock: that is what setting the clock back looks like.
    with world.ledger.begin() as connection:
        connection.exec_driver_sql(f"UPDATE commit_groups SET created_us = {first + HOUR_US}")
    restarted = world.another_front(window_back_us=2 * HOUR_US)
    times = [said(restarted.draw(world.draw_request(), "server", 5).receipt)["bind_time"] for _ in range(3)]
    assert times == [first + HOUR_US] * 3
    # The window of request ids follows the same time.
    strict = world.another_front(window_back_us=HOUR_US // 2)
    with pytest.raises(Exception, match="outside the accepted window"):
        strict.draw(world.draw_request(), "server", 5)


def test_no_error_and_no_log_line_holds_a_secret_an_outcome_or_a_binding(world, commits, caplog):
    caplog.set_level(logging.DEBUG)
    world.add_pool(4)
    service = world.service()
    secret = seed()
    told = []
    receipts = [service.draw(world.draw_request(), "server", 5).receipt]
    request = world.draw_request(client_seed=secret, wager=wager(), tags={"player": "player-4711"})
    for mode, count in (("before", 1), ("after", 2), ("after", 2)):
        commits.fail(mode, count)
        told.append(str(unavailable(service.draw, request, "server", 5)))
    commits.fail("", 0)
    receipts.append(service.draw(request, "server", 5).receipt)
    told.append(str(unavailable(service.batch_draw, world.batch_request(9), "server", 5)))
    everything = "\n".join([*told, caplog.text])
    for receipt in receipts:
        assert json.loads(receipt.record)["secrets"] not in everything
        assert said(receipt)["nonce"] not in everything
    assert secret.hex() not in everything
    assert repr(secret)[2:-1] not in everything
    assert "4711" not in everything
