"""Rounds through the whole front, on a real ledger and a real vault: what the last step showed decides the next."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from award_game import AWARD_MODEL, SPIN, award_game
from front_service import connected, served
from front_world import FrontWorld, said, seed, wager
from sealdraw.v1 import types_pb2

from rng_service.errors import FailedPrecondition, InvalidArgument, Unavailable
from rng_service.games.models import MODELS
from rng_service.ledger.models import POSITION_BITS
from rng_service.request_id import new_request_id
from rng_service.vault.errors import VaultUnavailableError

SPUN = wager(100, SPIN)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request):
    if request.param == "sqlite":
        return ""
    from postgres import new_database

    return new_database()


@pytest.fixture
def cards(url, tmp_path):
    """A world with a table of hi-lo."""
    made = FrontWorld(tmp_path, url=url, game="hi-lo")
    made.add_pool(64)
    yield made
    made.close()


@pytest.fixture
def spins(url, tmp_path, monkeypatch):
    """A world with a game that awards free draws."""
    monkeypatch.setitem(MODELS, AWARD_MODEL.name, AWARD_MODEL)
    made = FrontWorld(tmp_path, url=url, definition=award_game())
    for program in ("free", "side"):
        made.add_pool(64)
        made.use(program)
    made.add_pool(64)
    yield made
    made.close()


def step(world, round_id, number, **fields):
    return world.draw_request(**{"client_seed": seed(), "round_id": round_id, "step": number} | fields)


def card_of(answer):
    return answer.receipt.values[0]


def same_as(card):
    return wager(100, f'{{"bet":"same","than":{card}}}')


def draw(service, request):
    return service.draw(request, "server", 5)


def refused(service, request, reason):
    with pytest.raises(FailedPrecondition) as caught:
        draw(service, request)
    assert caught.value.reason == reason


def wrong(service, request, *fields):
    with pytest.raises(InvalidArgument) as caught:
        draw(service, request)
    assert [field for field, _ in caught.value.violations] == list(fields)


def first_draw_of(world, service, wanted):
    """Play rounds of the base game until one draws ``wanted``; return its name."""
    for attempt in range(200):
        round_id = f"round-{wanted}-{attempt}"
        if card_of(draw(service, step(world, round_id, 1, program="base", wager=SPUN))) == wanted:
            return round_id
        if attempt % 50 == 49:
            world.program = "base"
            world.add_pool(64)
    raise AssertionError("two hundred draws of four numbers give each")


def test_a_bet_stands_against_the_card_of_the_step_before(cards):
    service = cards.service()
    first = draw(service, step(cards, "r", 1, session="s"))
    assert (said(first.receipt)["round"], said(first.receipt)["step"]) == ("r", 1)
    card = card_of(first)
    wrong(service, step(cards, "r", 2, session="s", wager=same_as((card + 1) % 52)), "wager.bet")
    second = draw(service, step(cards, "r", 2, session="s", wager=same_as(card)))
    wrong(service, step(cards, "r", 3, session="s", wager=same_as((card_of(second) + 1) % 52)), "wager.bet")
    third = draw(service, step(cards, "r", 3, session="s", wager=same_as(card_of(second))))
    assert said(third.receipt)["step"] == 3
    assert third.session_sequence == 3


def test_the_card_is_read_from_the_ledger_once_its_group_is_in_a_digest(cards):
    service = cards.service()
    card = card_of(draw(service, step(cards, "r", 1)))
    cards.join_digest()
    cards.vault.down = VaultUnavailableError("gone")
    wrong(service, step(cards, "r", 2, wager=same_as((card + 1) % 52)), "wager.bet")
    cards.vault.down = None
    draw(service, step(cards, "r", 2, wager=same_as(card)))


def test_a_repeat_of_any_step_gives_its_bytes_however_far_the_round_has_come(cards):
    service = cards.service()
    requests = [step(cards, "r", 1)]
    answers = [draw(service, requests[0])]
    for number in (2, 3):
        requests.append(step(cards, "r", number, wager=same_as(card_of(answers[-1]))))
        answers.append(draw(service, requests[-1]))
    for request, answer in zip(requests, answers, strict=True):
        assert draw(service, request) == answer
    assert cards.rows("SELECT last_step FROM rounds") == [(3,)]


def test_a_step_cannot_be_rolled_again_skipped_or_changed(cards):
    service = cards.service()
    request = step(cards, "r", 1)
    draw(service, request)
    for number in (1, 3):
        refused(service, step(cards, "r", number), "ROUND_STEP")
    request.step = 2
    refused(service, request, "REQUEST_ID_REUSED")
    assert cards.rows("SELECT count(*) FROM records") == [(1,)]


def test_of_many_draws_of_one_step_exactly_one_is_made(cards):
    fronts = [cards.service(), cards.another_front()]
    card = card_of(draw(fronts[0], step(cards, "r", 1)))
    requests = [step(cards, "r", 2, wager=same_as(card)) for _ in range(12)]

    def perform(job):
        number, request = job
        for _ in range(20):
            try:
                return draw(fronts[number % 2], request).receipt.record
            except Unavailable:
                continue
            except FailedPrecondition as error:
                return error.reason
        raise AssertionError("never decided")

    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(perform, enumerate(requests)))
    assert answers.count("ROUND_STEP") == 11
    assert cards.rows("SELECT last_step FROM rounds") == [(2,)]


def test_a_front_that_dies_between_bind_and_open_leaves_a_step_that_the_round_goes_on_from(cards):
    service = cards.service()
    request = step(cards, "r", 1)
    cards.vault.down = VaultUnavailableError("gone")
    with pytest.raises(Unavailable):
        draw(service, request)
    following = step(cards, "r", 2, wager=same_as(0))
    with pytest.raises(Unavailable):
        draw(service, following)
    cards.vault.down = None
    again = draw(cards.another_front(), request)
    draw(service, step(cards, "r", 2, wager=same_as(card_of(again))))
    assert [row[0] for row in cards.rows("SELECT last_step FROM rounds")] == [2]


def test_a_step_without_a_bet_on_the_card_needs_no_vault_to_be_planned(cards):
    service = cards.service()
    draw(service, step(cards, "r", 1))
    calls = len(cards.vault.calls)
    draw(service, step(cards, "r", 2))
    assert len(cards.vault.calls) == calls + 1


def test_a_ticket_in_a_round_keeps_its_slot_and_gives_the_next(cards):
    from hashlib import sha256

    service = cards.service()
    secrets = [seed(), seed()]
    ticket = service.reserve(cards.reserve_request(secrets[0], session="s"), "server", 5)
    answer = draw(
        service,
        step(
            cards, "r", 1, session="s", client_seed=secrets[0], ticket_hash=ticket.ticket_hash,
            next_client_seed_hash=sha256(secrets[1]).digest(),
        ),
    )  # fmt: skip
    again = step(
        cards, "r", 2, session="s", client_seed=secrets[1], ticket_hash=answer.next_ticket.ticket_hash,
        wager=same_as(card_of(answer)),
    )  # fmt: skip
    second = draw(service, again)
    assert said(second.receipt)["step"] == 2
    assert second.receipt.protection.assignment == "ticketed"
    assert draw(service, again) == second


def test_awarded_draws_are_made_until_none_is_left_and_retriggers_count(spins):
    service = spins.service()
    round_id = first_draw_of(spins, service, 2)
    number, left = 2, 1
    while left:
        answer = draw(service, step(spins, round_id, number, program="free", wager=SPUN))
        left += (card_of(answer) == 3) - 1
        number += 1
        if number % 10 == 0:
            spins.join_digest()
    refused(service, step(spins, round_id, number, program="free", wager=SPUN), "FEATURE_NOT_AWARDED")
    draw(service, step(spins, round_id, number, program="side"))


def test_what_was_awarded_comes_before_anything_paid_at_the_stake_that_awarded_it(spins):
    service = spins.service()
    round_id = first_draw_of(spins, service, 3)
    refused(service, step(spins, round_id, 2, program="base", wager=SPUN), "FEATURE_PENDING")
    wrong(service, step(spins, round_id, 2, program="free", wager=wager(1, SPIN)), "wager.stake_minor")
    wrong(service, step(spins, round_id, 2, program="free"), "wager.bet")
    draw(service, step(spins, round_id, 2, program="free", wager=SPUN))


def test_the_stake_of_awarded_draws_is_that_of_the_step_which_gave_them(spins):
    service = spins.service()
    for attempt in range(60):
        round_id = f"two-stakes-{attempt}"
        draw(service, step(spins, round_id, 1, program="side", wager=wager(7, '{"bet":"any"}')))
        if card_of(draw(service, step(spins, round_id, 2, program="base", wager=SPUN))) == 2:
            break
    wrong(service, step(spins, round_id, 3, program="free", wager=wager(7, SPIN)), "wager.stake_minor")
    draw(service, step(spins, round_id, 3, program="free", wager=SPUN))


def test_outside_rounds_nothing_is_awarded_and_nothing_awarded_is_drawn(spins):
    service = spins.service()
    wrong(service, spins.draw_request(program="base", wager=SPUN), "round_id")
    refused(service, spins.draw_request(program="free", wager=SPUN), "FEATURE_NOT_AWARDED")
    with pytest.raises(InvalidArgument):
        service.batch_draw(spins.batch_request(2, program="base", wager=SPUN), "server", 5)
    refused(service, step(spins, "gift", 1, program="free", wager=SPUN), "FEATURE_NOT_AWARDED")


def test_a_round_of_a_version_that_is_not_the_newest_any_more_goes_on_in_it(cards):
    service = cards.service()
    draw(service, step(cards, "r", 1))
    cards.register_version(2, lambda document: document.update(title="Hi-Lo, anew"))
    answer = draw(service, step(cards, "r", 2))
    assert answer.receipt.pool_id.split("/")[2] == "1"
    wrong(service, step(cards, "r", 3, version=2), "round_id")
    with pytest.raises(Unavailable):
        draw(service, step(cards, "new", 1))
    cards.retire(1)
    refused(service, step(cards, "r", 3), "VERSION_RETIRED")


def test_a_round_stays_in_its_session_and_play_class(cards):
    cards.add_stream("free")
    service = cards.service()
    draw(service, step(cards, "r", 1, session="s"))
    wrong(service, step(cards, "r", 2), "session")
    wrong(service, step(cards, "r", 2, session="s", play_class=types_pb2.PLAY_CLASS_FREE), "round_id")


@pytest.mark.parametrize(
    ("round_id", "number", "field"),
    [("r", 0, "step"), ("", 1, "round_id"), ("\x00", 1, "round_id"), ("r" * 65, 1, "round_id"), ("r", 2**31, "step")],
)
def test_half_a_step_is_refused_before_the_ledger_is_asked(cards, round_id, number, field):
    wrong(cards.service(), step(cards, round_id, number), field)


def test_the_record_of_a_step_is_the_one_that_the_round_points_to(cards):
    answer = draw(cards.service(), step(cards, "r", 1))
    ((record_id,),) = cards.rows("SELECT record_id FROM rounds")
    ((binding,),) = cards.rows(f"SELECT binding FROM records WHERE id = {record_id}")
    assert answer.receipt.record.startswith(b'{"binding":' + bytes(binding))
    assert cards.rows(f"SELECT count(*) FROM commit_groups WHERE id = {record_id >> POSITION_BITS}") == [(1,)]


@pytest.mark.parametrize("fast", [True, False])
def test_rounds_work_over_the_wire_by_either_path(tmp_path, fast):
    world = FrontWorld(tmp_path, game="hi-lo")
    world.add_pool(16)
    with served(world, fast=fast) as running, connected(running.port) as client:
        first = client.draws.Draw(step(world, "r", 1), timeout=10)
        request = step(world, "r", 2, wager=same_as(card_of(first)), request_id=new_request_id())
        second = client.draws.Draw(request, timeout=10)
        assert client.draws.Draw(request, timeout=10) == second
        plain = client.draws.Draw(world.draw_request(), timeout=10)
        assert "round" not in said(plain.receipt)
    world.close()
