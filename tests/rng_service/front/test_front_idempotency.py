"""Property 2: a request id is drawn once, for ever, and repeating it gives the same bytes."""

from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest
from front_world import HOUR_US, said, seed, wager
from sealdraw.v1 import draw_pb2
from sealdraw.vault.v1 import vault_pb2

from rng_service.errors import FailedPrecondition, NotFound, Unavailable
from rng_service.ledger.engine import writing
from rng_service.ledger.reading import fence_request
from rng_service.request_id import new_request_id, parse_request_id, request_id_time_us
from rng_service.vault.errors import VaultUnavailableError

BOUND = draw_pb2.ResolveRequestResponse.STATE_BOUND
FENCED = draw_pb2.ResolveRequestResponse.STATE_FENCED


def resolve(service, request_id, caller="server"):
    return service.resolve_request(draw_pb2.ResolveRequestRequest(request_id=request_id), caller, 5)


def get_receipt(service, request_id, caller="server"):
    return service.get_receipt(draw_pb2.GetReceiptRequest(request_id=request_id), caller, 5)


def refused(reason, call, *arguments, error=FailedPrecondition):
    with pytest.raises(error) as caught:
        call(*arguments)
    assert caught.value.reason == reason
    return str(caught.value)


def every_kind_of_call(world, service):
    """Perform one call of each kind; return (call, request, response) of each."""
    done = []

    def perform(call, request):
        response = call(request, "server", 5)
        done.append((call, request, response))
        return response

    first, second = seed(), seed()
    ticket = perform(service.reserve, world.reserve_request(first, session="table-1"))
    perform(
        service.draw,
        world.draw_request(
            session="table-1",
            client_seed=first,
            ticket_hash=ticket.ticket_hash,
            wager=wager(),
            next_client_seed_hash=sha256(second).digest(),
        ),
    )
    drawn = world.draw_request(tags={"player": "p-17", "brand": "b"})
    perform(service.draw, drawn)
    perform(service.batch_draw, world.batch_request(7, client_seed=first, wager=wager(50)))
    perform(
        service.settle,
        draw_pb2.SettleRequest(
            request_id=new_request_id(),
            draw_request_id=drawn.request_id,
            bettor=sha256(b"bettor").digest(),
            stake_minor=5,
            currency="EUR",
            status=draw_pb2.SETTLEMENT_STATUS_VOID,
            reason="table-closed",
        ),
    )
    return done


def assert_all_repeat(done, service):
    for call, request, response in done:
        again = getattr(service, call.__name__)(request, "server", 5)
        assert again.SerializeToString(deterministic=True) == response.SerializeToString(deterministic=True)


def test_every_call_repeats_to_the_same_bytes_over_restart_rotation_and_digest(world):
    world.add_pool()
    done = every_kind_of_call(world, world.service())
    assert_all_repeat(done, world.service())
    world.core.rotate_receipt_key()
    world.core.rotate_kek()
    restarted = world.another_front()
    assert_all_repeat(done, restarted)
    world.join_digest()
    assert_all_repeat(done, restarted)
    # What a digest has taken in needs no vault any more.
    world.vault.down = VaultUnavailableError("gone")
    assert_all_repeat(done, restarted)


def test_get_receipt_and_resolve_give_what_the_call_gave(world):
    world.add_pool()
    service = world.service()
    for call, request, response in every_kind_of_call(world, service):
        found, resolved = get_receipt(service, request.request_id), resolve(service, request.request_id)
        assert resolved.state == BOUND
        for answer in (found, resolved):
            if call.__name__ == "reserve":
                assert answer.ticket == response
            elif call.__name__ == "settle":
                assert answer.settlement == response
            elif call.__name__ == "draw":
                assert list(answer.receipts) == [response.receipt]
                assert answer.ticket == response.next_ticket
            else:
                assert answer.receipts == response.receipts


@pytest.mark.parametrize(
    "change",
    [
        {"session": "other"},
        {"client_seed": bytes(16)},
        {"wager": wager(101)},
        {"wager": wager(bet='{"bet":"black"}')},
        {"wager": wager(currency="USD")},
        {"version": 1},
        {"tags": {"player": "x"}},
        {"next_client_seed_hash": bytes(32)},
    ],
    ids=str,
)
def test_other_fields_under_one_id_are_refused(sqlite_world, change):
    world = sqlite_world
    world.add_pool()
    service = world.service()
    fields = world.where(session="s", client_seed=seed(), wager=wager())
    service.draw(draw_pb2.DrawRequest(**fields), "server", 5)
    refused("REQUEST_ID_REUSED", service.draw, draw_pb2.DrawRequest(**fields | change), "server", 5)
    assert world.rows("SELECT next_slot FROM pools") == [(1,)]


def test_another_method_under_one_id_is_refused(sqlite_world):
    world = sqlite_world
    world.add_pool()
    service = world.service()
    fields = world.where()
    service.draw(draw_pb2.DrawRequest(**fields), "server", 5)
    refused("REQUEST_ID_REUSED", service.batch_draw, draw_pb2.BatchDrawRequest(**fields, count=1), "server", 5)
    refused(
        "REQUEST_ID_REUSED", service.reserve, draw_pb2.ReserveRequest(**fields, client_seed_hash=bytes(32)), "server", 5
    )


def test_two_callers_may_use_one_id_and_cannot_see_each_other(world):
    world.add_pool()
    service = world.service()
    request = world.draw_request()
    mine = service.draw(request, "server-a", 5)
    with pytest.raises(NotFound):
        get_receipt(service, request.request_id, "server-b")
    yours = service.draw(request, "server-b", 5)
    assert (mine.receipt.slot, yours.receipt.slot) == (0, 1)
    assert service.draw(request, "server-a", 5) == mine
    assert said(mine.receipt)["request"] != said(yours.receipt)["request"]


def test_one_id_sent_many_times_at_once_from_two_fronts_takes_one_slot(world):
    world.add_pool()
    fronts = [world.service(), world.another_front()]
    requests = [world.draw_request(wager=wager()) for _ in range(4)]
    jobs = [(fronts[turn % 2], request) for turn in range(6) for request in requests]
    with ThreadPoolExecutor(len(jobs)) as threads:
        answers = list(threads.map(lambda job: job[0].draw(job[1], "server", 20), jobs))
    for number in range(len(requests)):
        same = answers[number :: len(requests)]
        assert all(answer == same[0] for answer in same)
    assert sorted(answer.receipt.slot for answer in answers[: len(requests)]) == [0, 1, 2, 3]
    assert world.rows("SELECT next_slot FROM pools") == [(4,)]


def test_a_draw_and_its_fence_race_and_exactly_one_wins_for_ever(world):
    world.add_pool(256)
    fronts = [world.service(), world.another_front()]
    requests = [world.draw_request() for _ in range(24)]

    def draw(request):
        try:
            return fronts[0].draw(request, "server", 20)
        except FailedPrecondition as error:
            return error

    with ThreadPoolExecutor(16) as threads:
        drawn = [threads.submit(draw, request) for request in requests]
        states = list(threads.map(lambda request: resolve(fronts[1], request.request_id), requests))
    for request, answer, state in zip(requests, drawn, states, strict=True):
        if state.state == FENCED:
            assert answer.result().reason == "FENCED"
            refused("FENCED", fronts[1].draw, request, "server", 5)
            with pytest.raises(NotFound):
                get_receipt(fronts[0], request.request_id)
        else:
            assert list(state.receipts) == [answer.result().receipt]
        assert resolve(fronts[0], request.request_id) == state
    bound = sum(state.state == BOUND for state in states)
    assert world.rows("SELECT next_slot FROM pools") == [(bound,)]


def test_a_fence_before_the_draw_holds_against_every_method(world):
    world.add_pool()
    service = world.service()
    fields = world.where()
    assert resolve(service, fields["request_id"]).state == FENCED
    refused("FENCED", service.draw, draw_pb2.DrawRequest(**fields), "server", 5)
    refused("FENCED", service.batch_draw, draw_pb2.BatchDrawRequest(**fields, count=2), "server", 5)
    assert service.draw(draw_pb2.DrawRequest(**fields), "other-server", 5).receipt.slot == 0


def test_ids_outside_the_window_are_stale_and_those_at_its_edges_are_not(sqlite_world, monkeypatch):
    world = sqlite_world
    world.add_pool()
    now_us = 1_900_000_000_000_000
    service = world.service(window_back_us=HOUR_US)
    world.stop_clock(now_us)

    def draw(time_us):
        return service.draw(world.draw_request(request_id=new_request_id(time_us // 1_000)), "server", 5)

    assert draw(now_us - HOUR_US).receipt.slot == 0
    assert draw(now_us + 300_000_000).receipt.slot == 1
    refused("STALE_REQUEST_ID", draw, now_us - HOUR_US - 1_000)
    refused("STALE_REQUEST_ID", draw, now_us + 300_000_000 + 1_000)
    assert world.rows("SELECT count(*) FROM requests") == [(2,)]


def test_an_old_id_that_is_known_is_answered_and_an_old_fence_holds(world):
    world.add_pool()
    request, fenced = world.draw_request(), world.draw_request()
    service = world.service()
    first = service.draw(request, "server", 5)
    assert resolve(service, fenced.request_id).state == FENCED
    world.stop_clock(request_id_time_us(parse_request_id(request.request_id)) + 2 * HOUR_US)
    assert service.draw(request, "server", 5) == first
    refused("FENCED", service.draw, fenced, "server", 5)
    refused("STALE_REQUEST_ID", service.draw, world.draw_request(), "server", 5)


def test_a_request_that_found_the_vault_down_gets_its_receipt_when_it_is_up_again(world):
    world.add_pool()
    service = world.service()
    request = world.draw_request(wager=wager())
    world.vault.down = VaultUnavailableError("no answer")
    refused("VAULT_UNAVAILABLE", service.draw, request, "server", 5, error=Unavailable)
    refused("VAULT_UNAVAILABLE", service.draw, request, "server", 5, error=Unavailable)
    refused("VAULT_UNAVAILABLE", resolve, service, request.request_id, error=Unavailable)
    world.vault.down = None
    receipt = service.draw(request, "server", 5).receipt
    assert (receipt.slot, world.rows("SELECT next_slot FROM pools")) == (0, [(1,)])
    assert list(resolve(service, request.request_id).receipts) == [receipt]


def test_a_refusal_of_the_vault_is_no_receipt_and_says_no_secret(world, caplog):
    world.add_pool()
    service = world.service()

    class Refusing:
        def open_group(self, openings, settlements=(), *, sign=True, key_id=""):
            return vault_pb2.OpenGroupResponse(
                results=[vault_pb2.OpenResult(refused="bound-otherwise") for _ in openings],
                signature=bytes(64),
                key_id=key_id,
            )

    request = world.draw_request()
    honest, world.engine._vault = world.engine._vault, Refusing()
    refused("VAULT_UNAVAILABLE", service.draw, request, "server", 5, error=Unavailable)
    world.engine._vault = honest
    assert service.draw(request, "server", 5).receipt.slot == 0


def test_a_refused_request_leaves_its_id_free(world):
    service = world.service()
    request = world.draw_request()
    world.add_pool(1)
    taken = service.draw(world.draw_request(), "server", 5)
    refused("POOLS_EXHAUSTED", service.draw, request, "server", 5, error=Unavailable)
    assert world.rows("SELECT count(*) FROM requests") == [(1,)]
    assert world.rows("SELECT count(*) FROM commit_groups") == [(1,)]
    world.add_pool(1)
    assert service.draw(request, "server", 5).receipt.pool_id != taken.receipt.pool_id


def test_a_fence_is_the_callers_own(world):
    request_id = new_request_id()
    with writing(world.ledger) as connection:
        fence_request(connection, parse_request_id(request_id), "server-a")
    world.add_pool()
    service = world.service()
    assert service.draw(world.draw_request(request_id=request_id), "server-b", 5).receipt.slot == 0


def test_a_repeat_after_a_newer_version_gives_the_same_receipt(world):
    world.add_pool()
    service = world.service()
    done = every_kind_of_call(world, service)

    def pay_less(document):
        for bet in document["programs"][world.program]["settlement"]["bets"].values():
            bet["pays"] = "1"

    world.register_version(2, pay_less)
    assert_all_repeat(done, service)
    refused(
        "REQUEST_ID_REUSED",
        service.batch_draw,
        draw_pb2.BatchDrawRequest(**world.where(request_id=done[2][1].request_id, count=1)),
        "server",
        5,
    )


def test_a_repeat_after_a_version_that_no_longer_has_the_bet_gives_the_same_receipt(world):
    world.add_pool()
    service = world.service()
    done = every_kind_of_call(world, service)
    world.register_version(2, lambda document: document["programs"][world.program]["settlement"]["bets"].pop("red"))
    assert_all_repeat(done, service)


@pytest.mark.parametrize("named", [0, 1])
def test_a_repeat_after_retirement_gives_the_same_receipt(world, named):
    world.add_pool()
    service = world.service()
    request = world.draw_request(version=named, wager=wager())
    first = service.draw(request, "server", 5)
    world.retire(1)
    assert service.draw(request, "server", 5) == first
    refused("VERSION_RETIRED", service.draw, world.draw_request(version=1), "server", 5)
    with pytest.raises(NotFound):
        service.draw(world.draw_request(), "server", 5)
