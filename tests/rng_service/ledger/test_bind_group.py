"""The transaction that binds a group, by itself: what it writes, what it refuses, and what a refusal leaves behind."""

from dataclasses import dataclass

import pytest
from front_world import HOUR_US, FrontWorld

from rng_service.errors import LedgerError, NotFound, Unavailable
from rng_service.ledger.bind import GuardLost, bind_group
from rng_service.ledger.engine import reading, writing
from rng_service.ledger.groups import insert_group
from rng_service.ledger.models import MAX_RECORDS_PER_REQUEST, MAX_REQUESTS_PER_GROUP
from rng_service.ledger.reading import fence_request, find_request, read_group
from rng_service.ledger.tasks import BindRules, BindTask
from rng_service.records.binding import DrawBinding, TicketBinding
from rng_service.request_id import new_request_id, parse_request_id

RULES = BindRules(HOUR_US, HOUR_US, HOUR_US)
HASH = "00" * 32


@dataclass
class Cursor:
    id: int
    pool_id: str
    size: int
    next_slot: int


class Queue:
    def __init__(self, *cursors):
        self.cursors = cursors

    def pools(self, lane):
        return self.cursors

    def owns(self, pool_id):
        return any(cursor.pool_id == pool_id for cursor in self.cursors)


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request, tmp_path):
    url = ""
    if request.param == "postgresql":
        from postgres import new_database

        url = new_database()
    made = FrontWorld(tmp_path, url=url)
    yield made
    made.close()


def queue_of(world):
    rows = world.rows("SELECT id, pool_id, size, next_slot FROM pools WHERE state = 'active' ORDER BY number")
    return Queue(*(Cursor(*row) for row in rows))


def draw(queue, *, count=1, session="", caller="server", request_id=b"", payload=bytes(32), **fields):
    request_id = request_id or parse_request_id(new_request_id())
    binding = DrawBinding(caller, HASH, HASH, "base", count=count, session=session)
    return BindTask(caller, request_id, payload, "Draw", binding, queue=queue, **fields)


def reserve(queue, session=""):
    binding = TicketBinding("server", HASH, HASH, "base", HASH, session=session)
    return BindTask("server", parse_request_id(new_request_id()), bytes(32), "Reserve", binding, queue=queue)


def bind(world, *tasks):
    with writing(world.ledger) as connection:
        group = bind_group(
            connection,
            tasks,
            key_id="00" * 8,
            rules=RULES,
            random_bytes=bytes,
        )
    if group is not None:
        group.committed()
    return group


def slots(*tasks):
    return [(record.kind, record.slot, record.count) for task in tasks for record in task.records]


def test_a_group_of_everything_takes_consecutive_slots_in_the_order_of_its_requests(world):
    world.add_pool(16)
    queue = queue_of(world)
    both = draw(queue, session="s")
    both.next_ticket = TicketBinding("server", HASH, HASH, "base", HASH, session="s")
    tasks = [draw(queue, session="s"), reserve(queue, session="s"), draw(queue, count=3, session="s"), both]
    group = bind(world, *tasks)
    assert slots(*tasks) == [("draw", 0, 1), ("ticket", 1, 1), ("draw", 2, 3), ("draw", 5, 1), ("ticket", 6, 1)]
    assert queue.cursors[0].next_slot == 7
    assert world.rows("SELECT last_sequence FROM sessions") == [(5,)]
    with reading(world.ledger) as connection:
        stored = read_group(connection, group.id)
    assert stored.records == group.records


def test_repeats_in_one_group_are_told_from_the_first_and_take_nothing(world):
    world.add_pool(4)
    queue = queue_of(world)
    first = draw(queue)
    again = draw(queue, request_id=first.request_id)
    other = draw(queue, request_id=first.request_id, payload=b"\x01" * 32)
    foreign = draw(queue, request_id=first.request_id, caller="server-b")
    bind(world, first, again, other, foreign)
    assert [task.repeated for task in (first, again, other, foreign)] == [False, True, True, False]
    assert slots(first, foreign) == [("draw", 0, 1), ("draw", 1, 1)]


def test_a_repeat_of_a_request_that_the_same_group_refused_has_the_same_answer(world):
    world.add_pool(2)
    queue = queue_of(world)
    first = draw(queue, count=3)
    again = draw(queue, count=3, request_id=first.request_id)
    other = draw(queue, request_id=first.request_id, payload=b"\x01" * 32)
    kept = draw(queue)
    bind(world, first, again, other, kept)
    for task in (first, again, other):
        assert isinstance(task.error, Unavailable)
        assert not task.repeated
    assert [task.error.reason for task in (first, again, other)] == [
        "POOLS_EXHAUSTED",
        "POOLS_EXHAUSTED",
        "LEDGER_UNAVAILABLE",
    ]
    assert slots(kept) == [("draw", 0, 1)]
    assert world.rows("SELECT count(*) FROM requests") == [(1,)]


def test_a_group_of_refusals_only_leaves_no_row(world):
    world.add_pool(1)
    queue = queue_of(world)
    tasks = [draw(queue, count=2), draw(queue, ticket_hash=bytes(32)), draw(Queue())]
    assert bind(world, *tasks) is None
    assert isinstance(tasks[1].error, NotFound)
    for table in ("requests", "records", "commit_groups", "sessions"):
        assert world.rows(f"SELECT count(*) FROM {table}") == [(0,)]


def test_a_pool_that_moved_meanwhile_loses_the_guard_and_nothing_is_kept(world):
    world.add_pool(8)
    stale, fresh = queue_of(world), queue_of(world)
    bind(world, draw(fresh))
    task = draw(stale, count=2, session="s")
    with pytest.raises(GuardLost):
        bind(world, task)
    assert world.rows("SELECT count(*) FROM requests") == [(1,)]
    assert world.rows("SELECT count(*) FROM sessions") == [(0,)]
    assert stale.cursors[0].next_slot == 0
    bind(world, BindTask(**{**_fields(task), "queue": fresh}))
    assert world.rows("SELECT next_slot FROM pools") == [(3,)]


def test_the_same_task_is_bound_whole_after_a_lost_guard(world):
    world.add_pool(2)
    world.add_pool(8)
    queue = queue_of(world)
    bind(world, draw(queue_of(world)))
    task = draw(queue, count=6, session="s")
    with pytest.raises(GuardLost):
        bind(world, task)
    queue.cursors[0].next_slot = 1
    bind(world, task)
    assert slots(task) == [("draw", 1, 1), ("draw", 0, 5)]
    assert [b'"session_seq":%d,' % number in record.binding for number, record in enumerate(task.records, 1)] == [
        True,
        True,
    ]


def _fields(task):
    return {name: getattr(task, name) for name in ("caller", "request_id", "payload", "method", "binding", "queue")}


@pytest.mark.parametrize("state", ["quarantined", "closed", "committed"])
def test_a_pool_that_is_not_active_gives_no_slot(world, state):
    pool = world.add_pool(8)
    queue = queue_of(world)
    world.set_state(pool, state)
    with pytest.raises(GuardLost):
        bind(world, draw(queue))
    assert world.rows("SELECT next_slot FROM pools") == [(0,)]


def test_a_ticket_that_was_drawn_meanwhile_is_refused(world):
    world.add_pool(4)
    queue = queue_of(world)
    ticket = reserve(queue)
    bind(world, ticket)
    with writing(world.ledger) as connection:
        connection.exec_driver_sql("UPDATE tickets SET state = 1")
    ((hashed,),) = world.rows("SELECT hash FROM tickets")
    task = draw(queue, ticket_hash=bytes(hashed), client_seed_hash=bytes(32))
    assert bind(world, task) is None
    assert "drawn by another request" in str(task.error)


def test_two_draws_on_one_ticket_in_one_group_give_one_draw(world):
    world.add_pool(4)
    queue = queue_of(world)
    bind(world, reserve(queue))
    ((hashed,),) = world.rows("SELECT hash FROM tickets")
    tasks = [draw(queue, ticket_hash=bytes(hashed), client_seed_hash=bytes(32)) for _ in range(2)]
    bind(world, *tasks)
    assert slots(*tasks) == [("draw", 0, 1)]
    assert (tasks[0].error, tasks[1].error.reason) == (None, "TICKET_EXPIRED")
    assert world.rows("SELECT next_slot FROM pools") == [(1,)]


def test_the_time_of_a_group_never_lies_before_the_group_before_it_whoever_bound_that(world):
    world.add_pool(8)
    queue = queue_of(world)
    now_us = bind(world, draw(queue)).bind_time_us
    ahead_us = now_us + HOUR_US // 2
    with writing(world.ledger) as connection:
        assert insert_group(connection, "00" * 8, now_us=ahead_us)[1] == ahead_us
        assert insert_group(connection, "00" * 8, now_us=now_us)[1] == ahead_us
    assert bind(world, draw(queue)).bind_time_us == ahead_us


def test_a_request_over_more_pools_than_it_has_record_ids_is_exhausted(world):
    for _ in range(MAX_RECORDS_PER_REQUEST + 1):
        world.add_pool(1)
    queue = queue_of(world)
    most, more = draw(queue, count=MAX_RECORDS_PER_REQUEST - 1), draw(queue, count=MAX_RECORDS_PER_REQUEST)
    assert bind(world, more) is None
    assert more.error.reason == "POOLS_EXHAUSTED"
    bind(world, most)
    assert len(most.records) == MAX_RECORDS_PER_REQUEST - 1


def test_the_largest_group_keeps_all_its_record_ids_apart(world):
    world.add_pool(MAX_REQUESTS_PER_GROUP)
    queue = queue_of(world)
    tasks = [draw(queue) for _ in range(MAX_REQUESTS_PER_GROUP)]
    group = bind(world, *tasks)
    assert len({record.id for record in group.records}) == MAX_REQUESTS_PER_GROUP
    with pytest.raises(LedgerError, match="at most"):
        bind(world, *tasks, draw(queue))
    with reading(world.ledger) as connection:
        for task in tasks[:: MAX_REQUESTS_PER_GROUP - 1]:
            known = find_request(connection, task.request_id, "server")
            assert known.group_id == group.id
            assert [known.owns(record) for record in group.records].count(True) == 1


def test_a_fence_keeps_what_was_bound_before_and_stops_what_comes_after(world):
    world.add_pool(4)
    queue = queue_of(world)
    bound, late = draw(queue), draw(queue)
    bind(world, bound)
    with writing(world.ledger) as connection:
        assert fence_request(connection, bound.request_id, "server").has_records
        assert not fence_request(connection, late.request_id, "server").has_records
    assert bind(world, late) is None
    assert late.repeated
    assert world.rows("SELECT next_slot FROM pools") == [(1,)]


def test_a_group_that_is_not_there_cannot_be_read(world):
    with reading(world.ledger) as connection, pytest.raises(LedgerError):
        read_group(connection, 77)
