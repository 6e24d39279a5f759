"""Settlements: what the service records is of this draw, this bettor and this paytable, or it is a bad receipt."""

import pytest
from client_world import CALLER, DICE, UNDER, OperatorService, ServedOperator, StillTime, serve

from rng_service.client import BadReceiptError, Client, JournalEntry, MemoryJournal, NotFound, Wager
from rng_service.client.expectation import serialize

WAGER = Wager(100, "EUR", UNDER)
BETTOR = b"b" * 32


@pytest.fixture
def world(tmp_path):
    operator = ServedOperator(tmp_path)
    service = OperatorService(operator)
    server, target = serve(service)
    yield operator, service, target
    server.stop(None).wait()


def connect(world, **options):
    operator, _, target = world
    settings = {
        "caller": CALLER,
        "journal": MemoryJournal(),
        "development": True,
        "public": operator.directory,
        "vkey": operator.vkey,
        "verify": "inline",
        "surroundings": StillTime().surroundings(now_us=lambda: operator.now_us),
    }
    return Client(target, **(settings | options))


@pytest.fixture
def client(world):
    connected = connect(world)
    yield connected
    # Not `close`, which would raise the bad receipt once more.
    connected._release()


def pays(receipt, item=0):
    """What 100 on UNDER pays for an outcome."""
    (roll,) = receipt.outcomes[item]
    return 198 if roll < 5000 else 0


def settle(client, draw, receipt=None, item=0, **changes):
    receipt = receipt or draw
    report = {
        "bettor": BETTOR,
        "stake_minor": 100,
        "payout_minor": pays(receipt, item),
        "currency": "EUR",
        "bet": UNDER,
    }
    return client.settle(draw, item=item, **(report | changes))


def test_an_outcome_is_settled_by_its_receipt_and_by_its_request_id(client):
    draw = client.draw(*DICE)
    by_receipt = settle(client, draw)
    by_id = settle(client, draw.request_id, draw, bettor=b"c" * 32)
    for settlement in (by_receipt, by_id):
        assert settlement.record.binding["draw"] == draw.record.digest.hex()
        assert settlement.record.binding["status"] == "final"


def test_each_outcome_of_a_batch_is_settled_at_its_own_slot(client):
    (draw,) = client.batch_draw(*DICE, 4)
    slots = [settle(client, draw, item=item).record.binding["slot"] for item in range(4)]
    assert slots == [draw.slot + item for item in range(4)]


def test_a_draw_with_its_own_bet_is_confirmed_and_a_stake_can_be_given_back(client):
    own, open_draw = client.draw(*DICE, wager=WAGER), client.draw(*DICE)
    assert settle(client, own, payout_minor=own.payouts_minor[0]).record.binding["status"] == "confirm"
    voided = settle(client, open_draw, payout_minor=0, bet="", status="void", reason="table-closed")
    assert voided.record.binding["status"] == "void"


def test_a_settlement_of_a_draw_that_nobody_made_is_not_sent(world):
    class Unknown(OperatorService):
        def GetReceipt(self, request, context):  # noqa: N802
            import grpc

            context.abort(grpc.StatusCode.NOT_FOUND, "no request of this caller has this id")

    operator, service, _ = world
    stricter = Unknown(operator)
    server, target = serve(stricter)
    with connect((operator, service, target)) as client, pytest.raises(NotFound):
        settle(client, "018bcfe5-68f8-7000-8000-000000000000", client.draw(*DICE))
    server.stop(None).wait()
    assert len(stricter.answers) == 1


def test_a_settlement_that_a_crash_left_open_is_held_against_its_draw_when_it_is_resolved(world):
    journal = MemoryJournal()
    with connect(world, journal=journal) as client:
        draw = client.draw(*DICE)
        made = settle(client, draw)
    request = world[1].requests[made.request_id]
    journal.begin(JournalEntry(made.request_id, "Settle", serialize(request)))
    with connect(world, journal=journal) as again:
        (found,) = again.recovered
    assert found.settlement.record_bytes == made.record_bytes
    world[1].draws[draw.request_id] = None
    journal.begin(JournalEntry(made.request_id, "Settle", serialize(request)))
    other = connect(world, journal=MemoryJournal())
    second = other.draw(*DICE)
    world[1].answers[draw.request_id] = world[1].answers[second.request_id]
    other.close()
    with pytest.raises(BadReceiptError, match="request-mismatch"):
        connect(world, journal=journal)


LIES = [
    ({"draw": "00" * 32}, "settlement-draw"),
    ({"slot": 63}, "settlement-draw"),
    ({"pool": "dev/dice-99/1/base/real/0/2"}, "settlement-draw"),
    ({"bettor": "00" * 32}, "request-mismatch"),
    ({"stake_minor": 101}, "request-mismatch"),
    ({"payout_minor": 1}, "request-mismatch"),
    ({"currency": "USD"}, "request-mismatch"),
    ({"caller": "other"}, "request-mismatch"),
    ({"request": "00" * 32}, "request-mismatch"),
    ({"payload": "00" * 32}, "request-mismatch"),
    ({"reason": "why-not"}, "request-mismatch"),
    ({"bet": {"bet": "over", "threshold": 9000}}, "request-mismatch"),
    ({"status": "confirm"}, "settlement-status"),
    ({"status": "void"}, "settlement-status"),
]


@pytest.mark.parametrize(("lie", "reason"), LIES, ids=[f"{next(iter(lie))}-{reason}" for lie, reason in LIES])
def test_a_settlement_that_is_wrong_in_one_member_stops_the_client(world, client, lie, reason):
    operator = world[0]
    draw = client.draw(*DICE)
    real = operator.on_binding
    operator.on_binding = lambda kind, members: real(kind, members) | lie
    with pytest.raises(BadReceiptError) as caught:
        settle(client, draw)
    assert caught.value.reason == reason
    with pytest.raises(BadReceiptError):
        client.draw(*DICE)


def test_a_settlement_that_is_dated_before_its_draw_is_refused(world, client):
    operator = world[0]
    draw = client.draw(*DICE)
    real = operator.on_binding
    operator.on_binding = lambda kind, members: real(kind, members) | {"bind_time": members["bind_time"] - 1}
    with pytest.raises(BadReceiptError, match=r"settlement-draw.*before its draw"):
        settle(client, draw)


def test_a_settlement_of_another_draw_is_refused(world, client):
    service = world[1]
    first, second = client.draw(*DICE), client.draw(*DICE)
    service.draws[second.request_id] = service.draws[first.request_id]
    with pytest.raises(BadReceiptError, match="settlement-draw"):
        settle(client, second)


@pytest.mark.parametrize(
    "changes",
    [{"payout_minor": 1_000_000}, {"bet": "", "payout_minor": 0}],
    ids=["more than the paytable", "no bet at all"],
)
def test_a_final_settlement_that_the_paytable_does_not_pay_is_refused_even_if_it_was_asked_for(client, changes):
    draw = client.draw(*DICE)
    with pytest.raises(BadReceiptError, match="settlement-amount"):
        settle(client, draw, **changes)


@pytest.mark.parametrize("changes", [{"stake_minor": 99}, {"payout_minor": 7}, {"currency": "USD"}])
def test_a_confirmation_of_other_amounts_than_the_draws_is_refused(client, changes):
    draw = client.draw(*DICE, wager=WAGER)
    with pytest.raises(BadReceiptError, match="settlement-amount"):
        settle(client, draw, **({"payout_minor": draw.payouts_minor[0]} | changes))


@pytest.mark.parametrize(
    ("changes", "reason"), [({"payout_minor": 5, "reason": "x"}, "settlement-amount"), ({}, "settlement-amount")]
)
def test_a_void_that_pays_or_gives_no_reason_is_refused(world, client, changes, reason):
    operator = world[0]
    draw = client.draw(*DICE)
    real = operator.on_binding

    def unexplained(kind, members):
        made = real(kind, members)
        if not made.get("reason"):
            made.pop("reason", None)
        return made

    operator.on_binding = unexplained
    with pytest.raises(BadReceiptError, match=reason):
        settle(client, draw, **({"bet": "", "payout_minor": 0, "status": "void"} | changes))


def test_a_settlement_whose_signature_is_wrong_is_refused(world, client):
    service = world[1]
    draw = client.draw(*DICE)
    service.tamper = lambda message: setattr(message.opening, "signature", bytes(64))
    with pytest.raises(BadReceiptError, match="opening-signature"):
        settle(client, draw)
