"""Rounds from the game server's side: steps that count themselves, over refusals, lost answers and restarts."""

import pytest
from award_game import AWARD_MODEL, GAME, SPIN, award_game
from client_world import CALLER, DICE, GAMES, UNDER, OperatorService, ServedOperator, StillTime, serve

from rng_service.client import (
    BadReceiptError,
    Client,
    FailedPrecondition,
    InDoubtError,
    InvalidArgument,
    MemoryJournal,
    RetryPolicy,
    Round,
    Wager,
)
from rng_service.fake import FakeServer
from rng_service.games import load_game
from rng_service.games.models import MODELS
from rng_service.request_id import new_request_id, parse_request_id

SPUN = Wager(100, "EUR", SPIN)


def same_as(card, stake=100):
    return Wager(stake, "EUR", f'{{"bet":"same","than":{card}}}')


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setitem(MODELS, AWARD_MODEL.name, AWARD_MODEL)
    games = [load_game(GAMES / f"{name}.json") for name in ("hi-lo", "mines-25", "crash-99")]
    with FakeServer([*games, award_game()]) as server:
        yield server


def connect(fake, **options):
    settings = {
        "caller": CALLER,
        "journal": MemoryJournal(),
        "development": True,
        "origin": fake.origin,
        "verify": "off",
        "surroundings": StillTime().surroundings(),
        "retry": RetryPolicy(attempts=3),
    }
    return Client(fake.target, **(settings | options))


@pytest.fixture
def client(fake):
    with connect(fake) as connected:
        yield connected


def refusal(call, *arguments, **options):
    with pytest.raises(FailedPrecondition) as caught:
        call(*arguments, **options)
    return caught.value.reason


def wrong_field(call, *arguments, **options):
    with pytest.raises(InvalidArgument) as caught:
        call(*arguments, **options)
    return [violation[0] for violation in caught.value.violations]


def said(receipt):
    binding = receipt.record.binding
    return binding["round"], binding["step"]


def test_a_round_counts_its_steps_and_its_bets_follow_the_card_on_the_table(fake, client):
    fake.force("hi-lo", "base", [[7], [20], [33]])
    table = Round(client, "hi-lo")
    first = table.draw("base")
    second = table.draw("base", wager=same_as(7))
    third = table.draw("base", wager=same_as(20))
    assert [said(receipt) for receipt in (first, second, third)] == [(table.round_id, step) for step in (1, 2, 3)]
    assert [receipt.payouts_minor for receipt in (first, second, third)] == [None, (1_287,), (1_287,)]
    assert parse_request_id(table.round_id)
    assert table.steps == 3


def test_a_bet_on_another_card_is_refused_and_the_step_is_still_to_be_drawn(fake, client):
    fake.force("hi-lo", "base", [[7], [8]])
    table = Round(client, "hi-lo")
    table.draw("base")
    assert wrong_field(table.draw, "base", wager=same_as(9)) == ["wager.bet"]
    assert table.draw("base", wager=same_as(7)).outcomes == [(8,)]
    assert table.steps == 2


def test_a_bet_on_a_card_that_nobody_saw_is_refused(client):
    assert wrong_field(Round(client, "hi-lo").draw, "base", wager=same_as(9)) == ["wager.bet"]
    assert wrong_field(client.draw, "hi-lo", "base", wager=same_as(9)) == ["wager.bet"]


def test_free_draws_are_made_as_awarded_and_not_once_more(fake, client):
    fake.force(GAME, "base", [[3]])
    fake.force(GAME, "free", [[0], [3], [2]])
    spins = Round(client, GAME)
    assert spins.draw("base", wager=SPUN).payouts_minor == (0,)
    assert [spins.draw("free", wager=SPUN).payouts_minor for _ in range(3)] == [(300,), (0,), (0,)]
    assert refusal(spins.draw, "free", wager=SPUN) == "FEATURE_NOT_AWARDED"
    assert spins.steps == 4


@pytest.mark.parametrize(
    ("program", "wager", "answer"),
    [
        ("free", Wager(101, "EUR", SPIN), ["wager.stake_minor"]),
        ("free", Wager(100, "USD", SPIN), ["wager.stake_minor"]),
        ("free", Wager(100, "EUR"), ["wager.bet"]),
        ("free", None, ["wager.bet"]),
        ("base", SPUN, "FEATURE_PENDING"),
        ("side", None, "FEATURE_PENDING"),
    ],
)
def test_an_awarded_draw_comes_next_and_states_the_stake_that_awarded_it(fake, client, program, wager, answer):
    fake.force(GAME, "base", [[2]])
    spins = Round(client, GAME)
    spins.draw("base", wager=SPUN)
    found = wrong_field if isinstance(answer, list) else refusal
    assert found(spins.draw, program, wager=wager) == answer
    spins.draw("free", wager=SPUN)


def test_awarding_and_awarded_programs_are_drawn_in_rounds_only(client):
    assert wrong_field(client.draw, GAME, "base", wager=SPUN) == ["round_id"]
    assert wrong_field(client.batch_draw, GAME, "base", 3, wager=SPUN) == ["round_id"]
    assert refusal(client.draw, GAME, "free", wager=SPUN) == "FEATURE_NOT_AWARDED"
    assert refusal(client.batch_draw, GAME, "free", 2, wager=SPUN) == "FEATURE_NOT_AWARDED"
    assert wrong_field(Round(client, GAME).draw, "base", wager=Wager(100, "EUR")) == ["wager.bet"]


def test_a_round_stays_with_its_game_class_and_session(fake, client):
    table = Round(client, "hi-lo", session="evening")
    table.draw("base")
    more = {"round_id": table.round_id, "step": 2}
    assert wrong_field(client.draw, GAME, "side", session="evening", **more) == ["round_id"]
    assert wrong_field(client.draw, "hi-lo", "base", session="evening", play_class="free", **more) == ["round_id"]
    assert wrong_field(client.draw, "hi-lo", "base", **more) == ["session"]
    with connect(fake, caller="another") as other:
        assert said(Round(other, "hi-lo", round_id=table.round_id).draw("base")) == (table.round_id, 1)


@pytest.mark.parametrize(
    ("round_id", "step", "fields"),
    [("r", 0, ["step"]), ("", 1, ["round_id"]), ("r", 2**31, ["step"]), ("a b", 1, ["round_id"])],
)
def test_half_a_step_is_refused(client, round_id, step, fields):
    assert wrong_field(client.draw, "hi-lo", "base", round_id=round_id, step=step) == fields


def test_a_step_is_drawn_once_and_none_is_skipped(client):
    table = Round(client, "hi-lo")
    table.draw("base")
    for step in (1, 3):
        assert refusal(client.draw, "hi-lo", "base", round_id=table.round_id, step=step) == "ROUND_STEP"
    request_id = new_request_id()
    first, again = (
        client.draw("hi-lo", "base", round_id=table.round_id, step=2, client_seed=b"", request_id=request_id)
        for _ in range(2)
    )
    assert first.to_bytes() == again.to_bytes()


def test_a_lost_answer_is_no_lost_step(fake, client):
    table = Round(client, "hi-lo")
    fake.fail_next("UNAVAILABLE", after_commit=True)
    assert said(table.draw("base")) == (table.round_id, 1)
    assert said(table.draw("base")) == (table.round_id, 2)


def test_a_step_in_doubt_is_resumed_and_never_drawn_under_another_id(fake):
    with connect(fake, retry=RetryPolicy(attempts=1)) as client:
        table = Round(client, "hi-lo")
        table.draw("base")
        fake.fail_next("UNAVAILABLE", after_commit=True)
        fake.fail_next("UNAVAILABLE", method="ResolveRequest")
        with pytest.raises(InDoubtError):
            table.draw("base")
        doubted = table.in_doubt
        with pytest.raises(InDoubtError):
            table.draw("base")
        found = table.resume()
        assert (found.request_id, said(found)) == (doubted, (table.round_id, 2))
        assert (table.in_doubt, table.steps, table.resume()) == (None, 2, None)
        assert said(table.draw("base")) == (table.round_id, 3)


def test_a_step_in_doubt_that_was_never_bound_is_still_to_be_drawn(fake):
    with connect(fake, retry=RetryPolicy(attempts=1)) as client:
        table = Round(client, "hi-lo")
        fake.fail_next("UNAVAILABLE")
        fake.fail_next("UNAVAILABLE", method="ResolveRequest")
        with pytest.raises(InDoubtError):
            table.draw("base")
        assert (table.resume(), table.steps) == (None, 0)
        assert said(table.draw("base")) == (table.round_id, 1)


def test_a_round_goes_on_after_a_restart_with_what_was_recovered(fake):
    journal = MemoryJournal()
    with connect(fake, journal=journal, retry=RetryPolicy(attempts=1)) as client:
        table = Round(client, "hi-lo")
        fake.fail_next("UNAVAILABLE", after_commit=True)
        fake.fail_next("UNAVAILABLE", method="ResolveRequest")
        with pytest.raises(InDoubtError):
            table.draw("base")
    with connect(fake, journal=journal) as restarted:
        (found,) = restarted.recovered
        steps = sum(said(receipt)[0] == table.round_id for receipt in found.receipts)
        table = Round(restarted, "hi-lo", round_id=table.round_id, steps=steps)
        assert said(table.draw("base")) == (table.round_id, 2)


def test_a_ticket_is_drawn_as_a_step(client):
    ticket = client.reserve("hi-lo", "base", session="evening")
    table = Round(client, "hi-lo", session="evening")
    receipt = table.draw("base", ticket=ticket)
    assert said(receipt) == (table.round_id, 1)
    assert receipt.record.binding["ticket"] == ticket.hash.hex()


def test_decisions_are_settled_on_the_stake_of_the_draw_and_once(fake, client):
    fake.force("mines-25", "base", [[0, 1, 2]])
    draw = client.draw("mines-25", "base", wager=Wager(500, "EUR"))
    picks = '{"bet":"mines","picks":[3,4]}'
    pays = 500 * 25 * 24 * 99 // (22 * 21 * 100)
    bet = {"bettor": b"a" * 32, "payout_minor": pays, "currency": "EUR", "bet": picks}
    assert wrong_field(client.settle, draw, stake_minor=501, **bet) == ["stake_minor"]
    assert wrong_field(client.settle, draw, stake_minor=500, **(bet | {"currency": "USD"})) == ["currency"]
    behind = bet | {"bet": '{"bet":"mines","picks":[0,3]}', "payout_minor": 0}
    assert wrong_field(client.settle, draw, stake_minor=500, **behind) == ["bet.picks[1]"]
    settled = client.settle(draw, stake_minor=500, **bet)
    assert settled.record.binding["payout_minor"] == pays
    assert wrong_field(client.settle, draw, stake_minor=500, **(bet | {"bettor": b"b" * 32})) == ["bettor"]


def test_decisions_come_after_the_draw_and_their_stake_before(client):
    picks = '{"bet":"mines","picks":[3]}'
    assert wrong_field(client.draw, "mines-25", "base", wager=Wager(5, "EUR", picks)) == ["wager.bet"]
    unstaked = client.draw("mines-25", "base")
    amounts = {"bettor": b"a" * 32, "stake_minor": 100, "payout_minor": 0, "currency": "EUR"}
    assert wrong_field(client.settle, unstaked, bet=picks, **amounts) == ["bet"]


def test_a_bet_that_follows_a_card_is_no_settlement(fake, client):
    fake.force("hi-lo", "base", [[7]])
    draw = client.draw("hi-lo", "base")
    amounts = {"bettor": b"a" * 32, "stake_minor": 100, "payout_minor": 1_287, "currency": "EUR"}
    assert wrong_field(client.settle, draw, bet='{"bet":"same","than":7}', **amounts) == ["bet"]


def test_one_outcome_pays_many_bettors(fake, client):
    draw = client.draw("crash-99", "base")
    for bettor in (b"a" * 32, b"b" * 32):
        amounts = {"stake_minor": 100, "payout_minor": 0, "currency": "EUR"}
        settled = client.settle(draw, bettor=bettor, status="void", reason="late-bet", **amounts)
        assert settled.record.binding["bettor"] == bettor.hex()


# Against an operator whose answers are checked.


@pytest.fixture
def served(tmp_path):
    operator = ServedOperator(tmp_path / "public")
    service = OperatorService(operator)
    server, target = serve(service)
    yield service, target, operator
    server.stop(None)


def verifying(target, operator):
    return Client(
        target,
        caller=CALLER,
        journal=MemoryJournal(),
        development=True,
        public=operator.directory,
        vkey=operator.vkey,
        verify="inline",
        surroundings=StillTime().surroundings(now_us=lambda: operator.now_us),
    )


def test_the_answers_of_a_round_verify(served):
    _, target, operator = served
    with verifying(target, operator) as client:
        table = Round(client, DICE[0], session="evening")
        receipts = [table.draw(DICE[1], wager=Wager(100, "EUR", UNDER)) for _ in range(3)]
        assert [said(receipt)[1] for receipt in receipts] == [1, 2, 3]
        client.check()


@pytest.mark.parametrize("wrong", [{"step": 7}, {"round": "another"}])
def test_the_answer_to_another_step_is_a_bad_receipt(served, wrong):
    _, target, operator = served

    def misplace(kind, members):
        return members | operator.asked | wrong

    operator.on_binding = misplace
    with pytest.raises(BadReceiptError) as caught, verifying(target, operator) as client:
        Round(client, DICE[0]).draw(DICE[1])
    assert caught.value.reason == "request-mismatch"


def test_a_draw_that_the_operator_put_into_a_round_is_a_bad_receipt(served):
    _, target, operator = served
    operator.on_binding = lambda kind, members: members | operator.asked | {"round": "r", "step": 1}
    with pytest.raises(BadReceiptError) as caught, verifying(target, operator) as client:
        client.draw(*DICE)
    assert caught.value.reason == "request-mismatch"
