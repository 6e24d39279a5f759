"""The client against the real front on a real ledger and vault: the fake must not be the only one it agrees with."""

from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from time import time_ns
from types import SimpleNamespace

import grpc
import pytest
from client_world import CALLER, StillTime, roulette
from front_world import ORIGIN, FrontWorld
from sealdraw.v1 import draw_pb2

from rng_service.client import (
    Client,
    FailedPrecondition,
    InvalidArgument,
    MemoryJournal,
    NotFound,
    RetryPolicy,
    TicketedSession,
    Unavailable,
    Wager,
)
from rng_service.client.checks import check_settlement
from rng_service.client.expectation import expected_of
from rng_service.fake import FakeServer
from rng_service.front.status import abort
from rng_service.games import payout
from rng_service.request_id import new_request_id

GAME = ("european-roulette", "base")
RED = Wager(100, "EUR", '{"bet":"red"}')
REQUESTS = {
    "Reserve": draw_pb2.ReserveRequest,
    "Draw": draw_pb2.DrawRequest,
    "BatchDraw": draw_pb2.BatchDrawRequest,
    "Settle": draw_pb2.SettleRequest,
    "ResolveRequest": draw_pb2.ResolveRequestRequest,
    "GetReceipt": draw_pb2.GetReceiptRequest,
}
HANDLERS = {
    "Reserve": "reserve",
    "Draw": "draw",
    "BatchDraw": "batch_draw",
    "Settle": "settle",
    "ResolveRequest": "resolve_request",
    "GetReceipt": "get_receipt",
}


def serve_front(service):
    def method(name):
        def call(request, context):
            try:
                return getattr(service, HANDLERS[name])(request, CALLER, 5.0)
            except Exception as error:  # noqa: BLE001 - as the front does
                return abort(context, error)

        return grpc.unary_unary_rpc_method_handler(
            call, REQUESTS[name].FromString, lambda message: message.SerializeToString()
        )

    server = grpc.server(ThreadPoolExecutor(4))
    handlers = {name: method(name) for name in REQUESTS}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("sealdraw.v1.DrawService", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, f"127.0.0.1:{port}"


@pytest.fixture(params=["front", "fake"])
def client(request, tmp_path):
    """A client of the real front, and one of the fake: every test must see the same."""
    time = StillTime()
    options = {
        "caller": CALLER,
        "journal": MemoryJournal(),
        "development": True,
        "verify": "off",
        "surroundings": time.surroundings(),
        "retry": RetryPolicy(attempts=2),
    }
    if request.param == "fake":
        with FakeServer([roulette()], pool_size=64) as fake, Client(fake.target, origin=fake.origin, **options) as made:
            yield made
        return
    world = FrontWorld(tmp_path)
    world.add_pool(64)
    world.add_pool(64)
    server, target = serve_front(world.service())
    with Client(target, origin=ORIGIN, **options) as made:
        yield made
    server.stop(None).wait()
    world.close()


def test_draws_of_every_kind_are_answered_and_numbered_alike(client):
    one = client.draw(*GAME, session="evening", wager=RED)
    session = TicketedSession(client, *GAME, session="evening")
    receipts = [session.draw(wager=RED) for _ in range(3)]
    batch = client.batch_draw(*GAME, 3, session="evening", wager=RED)
    assert [receipt.session_sequence for receipt in (one, *receipts, *batch)] == [1, 2, 3, 4, 6]
    assert [receipt.slot for receipt in (one, *receipts, *batch)] == [0, 1, 2, 3, 5]
    assert all(len(receipt.payouts_minor) == receipt.count for receipt in (one, *receipts, *batch))
    assert receipts[0].file.ticket is not None


def test_a_repeat_a_resolution_and_a_receipt_asked_for_later_are_the_same_bytes(client):
    request_id = new_request_id()
    first = client.draw(*GAME, client_seed=b"s" * 32, wager=RED, request_id=request_id)
    again = client.draw(*GAME, client_seed=b"s" * 32, wager=RED, request_id=request_id)
    (resolved,) = client.resolve(request_id).receipts
    (kept,) = client.get_receipt(request_id).receipts
    assert first.to_bytes() == again.to_bytes() == resolved.to_bytes() == kept.to_bytes()


def test_a_batch_over_the_end_of_a_pool_has_two_receipts(client):
    receipts = client.batch_draw(*GAME, 70)
    assert [(receipt.slot, receipt.count) for receipt in receipts] == [(0, 64), (0, 6)]


def test_a_settlement_is_recorded_and_a_wrong_one_is_refused(client):
    draw = client.draw(*GAME)
    (number,) = draw.outcomes[0]
    report = {"bettor": sha256(b"b").digest(), "stake_minor": 10, "currency": "EUR"}
    bet = f'{{"bet":"straight","numbers":[{number}]}}'
    with pytest.raises(InvalidArgument) as caught:
        client.settle(draw, payout_minor=359, bet=bet, **report)
    assert [field for field, _ in caught.value.violations] == ["payout_minor"]
    settled = client.settle(draw, payout_minor=360, bet=bet, **report)
    assert settled.record.binding["draw"] == draw.record.digest.hex()


@pytest.mark.parametrize(
    ("reason", "provoke"),
    [
        ("REQUEST_ID_REUSED", lambda client: client.draw(*GAME, session="other", request_id=_used(client))),
        ("STALE_REQUEST_ID", lambda client: client.draw(*GAME, request_id=new_request_id(1_000))),
        ("FENCED", lambda client: client.draw(*GAME, request_id=_fenced(client))),
        ("SEED_MISMATCH", lambda client: _draw_on(client, seed=b"x" * 32)),
        ("TICKET_EXPIRED", lambda client: _draw_on(client, twice=True)),
    ],
)
def test_requests_that_can_never_succeed_say_why(client, reason, provoke):
    with pytest.raises(FailedPrecondition) as caught:
        provoke(client)
    assert caught.value.reason == reason


def test_what_is_not_there_is_not_found_and_what_is_wrong_is_named_by_field(client):
    with pytest.raises(NotFound):
        client.draw("baccarat", "base")
    with pytest.raises(NotFound):
        client.get_receipt(new_request_id())
    with pytest.raises(InvalidArgument) as caught:
        client.batch_draw(*GAME, 0, session="a b", wager=Wager(0, "euro"))
    fields = {field for field, _ in caught.value.violations}
    assert fields == {"count", "session", "wager.stake_minor", "wager.currency"}


def test_pools_that_are_used_up_leave_nothing_behind_and_name_a_pause(tmp_path):
    world = FrontWorld(tmp_path)
    world.add_pool(2)
    server, target = serve_front(world.service())
    time, journal = StillTime(), MemoryJournal()
    with Client(
        target,
        caller=CALLER,
        journal=journal,
        development=True,
        origin=ORIGIN,
        verify="off",
        surroundings=time.surroundings(),
        retry=RetryPolicy(attempts=3),
    ) as client:
        client.batch_draw(*GAME, 2)
        with pytest.raises(Unavailable) as caught:
            client.draw(*GAME)
    assert caught.value.reason == "POOLS_EXHAUSTED"
    assert time.pauses == [caught.value.retry_after_ms / 1_000] * 2
    assert journal.pending() == []
    server.stop(None).wait()
    world.close()


def _used(client):
    return client.draw(*GAME).request_id


def _fenced(client):
    request_id = new_request_id()
    assert not client.resolve(request_id).bound
    return request_id


def _draw_on(client, *, seed=None, twice=False):
    ticket = client.reserve(*GAME)
    if seed is not None:
        ticket = type(ticket)(ticket.receipt, ticket.hash, ticket.expires_us, seed)
    client.draw(*GAME, ticket=ticket)
    if twice:
        client.draw(*GAME, ticket=ticket)


def watch(client):
    """Return the journal entries of all requests from here on, by their ids."""
    kept, begin = {}, client._journal.begin

    def keep(entry):
        kept[entry.request_id] = entry
        begin(entry)

    client._journal.begin = keep
    return kept


@pytest.mark.parametrize("bet", ["", '{"bet":"red"}', '{ "numbers": [ 7 ], "bet": "straight" }'])
def test_payload_hashes_and_times_are_those_that_the_client_expects(client, bet):
    kept = watch(client)
    wager, tags = Wager(100, "EUR", bet), {"player": "p-7", "brand": "north"}
    ticket = client.reserve(*GAME, session="evening", tags=tags)
    receipt, following = client.draw_and_reserve(*GAME, session="evening", ticket=ticket, wager=wager, tags=tags)
    one = client.draw(*GAME, version=1, wager=wager)
    plain = client.draw(*GAME, client_seed=b"")
    batch = client.batch_draw(*GAME, 70, session="evening", wager=wager)
    game = roulette()

    def check(answer, part):
        expected = expected_of(kept[answer.request_id], CALLER, time_ns() // 1_000)
        expectation = getattr(expected, part)
        expectation.check(answer.record)
        expectation.check_game(answer.record, game)

    for answer in (receipt, one, plain, *batch):
        check(answer, "draw")
    for answer in (ticket.receipt, following.receipt):
        check(answer, "ticket")


@pytest.mark.parametrize("own_bet", [True, False])
def test_settlements_hold_against_their_draw(client, own_bet, monkeypatch):
    # There is no log here that would announce the key; other tests check signatures.
    monkeypatch.setattr("rng_service.client.checks.check_opening", lambda *_: None)
    kept = watch(client)
    (first, second) = client.batch_draw(*GAME, 70, wager=RED if own_bet else None)
    assert (first.first_item, second.first_item) == (0, 64)
    game = roulette()
    for receipt, item in ((first, 3), (second, 66)):
        (number,) = receipt.outcomes[item - receipt.first_item]
        pays = payout(game, "base", {"bet": "red"}, 100, (number,))
        settled = client.settle(
            receipt, item=item, bettor=b"b" * 32, stake_minor=100, payout_minor=pays, currency="EUR", bet=RED.bet
        )
        expectation = expected_of(kept[settled.request_id], CALLER, time_ns() // 1_000).settlement
        check_settlement(settled, expectation, (first, second), ORIGIN, OfflineFacts(game))
        assert settled.record.binding["status"] == ("confirm" if own_bet else "final")


class OfflineFacts:
    """The facts that a settlement needs, of a service without a public log."""

    def __init__(self, game):
        self._pool = SimpleNamespace(
            game=game,
            evaluator=SimpleNamespace(
                payouts=lambda bet, stake, outcomes: [payout(game, "base", bet, stake, one) for one in outcomes]
            ),
        )

    def pool(self, *_place):
        return self._pool

    def receipt_key(self, *_key):
        return b""
