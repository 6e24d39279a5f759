"""Games with decisions, from the draw to the settlement: mines, video poker, blackjack."""

import json
from hashlib import sha256

import pytest
from front_world import FrontWorld, seed, wager
from sealdraw.v1 import draw_pb2

from rng_service.errors import InvalidArgument
from rng_service.games import BetError, multiplier, resolve_bet
from rng_service.games.placing import stakes
from rng_service.request_id import new_request_id

STAKE = 100
SAMPLES = {
    "mines-25": {"bet": "mines", "picks": [24]},
    "jacks-or-better": {"bet": "hand", "holds": [0, 3]},
    "blackjack-6": {"bet": "hand", "actions": ["stand"]},
}


class Table:
    """A front with one game, and a player at it."""

    def __init__(self, directory, game):
        self.world = FrontWorld(directory, game=game)
        # Enough for the rarest deal that a test waits for: one in twenty.
        self.world.add_pool(2048)
        self.service = self.world.service()

    def draw(self, stake=STAKE, bet=""):
        """Draw with a stake and no bet; return the request and the outcome."""
        request = self.world.draw_request(client_seed=seed(), wager=wager(stake, bet))
        return request, tuple(self.service.draw(request, "server", 5).receipt.values)

    def due(self, bet, outcome):
        """Return (stake, payout) of the settlement of a bet on a first stake."""
        definition = self.world.definition
        staked = STAKE * stakes(resolve_bet(definition, "base", bet))
        return int(staked), int(staked * multiplier(definition, "base", bet, outcome))

    def settle(self, request, bet, stake, payout):
        answer = self.service.settle(
            draw_pb2.SettleRequest(
                request_id=new_request_id(),
                draw_request_id=request.request_id,
                bettor=sha256(b"anna").digest(),
                stake_minor=stake,
                payout_minor=payout,
                currency="EUR",
                bet=json.dumps(bet),
                status=draw_pb2.SETTLEMENT_STATUS_FINAL,
            ),
            "server",
            5,
        )
        return json.loads(answer.record)["binding"]

    def refused(self, request, bet, stake=STAKE, payout=0):
        with pytest.raises(InvalidArgument) as caught:
            self.settle(request, bet, stake, payout)
        return [field for field, _ in caught.value.violations]


@pytest.fixture
def table(request, tmp_path):
    made = Table(tmp_path, request.param)
    yield made
    made.world.close()


def at(*games):
    return pytest.mark.parametrize("table", games, indirect=True)


@at(*SAMPLES)
def test_a_bet_that_tells_decisions_is_never_made_with_its_draw(table):
    with pytest.raises(InvalidArgument) as caught:
        table.draw(bet=json.dumps(SAMPLES[table.world.definition.game]))
    assert [field for field, _ in caught.value.violations] == ["wager.bet"]
    assert table.world.rows("SELECT count(*) FROM records") == [(0,)]


@at(*SAMPLES)
def test_decisions_are_settled_on_the_stake_of_the_draw_and_paid_by_the_rules(table):
    bet = SAMPLES[table.world.definition.game]
    while True:
        request, outcome = table.draw()
        try:
            stake, payout = table.due(bet, outcome)
        except BetError:
            # A natural: there is nothing to decide.
            continue
        if payout:
            break
    assert table.refused(request, bet, stake + 1, payout) == ["stake_minor"]
    assert table.refused(request, bet, stake, payout + 1) == ["payout_minor"]
    said = table.settle(request, bet, stake, payout)
    assert (said["bet"], said["stake_minor"], said["payout_minor"]) == (bet, stake, payout)


@at("mines-25")
def test_a_tile_behind_a_mine_is_refused_with_its_place(table):
    request, outcome = table.draw()
    picks = [outcome[0], next(tile for tile in range(25) if tile not in outcome)]
    assert table.refused(request, {"bet": "mines", "picks": picks}) == ["bet.picks[1]"]
    assert table.settle(request, {"bet": "mines", "picks": picks[:1]}, STAKE, 0)["payout_minor"] == 0


@at("mines-25")
def test_tiles_opened_at_once_are_a_bet_of_the_draw(table):
    request = table.world.draw_request(client_seed=seed(), wager=wager(STAKE, '{"bet":"at-once","tiles":[5,2]}'))
    receipt = table.service.draw(request, "server", 5).receipt
    assert json.loads(receipt.record)["binding"]["bet"] == {"bet": "at-once", "tiles": [2, 5]}
    # 100 at 9/7.
    assert list(receipt.payouts_minor) == [0 if {2, 5} & set(receipt.values) else 128]


@at("blackjack-6")
def test_a_doubled_hand_is_settled_for_twice_the_stake_of_its_draw(table):
    bet = {"bet": "hand", "actions": ["double"]}
    while True:
        request, outcome = table.draw()
        try:
            stake, payout = table.due(bet, outcome)
            break
        except BetError:
            continue
    assert stake == 2 * STAKE
    assert payout in {0, 2 * STAKE, 4 * STAKE}
    assert table.refused(request, bet, STAKE, payout // 2) == ["stake_minor"]
    assert table.refused(request, {"bet": "hand", "actions": ["double", "hit"]}, 2 * STAKE) == ["bet.actions[1]"]
    assert table.settle(request, bet, stake, payout)["stake_minor"] == 2 * STAKE


@at("blackjack-6")
def test_insurance_takes_an_even_stake(table):
    bet = {"bet": "hand", "actions": ["insurance", "stand"]}
    for stake, expected in ((101, ["stake_minor"]), (STAKE, None)):
        while True:
            request, outcome = table.draw(stake)
            try:
                back = multiplier(table.world.definition, "base", bet, outcome)
                break
            except BetError:
                continue
        settled = stake * 3 // 2
        if expected:
            assert table.refused(request, bet, settled, int(settled * back)) == expected
        else:
            assert table.settle(request, bet, settled, int(settled * back))["stake_minor"] == 150
