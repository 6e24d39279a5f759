"""Property 1: slots are taken in order, each once, from the oldest active pool of the lane; property 4: by arrival only."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256

import pytest
from front_world import FrontWorld, said, seed, wager
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from rng_service.errors import FailedPrecondition, Unavailable
from rng_service.names import lane_of
from rng_service.request_id import parse_request_id


def places(receipts):
    return [(receipt.pool_id, receipt.slot, receipt.count) for receipt in receipts]


def taken(world):
    """(pool, slot) of every slot that has a record, tickets and their draws counted once."""
    rows = world.rows("SELECT DISTINCT pool_id, slot, slots FROM records WHERE family <> 2 ORDER BY pool_id, slot")
    return [(pool, slot + at) for pool, slot, slots in rows for at in range(slots)]


def assert_prefixes(world):
    """Bound slots are exactly the prefixes that the pools' rows state, and no slot stands twice."""
    expected = [
        (pool, slot) for pool, end in world.rows("SELECT id, next_slot FROM pools ORDER BY id") for slot in range(end)
    ]
    assert sorted(taken(world)) == expected


def test_a_batch_over_the_end_of_a_pool_makes_one_receipt_for_each_run(world):
    first, second = world.add_pool(5), world.add_pool(9)
    service = world.service()
    answer = service.batch_draw(world.batch_request(8, session="s", wager=wager()), "server", 5)
    assert places(answer.receipts) == [(first, 0, 5), (second, 0, 3)]
    assert [said(receipt)["session_seq"] for receipt in answer.receipts] == [1, 2]
    assert [len(receipt.payouts_minor) for receipt in answer.receipts] == [5, 3]
    following = service.draw(world.draw_request(session="s"), "server", 5)
    assert (following.receipt.slot, following.session_sequence) == (3, 3)
    assert_prefixes(world)


def test_a_batch_that_lost_its_guard_still_gets_all_its_slots(world):
    first, second = world.add_pool(5), world.add_pool(9)
    stale = world.another_front()
    world.service().draw(world.draw_request(), "server", 5)
    request = world.batch_request(8)
    answer = stale.batch_draw(request, "server", 5)
    assert places(answer.receipts) == [(first, 1, 4), (second, 0, 4)]
    assert stale.batch_draw(request, "server", 5) == answer
    assert_prefixes(world)


def test_a_draw_with_a_ticket_that_lost_its_guard_keeps_its_session_numbers(world):
    world.add_pool(16)
    stale = world.another_front()
    world.service().draw(world.draw_request(session="s"), "server", 5)
    answer = stale.draw(world.draw_request(session="s", next_client_seed_hash=bytes(32)), "server", 5)
    assert (answer.session_sequence, answer.next_ticket.session_sequence) == (2, 3)
    assert (answer.receipt.slot, answer.next_ticket.ticket.slot) == (1, 2)


def test_exhaustion_refuses_a_whole_batch_and_leaves_no_trace(world):
    world.add_pool(3)
    world.add_pool(3)
    service = world.service()
    request = world.batch_request(7)
    with pytest.raises(Unavailable) as caught:
        service.batch_draw(request, "server", 5)
    assert caught.value.reason == "POOLS_EXHAUSTED"
    assert world.rows("SELECT next_slot FROM pools") == [(0,), (0,)]
    assert world.rows("SELECT (SELECT count(*) FROM requests) + (SELECT count(*) FROM commit_groups)") == [(0,)]
    world.add_pool(1)
    assert [receipt.count for receipt in service.batch_draw(request, "server", 5).receipts] == [3, 3, 1]
    assert_prefixes(world)


def test_the_last_slot_goes_to_a_draw_and_not_to_a_draw_with_a_ticket(world):
    world.add_pool(1)
    service = world.service()
    with pytest.raises(Unavailable):
        service.draw(world.draw_request(next_client_seed_hash=bytes(32)), "server", 5)
    assert service.draw(world.draw_request(), "server", 5).receipt.slot == 0


def test_a_quarantined_pool_is_left_at_once_by_a_front_that_has_not_heard_of_it(world):
    first, second = world.add_pool(8), world.add_pool(8)
    service = world.service()
    assert service.draw(world.draw_request(), "server", 5).receipt.pool_id == first
    world.set_state(first, "quarantined")
    answer = service.draw(world.draw_request(), "server", 5)
    assert (answer.receipt.pool_id, answer.receipt.slot) == (second, 0)
    assert world.rows("SELECT next_slot FROM pools ORDER BY id") == [(1,), (1,)]


def test_when_the_only_pool_is_quarantined_the_pools_are_exhausted(world):
    world.set_state(world.add_pool(8), "quarantined")
    with pytest.raises(Unavailable) as caught:
        world.service().draw(world.draw_request(), "server", 5)
    assert caught.value.reason == "POOLS_EXHAUSTED"


def test_two_fronts_that_compete_for_small_pools_never_take_a_slot_twice(world):
    for _ in range(6):
        world.add_pool(12)
    fronts = [world.service(), world.another_front()]
    requests = [world.draw_request() for _ in range(30)] + [world.batch_request(4) for _ in range(10)]

    def perform(job):
        number, request = job
        service = fronts[number % 2]
        call = service.batch_draw if "Batch" in type(request).__name__ else service.draw
        # Losing the guard five times running is allowed; the same request is then simply sent again.
        for _ in range(20):
            with suppress(Unavailable):
                return call(request, "server", 20)
        raise AssertionError("never bound")

    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(perform, enumerate(requests)))
    receipts = [receipt for answer in answers for receipt in getattr(answer, "receipts", None) or [answer.receipt]]
    assert sum(receipt.count for receipt in receipts) == 70
    assert len(taken(world)) == len(set(taken(world))) == 70
    assert_prefixes(world)


def test_each_request_takes_the_lane_of_its_session_or_of_its_id(tmp_path):
    world = FrontWorld(tmp_path, lanes=3)
    pools = [world.add_pool(32, lane) for lane in range(3)]
    service = world.service()
    for number in range(9):
        request = world.draw_request(session=f"s-{number}")
        lane = lane_of("server", f"s-{number}", 3)
        assert service.draw(request, "server", 5).receipt.pool_id == pools[lane]
    request = world.draw_request()
    lane = lane_of("server", parse_request_id(request.request_id), 3)
    assert service.draw(request, "server", 5).receipt.pool_id == pools[lane]
    assert_prefixes(world)
    world.close()


def test_more_pools_than_a_front_keeps_in_memory_are_all_drawn_from(tmp_path):
    world = FrontWorld(tmp_path, lanes=40)
    for lane in range(40):
        world.add_pool(2, lane)
        world.add_pool(2, lane)
    stale = world.another_front()
    fresh = world.service()
    for front in (fresh, stale):
        for number in range(60):
            with suppress(Unavailable):
                front.draw(world.draw_request(session=f"s-{number}"), "server", 5)
    assert_prefixes(world)
    world.close()


def test_a_pool_whose_leaves_are_damaged_holds_up_its_own_lane_and_no_other(tmp_path):
    world = FrontWorld(tmp_path, lanes=2)
    first, second = world.add_pool(1, 0), world.add_pool(4, 1)
    damaged = [world.add_pool(4, 0), world.add_pool(4, 0)]
    leaves = tmp_path / "public" / "leaves" / f"{damaged[0]}.bin"
    good = leaves.read_bytes()
    leaves.write_bytes(bytes(32) + good[32:])
    # A front that starts now finds one pool that it cannot believe.
    service = world.another_front()
    sessions = {lane_of("server", f"s-{number}", 2): f"s-{number}" for number in range(20)}
    found = [service.draw(world.draw_request(session=sessions[lane]), "server", 5).receipt for lane in (0, 1)]
    assert [receipt.pool_id for receipt in found] == [first, second]
    with pytest.raises(Unavailable):
        service.draw(world.draw_request(session=sessions[0]), "server", 5)
    assert service.draw(world.draw_request(session=sessions[1]), "server", 5).receipt.slot == 1
    leaves.write_bytes(good)
    world.refresh()
    assert service.draw(world.draw_request(session=sessions[0]), "server", 5).receipt.pool_id == damaged[0]
    world.close()


ARRIVALS = st.lists(st.sampled_from(["draw", "batch", "reserve", "pipelined"]), min_size=1, max_size=8)


def replay(directory, arrivals, variation):
    """Send the same arrivals with everything varied that must not matter; return the slots that they got."""
    world = FrontWorld(directory)
    for size in (3, 5, 64):
        world.add_pool(size)
    service = world.service()
    found = []
    for number, arrival in enumerate(arrivals):
        secret = sha256(b"%d %d" % (number, variation)).digest()
        fields = {"session": "table"}
        if variation:
            fields["tags"] = {"player": f"p{variation}"}
        if arrival == "reserve":
            found += places([service.reserve(world.reserve_request(secret, **fields), "server", 5).ticket])
            continue
        fields["client_seed"] = secret[: 16 + 8 * variation]
        if variation:
            fields["wager"] = wager(10**variation, '{"bet":"red"}' if variation == 1 else '{"bet":"black"}')
        if arrival == "batch":
            found += places(service.batch_draw(world.batch_request(4, **fields), "server", 5).receipts)
            continue
        if arrival == "pipelined":
            fields["next_client_seed_hash"] = sha256(secret).digest()
        answer = service.draw(world.draw_request(**fields), "server", 5)
        found += places([answer.receipt])
        if arrival == "pipelined":
            found += places([answer.next_ticket.ticket])
    world.close()
    return found


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ARRIVALS)
def test_seeds_stakes_bets_and_tags_never_change_which_slot_a_request_gets(tmp_path_factory, arrivals):
    directory = tmp_path_factory.mktemp("trace")
    traces = []
    for variation in range(3):
        (directory / str(variation)).mkdir()
        traces.append(replay(directory / str(variation), arrivals, variation))
    assert traces[0] == traces[1] == traces[2]


class Model:
    """What the front must do, in memory: pools in order, a cursor each, open tickets."""

    def __init__(self):
        self.pools = []
        self.sequence = 0

    def add(self, pool_id, size):
        self.pools.append({"id": pool_id, "size": size, "next": 0, "active": True})

    def take(self, wanted):
        runs, after = [], []
        for pool in self.pools:
            count = min(wanted, pool["size"] - pool["next"]) if pool["active"] else 0
            if count:
                runs.append((pool["id"], pool["next"], count))
                after.append((pool, pool["next"] + count))
                wanted -= count
        if wanted:
            return None
        for pool, value in after:
            pool["next"] = value
        return runs


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("draw"), st.integers(0, 1)),
        st.tuples(st.just("batch"), st.integers(1, 9)),
        st.tuples(st.just("reserve"), st.integers(0, 1)),
        st.tuples(st.just("redeem"), st.integers(0, 5)),
        st.tuples(st.just("quarantine"), st.integers(0, 3)),
        st.tuples(st.just("pool"), st.integers(1, 6)),
        st.tuples(st.just("repeat"), st.integers(0, 9)),
    ),
    min_size=4,
    max_size=25,
)


@settings(
    max_examples=25, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(STEPS)
def test_any_sequence_of_calls_does_what_the_model_does(tmp_path_factory, steps):
    world = FrontWorld(tmp_path_factory.mktemp("model"))
    model, tickets, answered, redeemed = Model(), [], [], set()
    model.add(world.add_pool(4), 4)
    fronts = [world.service(), world.another_front()]

    def perform(call, request, runs, slots):
        turn = len(answered) % 2
        if runs is None:
            with pytest.raises(Unavailable) as caught:
                getattr(fronts[turn], call)(request, "server", 5)
            assert caught.value.reason == "POOLS_EXHAUSTED"
            return None
        answer = getattr(fronts[turn], call)(request, "server", 5)
        assert places(slots(answer)) == runs
        answered.append((call, request, answer))
        return answer

    for kind, value in steps:
        if kind == "pool":
            model.add(world.add_pool(value), value)
        elif kind == "draw":
            perform("draw", world.draw_request(session="s"), model.take(1), lambda found: [found.receipt])
        elif kind == "batch":
            perform("batch_draw", world.batch_request(value, session="s"), model.take(value), lambda f: f.receipts)
        elif kind == "reserve":
            secret = seed()
            runs = model.take(1)
            answer = perform("reserve", world.reserve_request(secret, session="s"), runs, lambda f: [f.ticket])
            if answer is not None:
                tickets.append((answer, secret))
        elif kind == "redeem" and tickets:
            ticket, secret = tickets[value % len(tickets)]
            request = world.draw_request(session="s", client_seed=secret, ticket_hash=ticket.ticket_hash)
            try:
                answer = fronts[value % 2].draw(request, "server", 5)
            except FailedPrecondition:
                assert ticket.ticket_hash in redeemed
            else:
                redeemed.add(ticket.ticket_hash)
                assert places([answer.receipt]) == places([ticket.ticket])
                assert answer.session_sequence == ticket.session_sequence
                answered.append(("draw", request, answer))
        elif kind == "quarantine" and value < len(model.pools):
            model.pools[value]["active"] = False
            world.set_state(model.pools[value]["id"], "quarantined")
        elif kind == "repeat" and answered:
            call, request, answer = answered[value % len(answered)]
            assert getattr(fronts[value % 2], call)(request, "server", 5) == answer
    assert_prefixes(world)
    said_next = dict(world.rows("SELECT pool_id, next_slot FROM pools"))
    assert said_next == {pool["id"]: pool["next"] for pool in model.pools}
    sequences = sorted(
        {
            said(receipt)["session_seq"]
            for call, _, answer in answered
            for receipt in (
                answer.receipts if call == "batch_draw" else [answer.ticket if call == "reserve" else answer.receipt]
            )
        }
    )
    assert sequences == list(range(1, len(sequences) + 1))
    world.close()
