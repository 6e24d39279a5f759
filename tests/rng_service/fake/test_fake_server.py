"""The fake: outcomes on demand, the rules of the real service, and no way to be mistaken for it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from sealdraw.v1 import draw_pb2, draw_pb2_grpc, types_pb2

from rng_service.client import (
    Client,
    FailedPrecondition,
    InvalidArgument,
    MemoryJournal,
    NotFound,
    PermissionDenied,
    RetryPolicy,
    Surroundings,
    TicketedSession,
    Unavailable,
    Wager,
)
from rng_service.errors import ConfigError
from rng_service.errors import NotFound as NotFoundHere
from rng_service.fake import FakeServer, play_script
from rng_service.fake.__main__ import main
from rng_service.games import GameError, load_game
from rng_service.records.receipt import parse_receipt
from rng_service.request_id import new_request_id

ROOT = Path(__file__).parents[3]
GAMES = ROOT / "games"
ROULETTE = ("european-roulette", "base")
RED = Wager(100, "EUR", '{"bet":"red"}')


def load(*names):
    return [load_game(GAMES / f"{name}.json") for name in names]


@pytest.fixture
def fake():
    with FakeServer(load("european-roulette", "fruit-lines", "keno-80")) as server:
        yield server


def connect(fake, **options):
    settings = {
        "caller": "casino",
        "journal": MemoryJournal(),
        "development": True,
        "origin": fake.origin,
        "verify": "off",
        "retry": RetryPolicy(attempts=2),
        "surroundings": Surroundings(sleep=lambda _seconds: None),
    }
    return Client(fake.target, **(settings | options))


@pytest.fixture
def client(fake):
    with connect(fake) as connected:
        yield connected


def test_forced_outcomes_come_in_order_and_are_paid_by_the_paytable(fake, client):
    fake.force(*ROULETTE, [[1], [2], [0]])
    receipts = [client.draw(*ROULETTE, wager=RED) for _ in range(3)]
    assert [receipt.outcomes for receipt in receipts] == [[(1,)], [(2,)], [(0,)]]
    assert [receipt.payouts_minor for receipt in receipts] == [(200,), (0,), (0,)]


def test_a_batch_takes_as_many_forced_outcomes_as_there_are_and_draws_the_rest(fake, client):
    fake.force(*ROULETTE, [[3], [4]])
    (receipt,) = client.batch_draw(*ROULETTE, 4)
    assert receipt.outcomes[:2] == [(3,), (4,)]
    assert all(0 <= number <= 36 for (number,) in receipt.outcomes)


def test_a_ticket_gets_the_outcome_that_is_forced_when_it_is_drawn(fake, client):
    session = TicketedSession(client, *ROULETTE, session="evening")
    session.draw()
    fake.force(*ROULETTE, [[36]])
    assert session.draw().outcomes == [(36,)]


def test_unforced_outcomes_follow_from_the_seed_and_nothing_else():
    def play(seed):
        with FakeServer(load("european-roulette"), seed=seed) as fake, connect(fake) as client:
            return [
                number
                for receipt in client.batch_draw(*ROULETTE, 50, client_seed=b"")
                for (number,) in receipt.outcomes
            ]

    assert play(b"one") == play(b"one") != play(b"two")


@pytest.mark.parametrize(
    ("game", "outcome"),
    [
        ("european-roulette", [37]),
        ("european-roulette", [-1]),
        ("european-roulette", [1, 2]),
        ("fruit-lines", [0, 0, 0, 0, 10_000]),
        ("keno-80", [5] * 20),
        ("keno-80", list(range(61, 81))),
    ],
)
def test_an_outcome_that_the_game_could_never_have_is_refused(fake, game, outcome):
    with pytest.raises(ValueError, match=r"cannot yield|integers here"):
        fake.force(game, "base", [outcome])


def test_possible_outcomes_of_every_kind_of_step_are_taken(fake, client):
    fake.force("keno-80", "base", [list(range(19, -1, -1))])
    fake.force("fruit-lines", "base", [[0, 1, 2, 3, 4]])
    assert client.draw("keno-80", "base").outcomes == [tuple(range(19, -1, -1))]
    assert client.draw("fruit-lines", "base").outcomes == [(0, 1, 2, 3, 4)]


def test_an_outcome_for_a_game_or_program_that_is_not_there_is_refused(fake):
    with pytest.raises(NotFoundHere, match="not registered"):
        fake.force("baccarat", "base", [[1]])
    with pytest.raises(GameError, match="no program"):
        fake.force("european-roulette", "bonus", [[1]])


def test_every_receipt_says_that_it_protects_from_nothing_and_is_of_a_fake(client):
    session = TicketedSession(client, *ROULETTE, session="evening")
    for receipt in (client.draw(*ROULETTE), session.draw()):
        labels = receipt.protection
        assert (labels.content, labels.assignment, labels.foreseen) == ("none", "steerable", "operator-foreseeable")
        assert parse_receipt(receipt.to_bytes()).origin == "fake/dev"
        assert receipt.pool_id.startswith("dev/european-roulette/")


def test_a_repeat_gives_the_same_receipt_and_another_request_under_the_id_is_refused(client):
    request_id = new_request_id()
    first = client.draw(*ROULETTE, client_seed=b"", request_id=request_id)
    again = client.draw(*ROULETTE, client_seed=b"", request_id=request_id)
    assert first.to_bytes() == again.to_bytes()
    with pytest.raises(FailedPrecondition) as caught:
        client.draw(*ROULETTE, client_seed=b"s" * 16, request_id=request_id)
    assert caught.value.reason == "REQUEST_ID_REUSED"


def test_callers_have_their_own_ids_and_tickets(fake, client):
    request_id = new_request_id()
    with connect(fake, caller="other") as other:
        ours = client.draw(*ROULETTE, client_seed=b"", request_id=request_id)
        theirs = other.draw(*ROULETTE, client_seed=b"", request_id=request_id)
        assert ours.slot != theirs.slot
        ticket = client.reserve(*ROULETTE)
        with pytest.raises(NotFound):
            other.draw(*ROULETTE, ticket=ticket)


def test_a_ticket_is_drawn_once_with_its_own_seed_in_its_own_session(client):
    ticket = client.reserve(*ROULETTE, session="evening")
    wrong = type(ticket)(ticket.receipt, ticket.hash, ticket.expires_us, b"x" * 32)
    with pytest.raises(FailedPrecondition) as caught:
        client.draw(*ROULETTE, session="evening", ticket=wrong)
    assert caught.value.reason == "SEED_MISMATCH"
    with pytest.raises(InvalidArgument, match="session"):
        client.draw(*ROULETTE, session="morning", ticket=ticket)
    with pytest.raises(InvalidArgument, match="ticket_hash"):
        client.draw("keno-80", "base", session="evening", ticket=ticket)
    assert client.draw(*ROULETTE, session="evening", ticket=ticket).outcomes
    with pytest.raises(FailedPrecondition) as caught:
        client.draw(*ROULETTE, session="evening", ticket=ticket)
    assert caught.value.reason == "TICKET_EXPIRED"


def test_a_pool_that_ends_within_a_batch_gives_a_second_receipt():
    with FakeServer(load("european-roulette"), pool_size=4) as fake, connect(fake) as client:
        client.draw(*ROULETTE)
        receipts = client.batch_draw(*ROULETTE, 6)
    assert [(receipt.slot, receipt.count) for receipt in receipts] == [(1, 3), (0, 3)]
    assert [receipt.pool_id[-1] for receipt in receipts] == ["1", "2"]


def test_a_settlement_is_held_to_the_paytable_and_each_bettor_settles_once(fake, client):
    fake.force(*ROULETTE, [[1]])
    draw = client.draw(*ROULETTE)
    report = {"bettor": b"b" * 32, "stake_minor": 50, "currency": "EUR", "bet": '{"bet":"red"}'}
    with pytest.raises(InvalidArgument, match="the paytable pays 100"):
        client.settle(draw, payout_minor=99, **report)
    settled = client.settle(draw, payout_minor=100, **report)
    assert settled.record.binding["status"] == "final"
    with pytest.raises(InvalidArgument, match="bettor"):
        client.settle(draw, payout_minor=100, **report)
    assert client.get_receipt(settled.request_id).settlement.record_bytes == settled.record_bytes


def test_a_stake_can_be_given_back_with_a_reason(client):
    draw = client.draw(*ROULETTE)
    settled = client.settle(
        draw, bettor=b"b" * 32, stake_minor=50, payout_minor=0, currency="EUR", status="void", reason="table-closed"
    )
    assert settled.record.binding["status"] == "void"


def test_an_id_that_nobody_used_is_fenced_by_asking(client):
    request_id = new_request_id()
    assert not client.resolve(request_id).bound
    with pytest.raises(FailedPrecondition) as caught:
        client.draw(*ROULETTE, request_id=request_id)
    assert caught.value.reason == "FENCED"
    with pytest.raises(NotFound):
        client.get_receipt(request_id)


def test_a_resolved_draw_brings_its_next_ticket_along(fake):
    with connect(fake) as client:
        ticket = client.reserve(*ROULETTE, session="evening")
        receipt, following = client.draw_and_reserve(*ROULETTE, session="evening", ticket=ticket)
        found = client.resolve(receipt.request_id)
    assert found.receipts[0].to_bytes() == receipt.to_bytes()
    assert found.ticket.hash == following.hash


def test_a_request_with_fields_of_another_schema_is_refused(fake):
    request = draw_pb2.DrawRequest(
        request_id=new_request_id(), game=ROULETTE[0], program=ROULETTE[1], play_class=types_pb2.PLAY_CLASS_REAL
    )
    foreign = request.SerializeToString() + b"\xc2\x3e\x03new"
    with grpc.insecure_channel(fake.target) as channel:
        call = channel.unary_unary("/sealdraw.v1.DrawService/Draw")
        with pytest.raises(grpc.RpcError) as caught:
            call(foreign)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert draw_pb2_grpc.DrawServiceStub(channel).Draw(request).receipt.values


@pytest.mark.parametrize(
    ("game", "program", "options", "kind"),
    [
        ("baccarat", "base", {}, NotFound),
        ("european-roulette", "bonus", {}, NotFound),
        ("european-roulette", "base", {"version": 9}, NotFound),
        ("European Roulette", "base", {}, InvalidArgument),
        ("european-roulette", "base", {"wager": Wager(1, "EUR", '{"bet":"purple"}')}, InvalidArgument),
        ("european-roulette", "base", {"tags": {"player": "é"}}, InvalidArgument),
    ],
)
def test_what_is_not_there_or_not_allowed_is_refused_as_by_the_service(client, game, program, options, kind):
    with pytest.raises(kind):
        client.draw(game, program, **options)


def test_tags_are_taken_and_only_their_hash_is_recorded(client):
    receipt = client.draw(*ROULETTE, tags={"player": "p-77", "brand": "north"})
    assert b"p-77" not in receipt.to_bytes()
    assert len(receipt.record.binding["tags"]) == 64


def test_a_caller_with_an_impossible_name_is_refused(fake):
    with grpc.insecure_channel(fake.target) as channel, pytest.raises(grpc.RpcError) as caught:
        draw_pb2_grpc.DrawServiceStub(channel).GetReceipt(
            draw_pb2.GetReceiptRequest(request_id=new_request_id()), metadata=(("sealdraw-caller", "Mr. X"),)
        )
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert issubclass(PermissionDenied, Exception)


@pytest.mark.parametrize("env", ["production", "prod", "staging", "", "Dev"])
def test_the_fake_does_not_start_outside_development(env):
    with pytest.raises(ConfigError, match="only runs in demo, dev, test"):
        FakeServer(load("european-roulette"), env=env)


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "192.168.1.4:80", "example.org:1", "127.0.0.1", "*:1"])
def test_the_fake_does_not_listen_where_others_could_reach_it(listen):
    with pytest.raises(ConfigError, match="loopback"):
        FakeServer(load("european-roulette"), listen=listen)


def test_an_address_that_is_taken_is_named(fake):
    with pytest.raises(ConfigError, match=fake.target):
        FakeServer(load("european-roulette"), listen=fake.target)


@pytest.mark.parametrize("code", ["OK", "SOMETIMES", ""])
def test_a_failure_needs_a_status_that_is_an_error(fake, code):
    with pytest.raises(ValueError, match="gRPC error status"):
        fake.fail_next(code)


def test_failures_wait_for_their_method(fake, client):
    fake.fail_next("UNAVAILABLE", "DRAINING", method="BatchDraw", times=2)
    assert client.draw(*ROULETTE).outcomes
    with pytest.raises(Unavailable, match="DRAINING"):
        client.batch_draw(*ROULETTE, 2)


def test_a_script_forces_and_fails(fake, client, tmp_path):
    script = tmp_path / "script.json"
    script.write_text(
        json.dumps(
            {
                "force": [{"game": "european-roulette", "program": "base", "outcomes": [[17], [0]]}],
                "fail": [{"code": "UNAVAILABLE", "method": "Draw", "after_commit": True}, {"code": "NOT_FOUND"}],
            }
        )
    )
    play_script(script, fake)
    with pytest.raises(NotFound):
        client.batch_draw(*ROULETTE, 1)
    assert client.draw(*ROULETTE).outcomes == [(17,)]
    assert client.draw(*ROULETTE).outcomes == [(0,)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "force and fail"),
        ('{"forse": []}', "force and fail"),
        ('{"force": {}}', "list of objects"),
        ('{"force": [{"game": "x"}]}', r"force\[0\]: expected game"),
        ('{"force": [{"game": "european-roulette", "program": "base", "outcomes": [[true]]}]}', "lists of integers"),
        ('{"force": [{"game": "european-roulette", "program": "base", "outcomes": [[99]]}]}', "cannot yield"),
        ('{"force": [{"game": "x", "program": "base", "outcomes": []}]}', "not registered"),
        ('{"fail": [{"reason": "X"}]}', "'code' is missing"),
        ('{"fail": [{"code": "UNAVAILABLE", "times": true}]}', r"fail\[0\]\.times"),
        ('{"fail": [{"code": "UNAVAILABLE", "often": 3}]}', r"fail\[0\]\.often"),
        ('{"fail": [{"code": "SOMETIMES"}]}', "gRPC error status"),
    ],
)
def test_a_script_that_is_wrong_is_refused_by_file_and_place(fake, tmp_path, text, message):
    script = tmp_path / "script.json"
    script.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        play_script(script, fake)
    assert str(script) in str(caught.value)


def test_the_command_says_where_it_listens_and_ends_on_a_signal(tmp_path):
    script = tmp_path / "script.json"
    script.write_text('{"force": [{"game": "european-roulette", "program": "base", "outcomes": [[26]]}]}')
    arguments = ["--env", "test", "--game", str(GAMES / "european-roulette.json"), "--script", str(script)]
    process = subprocess.Popen(
        [sys.executable, "-m", "rng_service.fake", *arguments], stdout=subprocess.PIPE, cwd=ROOT, env=os.environ
    )
    words = process.stdout.readline().decode().split()
    assert words[:3] == ["fake", "draw", "service"]
    assert words[4:] == ["origin", "fake/test"]
    with Client(
        words[3], caller="casino", journal=MemoryJournal(), development=True, origin="fake/test", verify="off"
    ) as client:
        assert client.draw(*ROULETTE).outcomes == [(26,)]
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 0
    process.stdout.close()


@pytest.mark.parametrize(
    "arguments",
    [["--env", "production"], ["--listen", "0.0.0.0:1"], ["--game", "absent.json"], ["--script", "absent.json"]],
)
def test_the_command_refuses_in_one_line(capsys, arguments):
    assert main(["--game", str(GAMES / "european-roulette.json"), *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("fake draw service: ")
    assert said.err.count("\n") == 1
