"""Settlements: one for each bettor and outcome, never against the paytable or the draw's own bet."""

import json
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from front_world import ORIGIN, seed, wager
from sealdraw.v1 import draw_pb2

from rng_service.encoding import OPENING_LABEL, lp
from rng_service.errors import FailedPrecondition, InvalidArgument, NotFound
from rng_service.games import payout
from rng_service.records.record import record_digest
from rng_service.request_id import new_request_id

FINAL, VOID = draw_pb2.SETTLEMENT_STATUS_FINAL, draw_pb2.SETTLEMENT_STATUS_VOID
RED = '{"bet":"red"}'


def bettor(name):
    return sha256(name.encode()).digest()


def settle_request(draw, **fields):
    defaults = {
        "request_id": new_request_id(),
        "draw_request_id": draw.request_id,
        "bettor": bettor("anna"),
        "stake_minor": 100,
        "currency": "EUR",
        "bet": RED,
        "status": FINAL,
    }
    return draw_pb2.SettleRequest(**defaults | fields)


def settle(service, draw, caller="server", **fields):
    return service.settle(settle_request(draw, **fields), caller, 5)


def binding_of(answer):
    return json.loads(answer.record)["binding"]


def refused_field(service, draw, **fields):
    with pytest.raises(InvalidArgument) as caught:
        settle(service, draw, **fields)
    return [field for field, _ in caught.value.violations]


def pays(world, receipt, item=0, stake=100, bet="red"):
    return payout(world.definition, world.program, bet, stake, (receipt.values[item],))


@pytest.fixture
def service(world):
    world.add_pool()
    return world.service()


@pytest.fixture
def open_draw(world, service):
    """A draw without a bet of its own: (request, receipt)."""
    request = world.draw_request(client_seed=seed())
    return request, service.draw(request, "server", 5).receipt


def test_many_bettors_are_settled_on_one_outcome_each_once(world, service, open_draw):
    draw, receipt = open_draw
    due = pays(world, receipt)
    for name in ("anna", "berta", "carl"):
        answer = settle(service, draw, bettor=bettor(name), payout_minor=due)
        said = binding_of(answer)
        assert (said["status"], said["payout_minor"], said["bettor"]) == ("final", due, bettor(name).hex())
        assert (said["pool"], said["slot"]) == (receipt.pool_id, receipt.slot)
        assert said["draw"] == record_digest(receipt.record).hex()
    assert refused_field(service, draw, bettor=bettor("anna"), payout_minor=due) == ["bettor"]
    assert world.rows("SELECT count(*) FROM settlements") == [(3,)]
    assert world.rows("SELECT count(*) FROM requests") == [(4,)]


def test_one_bettor_settled_at_once_under_two_ids_gets_one_settlement(world, service, open_draw):
    draw, receipt = open_draw
    due = pays(world, receipt)
    fronts = [service, world.another_front()]

    def attempt(number):
        try:
            return settle(fronts[number % 2], draw, payout_minor=due)
        except InvalidArgument as error:
            return error

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(attempt, range(8)))
    assert sum(isinstance(answer, draw_pb2.SettleResponse) for answer in answers) == 1
    assert world.rows("SELECT count(*) FROM records WHERE kind = 'settle'") == [(1,)]


def test_a_settlement_is_signed_by_the_vault(world, service, open_draw):
    draw, receipt = open_draw
    answer = settle(service, draw, payout_minor=pays(world, receipt))
    assert (answer.opening.size, list(answer.opening.path)) == (1, [])
    key = Ed25519PublicKey.from_public_bytes(world.core.receipt_keys.current.public_key)
    key.verify(answer.opening.signature, OPENING_LABEL + lp(ORIGIN.encode()) + record_digest(answer.record))


@pytest.mark.parametrize("off", [-1, 1])
def test_a_payout_that_the_paytable_does_not_give_is_refused(world, service, open_draw, off):
    draw, receipt = open_draw
    due = pays(world, receipt)
    if due + off >= 0:
        assert refused_field(service, draw, payout_minor=due + off) == ["payout_minor"]
    assert settle(service, draw, payout_minor=due).record


def test_a_final_settlement_needs_a_bet_that_the_program_has(world, service, open_draw):
    draw, _ = open_draw
    assert refused_field(service, draw, bet="") == ["bet"]
    assert refused_field(service, draw, bet='{"bet":"purple"}') == ["bet.bet"]


def test_a_void_settlement_gives_the_stake_back_with_a_reason_and_no_bet(world, service, open_draw):
    draw, _ = open_draw
    assert refused_field(service, draw, status=VOID, bet="") == ["reason"]
    assert refused_field(service, draw, status=VOID, bet="", reason="table-closed", payout_minor=1) == ["payout_minor"]
    assert refused_field(service, draw, reason="table-closed") == ["reason"]
    said = binding_of(settle(service, draw, status=VOID, bet="", reason="table-closed"))
    assert (said["status"], said["reason"], said["payout_minor"], "bet" in said) == ("void", "table-closed", 0, False)
    assert refused_field(service, draw, status=VOID, bet="", reason="table-closed") == ["bettor"]


def test_settling_a_draw_with_its_own_bet_only_confirms_it(world, service):
    request = world.draw_request(wager=wager(250))
    receipt = service.draw(request, "server", 5).receipt
    (due,) = receipt.payouts_minor
    right = {"stake_minor": 250, "payout_minor": due, "bet": ""}
    assert refused_field(service, request, **right | {"stake_minor": 251}) == ["stake_minor"]
    assert refused_field(service, request, **right | {"currency": "USD"}) == ["currency"]
    assert refused_field(service, request, **right | {"payout_minor": due + 1}) == ["payout_minor"]
    assert refused_field(service, request, **right | {"bet": '{"bet":"black"}'}) == ["bet"]
    assert refused_field(service, request, **right | {"status": VOID, "reason": "x", "payout_minor": 0}) == ["status"]
    assert binding_of(settle(service, request, **right))["status"] == "confirm"
    # An auditor's export refuses a bettor that stands twice, confirmed or not.
    assert refused_field(service, request, **right) == ["bettor"]
    # One stake has one bettor: a second token would be a second claim to the same win.
    assert refused_field(service, request, **right, bettor=b"2" * 32) == ["bettor"]


def test_items_count_over_all_receipts_of_a_batch(world, service):
    world.set_state(world.rows("SELECT pool_id FROM pools")[0][0], "quarantined")
    world.add_pool(2)
    world.add_pool(5)
    request = world.batch_request(5)
    receipts = service.batch_draw(request, "server", 5).receipts
    assert [receipt.count for receipt in receipts] == [2, 3]
    places = [(receipt, item) for receipt in receipts for item in range(receipt.count)]
    for number, (receipt, item) in enumerate(places):
        said = binding_of(settle(service, request, item=number, payout_minor=pays(world, receipt, item)))
        assert (said["pool"], said["slot"]) == (receipt.pool_id, receipt.slot + item)
        assert said["draw"] == record_digest(receipt.record).hex()
    with pytest.raises(NotFound, match="item"):
        settle(service, request, item=5)


def test_only_draws_of_the_caller_can_be_settled(world, service, open_draw):
    draw, receipt = open_draw
    with pytest.raises(NotFound):
        settle(service, draw, caller="server-b", payout_minor=pays(world, receipt))
    with pytest.raises(NotFound):
        settle(service, world.draw_request())
    ticket = world.reserve_request(seed())
    service.reserve(ticket, "server", 5)
    with pytest.raises(NotFound):
        settle(service, ticket)
    fenced = world.draw_request()
    service.resolve_request(draw_pb2.ResolveRequestRequest(request_id=fenced.request_id), "server", 5)
    with pytest.raises(NotFound):
        settle(service, fenced)


def test_a_settlement_repeats_and_refuses_other_fields(world, service, open_draw):
    draw, receipt = open_draw
    due = pays(world, receipt)
    request = settle_request(draw, payout_minor=due)
    first = service.settle(request, "server", 5)
    assert service.settle(request, "server", 5) == first
    for change in ({"bettor": bettor("x")}, {"currency": "USD"}):
        with pytest.raises(FailedPrecondition) as caught:
            settle(service, draw, request_id=request.request_id, payout_minor=due, **change)
        assert caught.value.reason == "REQUEST_ID_REUSED"


def test_a_settlement_takes_no_slot_and_no_number_of_the_session(world, service):
    request = world.draw_request(session="s")
    receipt = service.draw(request, "server", 5).receipt
    settle(service, request, payout_minor=pays(world, receipt))
    following = service.draw(world.draw_request(session="s"), "server", 5)
    assert (following.receipt.slot, following.session_sequence) == (1, 2)


def test_a_draw_of_a_retired_version_can_still_be_settled(world, service, open_draw):
    draw, receipt = open_draw
    world.retire(1)
    assert settle(service, draw, payout_minor=pays(world, receipt)).record


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("request_id", ""),
        ("draw_request_id", "0190b5a4-7b1c-4e2f-8a3d-5f6e7d8c9b0a"),
        ("bettor", bytes(31)),
        ("bettor", bytes(33)),
        ("stake_minor", 0),
        ("stake_minor", 2**53),
        ("payout_minor", 2**53),
        ("currency", "eur"),
        ("currency", ""),
        ("bet", " " * 4_097),
        ("status", draw_pb2.SETTLEMENT_STATUS_UNSPECIFIED),
        ("status", 7),
    ],
)
def test_each_wrong_field_is_named(sqlite_world, field, value):
    sqlite_world.add_pool(1)
    service = sqlite_world.service()
    assert refused_field(service, sqlite_world.draw_request(), **{field: value}) == [field]


@pytest.fixture
def staked_draw(world, service):
    """A draw with a stake and no bet: its bettor decides in sight of the outcome."""
    request = world.draw_request(client_seed=seed(), wager=wager(100, bet=""))
    return request, service.draw(request, "server", 5).receipt


@pytest.mark.parametrize("status", [FINAL, VOID])
@pytest.mark.parametrize(("field", "value"), [("stake_minor", 101), ("currency", "USD")])
def test_a_stake_that_the_draw_fixed_is_settled_as_it_stands(world, service, staked_draw, status, field, value):
    draw, receipt = staked_draw
    settled = {"payout_minor": pays(world, receipt)} if status == FINAL else {"reason": "table-closed"}
    assert refused_field(service, draw, status=status, **settled | {field: value}) == [field]
    settle(service, draw, status=status, **settled)


def test_a_stake_that_the_draw_fixed_has_one_bettor(world, service, staked_draw):
    draw, receipt = staked_draw
    due = pays(world, receipt)
    requests = [settle_request(draw, bettor=bettor(str(name)), payout_minor=due) for name in range(8)]

    def attempt(request):
        try:
            return service.settle(request, "server", 5)
        except InvalidArgument as error:
            return error.violations[0][0]

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(attempt, requests))
    assert answers.count("bettor") == 7
    assert world.rows("SELECT count(*) FROM settlements") == [(1,)]
    winner = next(index for index, answer in enumerate(answers) if answer != "bettor")
    assert service.settle(requests[winner], "server", 5) == answers[winner]


def test_each_outcome_of_a_batch_with_a_stake_is_settled_by_itself(world, service):
    request = world.batch_request(3, wager=wager(100, bet=""))
    (receipt,) = service.batch_draw(request, "server", 5).receipts
    for item in range(3):
        settle(service, request, item=item, payout_minor=pays(world, receipt, item))
    assert refused_field(service, request, bettor=bettor("berta"), item=1, payout_minor=pays(world, receipt, 1)) == [
        "bettor"
    ]
