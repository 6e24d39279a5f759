"""The client against an operator with a real public directory: honest answers pass, and each lie is caught."""

import json
from dataclasses import replace

import pytest
from client_world import CALLER, DICE, UNDER, OperatorService, ServedOperator, StillTime, serve

from anchor import canonical
from anchor.errors import VerificationError
from rng_service.client import BadReceiptError, Client, ClosedError, MemoryJournal, TicketedSession, Wager
from rng_service.log_entries import LogConfig
from rng_service.verify.receipt import verify_receipt

WAGER = Wager(100, "EUR", UNDER)


@pytest.fixture
def world(tmp_path):
    operator = ServedOperator(tmp_path)
    service = OperatorService(operator)
    server, target = serve(service)
    yield operator, service, target
    server.stop(None).wait()


def still(operator, time=None):
    """A machine whose clock is the operator's, and whose pauses take no time."""
    return (time or StillTime()).surroundings(now_us=lambda: operator.now_us)


def connect(world, **options):
    operator, _, target = world
    settings = {
        "caller": CALLER,
        "journal": MemoryJournal(),
        "development": True,
        "public": operator.directory,
        "vkey": operator.vkey,
        "verify": "inline",
        "surroundings": still(operator),
    }
    return Client(target, **(settings | options))


@pytest.fixture
def client(world):
    connected = connect(world)
    yield connected
    # Not `close`, which would raise the bad receipt once more.
    connected._release()


class ForkedOperator(ServedOperator):
    """The same keys, and a history in which the first entry says something else."""

    def on_entry(self, entry):
        return replace(entry, merge_delay_s=11) if isinstance(entry, LogConfig) else entry


class LateChainOperator(ServedOperator):
    """Announces its beacon chain only when it is told to."""

    def announce_chain(self):
        if self.published:
            super().announce_chain()

    def announce(self):
        self.announce_chain()
        self.publish()


def flip(data, place=-1):
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)


def test_a_draw_has_outcomes_payouts_and_labels_and_its_file_verifies_by_the_auditor(world, tmp_path):
    operator = world[0]
    with connect(world) as client:
        receipt = client.draw(*DICE, session="evening", wager=WAGER)
    (roll,) = receipt.outcomes[0]
    assert receipt.payouts_minor == ((198,) if roll < 5000 else (0,))
    assert receipt.session_sequence == 1
    assert receipt.protection.foreseen == "caller-seed"
    receipt.save(tmp_path / "kept" / "receipt.json")
    data = (tmp_path / "kept" / "receipt.json").read_bytes()
    assert data == receipt.to_bytes()
    assert verify_receipt(data, operator.source, operator.vkey).pending


def test_a_beacon_pool_verifies_and_its_receipts_say_that_the_beacon_is_the_operators_own(tmp_path):
    operator = ServedOperator(tmp_path, beacon=True)
    server, target = serve(OperatorService(operator))
    with connect((operator, None, target)) as client:
        receipt = client.draw(*DICE)
    server.stop(None).wait()
    assert receipt.protection.content == "beacon-unwitnessed"
    assert receipt.protection.development_beacon


def test_a_batch_gives_one_outcome_for_each_slot(world):
    with connect(world) as client:
        (receipt,) = client.batch_draw(*DICE, 5, wager=WAGER)
    assert len(receipt.outcomes) == receipt.count == len(receipt.payouts_minor) == 5


def test_a_ticketed_session_reserves_once_and_then_draws_with_one_call_each(world):
    service = world[1]
    with connect(world, verify="background") as client:
        session = TicketedSession(client, *DICE, session="evening")
        receipts = [session.draw(wager=WAGER) for _ in range(3)]
    assert [receipt.session_sequence for receipt in receipts] == [1, 2, 3]
    assert all(receipt.protection.assignment == "ticketed" for receipt in receipts)
    assert all(receipt.protection.foreseen == "fresh-seed" for receipt in receipts)
    assert session.ticket is not None
    assert len(service.answers) == 4


def _wrong_outcome(receipt):
    receipt.values[0] = (receipt.values[0] + 1) % 10_000


def _wrong_payout(receipt):
    receipt.payouts_minor[0] += 1


def _wrong_signature(receipt):
    receipt.opening.signature = flip(receipt.opening.signature)


def _short_signature(receipt):
    receipt.opening.signature = receipt.opening.signature[:-1]


def _wrong_slot_path(receipt):
    receipt.slot_path[0] = flip(receipt.slot_path[0])


def _missing_slot_path(receipt):
    del receipt.slot_path[:]


def _wrong_opening_place(receipt):
    receipt.opening.index, receipt.opening.size = 1, 2


def _wrong_secret(receipt):
    record = json.loads(receipt.record)
    record["secrets"] = flip(bytes.fromhex(record["secrets"])).hex()
    receipt.record = canonical.encode(record)


def _other_stake(receipt):
    record = json.loads(receipt.record)
    record["binding"]["stake_minor"] += 1
    receipt.record = canonical.encode(record)


def _foreign_member(receipt):
    record = json.loads(receipt.record)
    record["binding"]["lucky"] = True
    receipt.record = canonical.encode(record)


def _spaced_record(receipt):
    receipt.record = receipt.record.replace(b",", b", ", 1)


def _other_slot(receipt):
    receipt.slot += 1


def _other_commitment(receipt):
    receipt.commit_index = 0


def _better_labels(receipt):
    receipt.protection.assignment = "ticketed"


def _unknown_label(receipt):
    receipt.protection.content = "blessed"


def _bad_key_id(receipt):
    receipt.opening.key_id = receipt.opening.key_id.upper() + "zz"


LIES = [
    (_wrong_outcome, "outcome"),
    (_wrong_payout, "payouts"),
    (_wrong_signature, "opening-signature"),
    (_short_signature, "malformed"),
    (_wrong_slot_path, "slot-root"),
    (_missing_slot_path, "inclusion"),
    (_wrong_opening_place, "opening-path"),
    (_wrong_secret, "slot-root"),
    (_other_stake, "request-mismatch"),
    (_foreign_member, "malformed"),
    (_spaced_record, "malformed"),
    (_other_slot, "receipt-place"),
    (_other_commitment, "receipt-commit"),
    (_better_labels, "protection"),
    (_unknown_label, "malformed"),
    (_bad_key_id, "malformed"),
]


@pytest.mark.parametrize(("lie", "reason"), LIES, ids=[lie.__name__ for lie, _ in LIES])
def test_a_draw_that_is_wrong_in_one_place_raises_and_stops_the_client(world, lie, reason):
    service = world[1]
    seen = []
    service.tamper = lambda message: lie(message.receipt)
    client = connect(world, on_bad_receipt=seen.append)
    with pytest.raises(BadReceiptError) as caught:
        client.draw(*DICE, wager=WAGER)
    assert caught.value.reason == reason
    assert [error.reason for error in seen] == [reason]
    before = len(service.answers)
    with pytest.raises(BadReceiptError):
        client.draw(*DICE)
    assert len(service.answers) == before
    with pytest.raises(BadReceiptError):
        client.close()


def test_in_the_background_a_bad_receipt_surfaces_at_the_next_check_and_stops_drawing(world):
    service = world[1]
    service.tamper = lambda message: _wrong_signature(message.receipt)
    client = connect(world, verify="background")
    receipt = client.draw(*DICE)
    with pytest.raises(VerificationError, match="opening-signature") as caught:
        client.check()
    assert caught.value.request_id == receipt.request_id
    assert caught.value.evidence == receipt.to_bytes()
    with pytest.raises(BadReceiptError):
        client.draw(*DICE)
    with pytest.raises(BadReceiptError):
        client.close()


def test_a_callback_that_fails_does_not_hide_the_bad_receipt(world):
    service = world[1]
    service.tamper = lambda message: _wrong_outcome(message.receipt)

    def fail(_error):
        raise RuntimeError("the pager is broken")

    client = connect(world, verify="background", on_bad_receipt=fail)
    client.draw(*DICE)
    with pytest.raises(BadReceiptError, match="outcome"):
        client.close()


def test_an_answer_to_another_request_is_no_answer(world, client):
    service = world[1]
    lucky = client.draw(*DICE, wager=WAGER)
    kept = service.answers[lucky.request_id]
    service.tamper = lambda message: message.CopyFrom(kept)
    with pytest.raises(BadReceiptError, match="request-mismatch"):
        client.draw(*DICE, wager=WAGER)


def test_a_draw_that_ignores_the_callers_seed_is_refused(world):
    operator, service, _ = world
    real = operator.on_binding
    operator.on_binding = lambda kind, members: real(kind, members) | {"client_seed": "00" * 32}
    with pytest.raises(BadReceiptError, match="client_seed"), connect(world) as client:
        client.draw(*DICE)
    assert len(service.answers) == 1


def test_a_bet_that_was_exchanged_is_refused(world):
    operator = world[0]
    real = operator.on_binding
    other = {"bet": {"bet": "over", "threshold": 9000}}
    operator.on_binding = lambda kind, members: real(kind, members) | other
    with pytest.raises(BadReceiptError, match="bet of the record"), connect(world) as client:
        client.draw(*DICE, wager=WAGER)


def test_a_batch_with_too_few_outcomes_is_refused(world):
    service = world[1]
    service.tamper = lambda message: message.ClearField("receipts")
    with pytest.raises(BadReceiptError, match="0 outcomes, asked was for 3"), connect(world) as client:
        client.batch_draw(*DICE, 3)


def test_a_ticket_with_another_hash_is_refused_before_its_seed_is_shown(world):
    service = world[1]
    service.tamper = lambda message: setattr(message, "ticket_hash", bytes(32))
    with pytest.raises(BadReceiptError, match="ticket-hash"), connect(world) as client:
        TicketedSession(client, *DICE, session="evening").draw()
    assert len(service.answers) == 1


def test_a_ticket_that_nobody_signed_is_refused_before_its_seed_is_shown(world):
    service = world[1]
    service.tamper = lambda message: setattr(message.ticket.opening, "signature", bytes(64))
    client = connect(world, verify="background")
    with pytest.raises(BadReceiptError, match="opening-signature"):
        TicketedSession(client, *DICE, session="evening").draw()
    assert [type(answer).__name__ for answer in service.answers.values()] == ["ReserveResponse"]
    with pytest.raises(BadReceiptError):
        client.close()


def test_a_newer_receipt_key_is_read_from_the_log_when_it_is_first_used(world):
    operator = world[0]
    with connect(world) as client:
        client.draw(*DICE)
        operator.rotate_receipt_key()
        assert client.draw(*DICE).outcomes


def test_a_beacon_chain_that_is_announced_behind_the_commitment_is_refused(tmp_path):
    operator = LateChainOperator(tmp_path, beacon=True)
    operator.announce()
    server, target = serve(OperatorService(operator))
    with pytest.raises(BadReceiptError, match="beacon-chain"), connect((operator, None, target)) as client:
        client.draw(*DICE)
    server.stop(None).wait()


def test_a_log_that_was_rewritten_is_noticed(world, client, tmp_path_factory):
    operator = world[0]
    client.draw(*DICE)
    fork = ForkedOperator(tmp_path_factory.mktemp("fork"))
    fork.rotate_receipt_key()
    for path in fork.directory.rglob("*"):
        if path.is_file():
            target = operator.directory / path.relative_to(fork.directory)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    operator.receipt_key = fork.receipt_key
    with pytest.raises(BadReceiptError, match="consistency"):
        client.draw(*DICE)


def test_an_answer_with_fields_of_a_newer_service_is_read_as_before(world):
    service = world[1]
    # Field 1000, length-delimited: what a later version might add.
    newer = b"\xc2\x3e\x03new"

    def extend(message):
        message.ParseFromString(message.SerializeToString() + newer)

    service.tamper = extend
    with connect(world) as client:
        assert client.draw(*DICE).outcomes


def test_a_receipt_is_fetched_again_by_id_and_is_the_same(world):
    with connect(world) as client:
        receipt = client.draw(*DICE, wager=WAGER)
        again = client.get_receipt(receipt.request_id)
    assert [item.to_bytes() for item in again.receipts] == [receipt.to_bytes()]


def test_a_closed_client_says_so(world):
    client = connect(world)
    client.close()
    client.close()
    with pytest.raises(ClosedError):
        client.draw(*DICE)


def test_an_origin_that_contradicts_the_vkey_is_refused(world):
    with pytest.raises(ValueError, match="leave the origin out"):
        connect(world, origin="somebody/else")
