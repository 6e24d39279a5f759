"""One outcome for many bettors, in the calls that docs/games.md shows: a crash round, a lottery, integers, a dice round."""

from hashlib import sha256

import pytest
from front_world import FrontWorld, seed, wager
from sealdraw.v1 import draw_pb2

from anchor import canonical
from rng_service.errors import InvalidArgument
from rng_service.games import payout
from rng_service.request_id import new_request_id


def token(name):
    return sha256(name.encode()).digest()


def settle(service, draw, name, bet, stake, paid):
    request = draw_pb2.SettleRequest(
        request_id=new_request_id(),
        draw_request_id=draw.request_id,
        bettor=token(name),
        stake_minor=stake,
        payout_minor=paid,
        currency="EUR",
        bet=canonical.encode(bet).decode("ascii"),
        status=draw_pb2.SETTLEMENT_STATUS_FINAL,
    )
    return service.settle(request, "server", 5)


def ticketed_draw(world, service):
    """Reserve while bets are taken, then draw on the ticket without a wager."""
    client_seed = seed()
    reserved = service.reserve(world.reserve_request(client_seed), "server", 5)
    draw = world.draw_request(ticket_hash=reserved.ticket_hash, client_seed=client_seed)
    return draw, service.draw(draw, "server", 5).receipt


@pytest.fixture
def playing(tmp_path):
    """Return a function that opens a front for one game."""
    worlds = []

    def play(game):
        world = FrontWorld(tmp_path, game=game)
        worlds.append(world)
        world.add_pool()
        return world, world.service()

    yield play
    for world in worlds:
        world.close()


def test_everybody_in_a_crash_round_is_settled_on_one_point(playing):
    world, service = playing("crash-99")
    draw, receipt = ticketed_draw(world, service)
    assert receipt.protection.assignment == "ticketed"
    assert not receipt.payouts_minor
    outcome = tuple(receipt.values)
    point = world.definition.program("base").model.crash_point(outcome)
    left_at = {"anna": 101, "berta": max(101, point), "carl": min(point + 1, 1_000_000), "dora": 1_000_000}
    for name, hundredths in left_at.items():
        bet = {"bet": "cash-out", "at": f"{hundredths // 100}.{hundredths % 100:02d}"}
        due = 333 * hundredths // 100 if point >= hundredths else 0
        with pytest.raises(InvalidArgument):
            settle(service, draw, name, bet, 333, due + 1)
        assert settle(service, draw, name, bet, 333, due).record
    assert world.rows("SELECT count(*) FROM settlements") == [(4,)]


@pytest.mark.parametrize(("game", "bonus"), [("lotto-6-49", {}), ("lotto-5-69", {"bonus": [7]})])
def test_every_line_of_a_lottery_is_settled_on_one_draw(playing, game, bonus):
    world, service = playing(game)
    draw, receipt = ticketed_draw(world, service)
    drums = world.definition.program("base").model.drums
    drawn = sorted(value + 1 for value in receipt.values[: drums.drawn])
    won = {"bet": "line", "numbers": drawn, **({"bonus": [receipt.values[-1] + 1]} if bonus else {})}
    lost = {"bet": "line", "numbers": [n for n in range(1, 20) if n not in drawn][: drums.picks], **bonus}
    due = {
        name: payout(world.definition, "base", bet, 200, tuple(receipt.values))
        for name, bet in (("one", won), ("two", lost))
    }
    assert due["one"] == 200 * (100_000_000 if bonus else 3_000_000)
    assert settle(service, draw, "anna, line 1", won, 200, due["one"]).record
    assert settle(service, draw, "anna, line 2", lost, 200, due["two"]).record


def test_a_whole_round_of_craps_is_one_draw(playing):
    world, service = playing("craps")
    draw, receipt = ticketed_draw(world, service)
    assert len(receipt.values) == 128
    for number, bet in enumerate(("pass", "dont-pass", "hard-6", "field")):
        due = payout(world.definition, "base", bet, 100, tuple(receipt.values))
        assert settle(service, draw, f"bettor {number}", {"bet": bet}, 100, due).record


def test_integers_are_drawn_and_neither_wagered_nor_settled(playing):
    world, service = playing("integers")
    draw, receipt = ticketed_draw(world, service)
    assert len(receipt.values) == 10
    with pytest.raises(InvalidArgument, match="takes no bets"):
        settle(service, draw, "anna", {"bet": "exact"}, 100, 0)
    with pytest.raises(InvalidArgument, match="takes no bets"):
        service.draw(world.draw_request(client_seed=seed(), wager=wager(100, '{"bet":"red"}')), "server", 5)
    assert world.rows("SELECT count(*) FROM settlements") == [(0,)]
