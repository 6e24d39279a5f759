"""Rounds in the transaction that binds: each step once and in order, on both databases, whoever else is writing."""

import threading

import pytest
from sqlalchemy import event
from test_bind_group import HASH, bind, draw, queue_of, slots, world

from rng_service.errors import FailedPrecondition, Unavailable
from rng_service.ledger.bind import GuardLost
from rng_service.ledger.engine import reading
from rng_service.ledger.rounds import find_round
from rng_service.ledger.tasks import BindTask, RoundMove
from rng_service.records.binding import DrawBinding
from rng_service.request_id import new_request_id, parse_request_id

__all__ = ["world"]  # the fixture of the other file's tests


@pytest.fixture
def queue(world):
    world.add_pool(16)
    return queue_of(world)


def stands(world, round_id="r", caller="server"):
    with reading(world.ledger) as connection:
        return find_round(connection, caller, round_id)


def step(queue, number, after, *, round_id="r", caller="server", request_id=b"", **row):
    """The task of one step, planned behind the record ``after``."""
    request_id = request_id or parse_request_id(new_request_id())
    binding = DrawBinding(caller, HASH, HASH, "base", round_id=round_id, step=number)
    move = RoundMove(round_id, number, after, **row)
    return BindTask(caller, request_id, bytes(32), "Draw", binding, queue=queue, round=move)


def newest(world, **of):
    return stands(world, **of).record_id


def refusal(task):
    assert task.error is not None
    assert task.records == []
    return task.error.reason


def test_steps_are_bound_one_after_the_other_and_the_row_says_where_the_round_stands(world, queue):
    bind(world, step(queue, 1, 0, stake_minor=50, currency="EUR", awarded={"free": 2}))
    first = stands(world)
    assert (first.last_step, first.stake_minor, first.currency, first.awarded) == (1, 50, "EUR", {"free": 2})
    assert (first.pool_id, b'"round":"r"' in first.binding) == (queue.cursors[0].pool_id, True)
    bind(world, step(queue, 2, first.record_id, stake_minor=50, currency="EUR", awarded={"free": 1}))
    second = stands(world)
    assert (second.last_step, second.awarded) == (2, {"free": 1})
    assert second.record_id > first.record_id
    assert b'"step":2' in second.binding


def test_a_round_of_another_caller_or_of_another_name_is_another_round(world, queue):
    tasks = [step(queue, 1, 0), step(queue, 1, 0, caller="other"), step(queue, 1, 0, round_id="s")]
    bind(world, *tasks)
    assert slots(*tasks) == [("draw", 0, 1), ("draw", 1, 1), ("draw", 2, 1)]
    assert newest(world) != newest(world, caller="other") != newest(world, round_id="s")


@pytest.mark.parametrize("number", [1, 3, 2**31 - 1])
def test_a_step_that_is_not_the_next_is_refused_by_name_and_leaves_no_trace(world, queue, number):
    bind(world, step(queue, 1, 0))
    wrong = step(queue, number, None)
    kept = draw(queue)
    bind(world, wrong, kept)
    assert isinstance(wrong.error, FailedPrecondition)
    assert refusal(wrong) == "ROUND_STEP"
    assert "the next step of this round is 2" in str(wrong.error)
    assert slots(kept) == [("draw", 1, 1)]
    assert world.rows("SELECT count(*) FROM requests") == [(2,)]
    assert stands(world).last_step == 1


def test_of_two_draws_of_one_step_in_a_group_exactly_one_is_bound(world, queue):
    tasks = [step(queue, 1, 0) for _ in range(3)]
    bind(world, *tasks)
    assert slots(*tasks) == [("draw", 0, 1)]
    assert [task.error and task.error.reason for task in tasks] == [None, "ROUND_STEP", "ROUND_STEP"]


def test_a_repeat_of_a_step_is_a_repeat_and_no_second_draw(world, queue):
    first = step(queue, 1, 0)
    bind(world, first)
    again = step(queue, 1, None, request_id=first.request_id)
    in_one_group = step(queue, 2, newest(world))
    twin = step(queue, 2, newest(world), request_id=in_one_group.request_id)
    bind(world, again, in_one_group, twin)
    assert [task.repeated for task in (again, in_one_group, twin)] == [True, False, True]
    assert stands(world).last_step == 2


def test_a_step_that_was_planned_before_the_one_in_front_of_it_is_tried_again(world, queue):
    first, early = step(queue, 1, 0), step(queue, 2, None)
    bind(world, first, early)
    assert isinstance(early.error, Unavailable)
    assert refusal(early) == "LEDGER_UNAVAILABLE"
    foreign = step(queue, 2, newest(world) + 1)
    assert bind(world, foreign) is None
    assert refusal(foreign) == "LEDGER_UNAVAILABLE"
    bind(world, step(queue, 2, newest(world)))
    assert stands(world).last_step == 2


def test_exhausted_pools_leave_the_round_where_it_was(world):
    world.add_pool(1)
    queue = queue_of(world)
    bind(world, step(queue, 1, 0))
    late = step(queue, 2, newest(world))
    assert bind(world, late) is None
    assert refusal(late) == "POOLS_EXHAUSTED"
    assert stands(world).last_step == 1


def test_a_lost_pool_takes_the_step_back(world, queue):
    stale = queue_of(world)
    bind(world, draw(queue))
    with pytest.raises(GuardLost):
        bind(world, step(stale, 1, 0))
    assert stands(world) is None
    bind(world, step(queue, 1, 0))
    assert stands(world).last_step == 1


def test_two_writers_at_once_bind_a_step_once(world, queue):
    bind(world, step(queue, 1, 0))
    after = newest(world)
    outcomes = []
    barrier = threading.Barrier(6)

    def attempt():
        own = queue_of(world)
        task = step(own, 2, after)
        barrier.wait()
        for _ in range(20):
            try:
                bind(world, task)
            except GuardLost:
                task.queue = queue_of(world)
                continue
            break
        outcomes.append("bound" if task.records else task.error.reason)

    threads = [threading.Thread(target=attempt) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["ROUND_STEP"] * 5 + ["bound"]
    assert stands(world).last_step == 2
    assert world.rows("SELECT count(*) FROM records") == [(2,)]


def test_two_writers_at_once_begin_a_round_once(world, queue):
    barrier = threading.Barrier(2)
    outcomes = []

    def attempt():
        task = step(queue_of(world), 1, 0)
        barrier.wait()
        for _ in range(20):
            try:
                bind(world, task)
            except GuardLost:
                task.queue = queue_of(world)
                continue
            break
        outcomes.append("bound" if task.records else task.error.reason)

    threads = [threading.Thread(target=attempt) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["ROUND_STEP", "bound"]


def test_a_round_that_moved_behind_the_readers_back_loses_the_guard(world, queue, monkeypatch):
    bind(world, step(queue, 1, 0))
    after = newest(world)
    bind(world, step(queue, 2, after))
    # What a database that does not lock what it reads would show: the round as it was before.
    monkeypatch.setattr(
        "rng_service.ledger.rounds.RoundGuard.read",
        lambda self, _tasks: self._places.update({("server", "r"): (1, after)}),
    )
    with pytest.raises(GuardLost, match="round"):
        bind(world, step(queue_of(world), 2, after))
    assert stands(world).last_step == 2


def test_draws_without_a_round_ask_the_ledger_nothing_about_rounds(world, queue):
    asked = []

    def see(_connection, _cursor, statement, *_more):
        asked.append(statement)

    event.listen(world.ledger, "before_cursor_execute", see)
    bind(world, draw(queue), draw(queue, session="s", count=3))
    plain = len(asked)
    assert not [statement for statement in asked if "rounds" in statement]
    bind(world, step(queue, 1, 0), draw(queue, session="s", count=3))
    event.remove(world.ledger, "before_cursor_execute", see)
    assert len(asked) - plain == plain + 2


def test_many_rounds_are_moved_by_one_statement(world):
    world.add_pool(256)
    queue = queue_of(world)
    tasks = [step(queue, 1, 0, round_id=f"r-{number}") for number in range(100)]
    bind(world, *tasks)
    after = {task.round.round_id: task.records[0].id for task in tasks}
    bind(world, *(step(queue, 2, after[f"r-{number}"], round_id=f"r-{number}") for number in range(100)))
    assert world.rows("SELECT last_step, count(*) FROM rounds GROUP BY last_step") == [(2, 100)]
