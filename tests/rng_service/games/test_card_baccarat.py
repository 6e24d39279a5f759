"""Punto banco, against the printed tableau, full enumeration of small shoes, and the published counts."""

from collections import Counter
from fractions import Fraction
from itertools import permutations, product
from math import perm

import pytest
from game_samples import ROOT, game, parsed
from hypothesis import given
from hypothesis import strategies as st

from rng_service.games import BetError, GameError, load_game, multiplier, resolve_bet, theory
from rng_service.games.cards.baccarat import (
    Result,
    banker_draws,
    pair_chances,
    play,
    result_chances,
    shoe_chances,
    value,
)

BACCARAT = load_game(ROOT / "games" / "baccarat-8.json")
# The tableau as it hangs on the wall: the banker's total, then for each third card of the player 0 … 9 and for none.
TABLEAU = {
    0: "DDDDDDDDDDD",
    1: "DDDDDDDDDDD",
    2: "DDDDDDDDDDD",
    3: "DDDDDDDDSDD",
    4: "SSDDDDDDSSD",
    5: "SSSSDDDDSSD",
    6: "SSSSSSDDSSS",
    7: "SSSSSSSSSSS",
}


def baccarat(bets, decks=1, drawn=6):
    return game([{"step": "sample", "n": 52 * decks, "m": drawn}], {"model": "baccarat", "bets": bets})


def card(name):
    """Return a card by its rank and suit, like "K2"."""
    return "A23456789TJQK".index(name[0]) + 13 * int(name[1])


def test_the_banker_draws_by_the_tableau():
    for total, row in TABLEAU.items():
        for third, move in zip([*range(10), None], row, strict=True):
            assert banker_draws(total, third) == (move == "D")


@pytest.mark.parametrize(
    ("cards", "result"),
    [
        ("90 80 K0 J0 20 20", Result("player", 9, 2)),
        ("20 70 60 20 50 50", Result("banker", 9, 2)),
        ("K0 20 60 40 90 90", Result("tie", 6, 0)),
        ("K0 20 60 30 90 90", Result("player", 6, 2)),
        ("K0 20 60 30 20 90", Result("banker", 7, 3)),
        ("20 30 30 K0 80 50", Result("tie", 3, 0)),
        ("20 30 30 K0 70 50", Result("banker", 8, 3)),
        ("A0 70 K0 K0 70 90", Result("player", 8, 3)),
    ],
)
def test_a_coup_is_dealt_alternately_and_third_cards_come_as_needed(cards, result):
    assert play([value(card(name)) for name in cards.split()]) == result


SHOES = [(2, 0, 1, 0, 1, 0, 1, 1, 1, 1), (0, 3, 1, 1, 1, 1, 1, 0, 0, 0), (4, 1, 0, 1, 0, 0, 1, 0, 1, 0)]


@pytest.mark.parametrize("shoe", SHOES)
def test_the_chances_of_a_small_shoe_equal_enumeration(shoe):
    cards = [worth for worth, count in enumerate(shoe) for _ in range(count)]
    counted = Counter(map(play, permutations(cards, 6)))
    total = perm(len(cards), 6)
    assert shoe_chances(shoe) == {result: Fraction(count, total) for result, count in counted.items()}


def test_eight_decks_give_the_published_counts():
    chances = result_chances(8)
    assert sum(chances.values()) == 1
    for winner, combinations in (
        ("banker", 2_292_252_566_437_888),
        ("player", 2_230_518_282_592_256),
        ("tie", 475_627_426_473_216),
    ):
        found = sum(chance for result, chance in chances.items() if result.winner == winner)
        assert found == Fraction(combinations, 4_998_398_275_503_360)


def test_the_house_edges_are_the_published_ones():
    bets = theory(BACCARAT)["programs"]["base"]["bets"]
    published = {
        "player": "1.2351",
        "banker": "1.0579",
        "tie": "14.3596",
        "tie-nine": "4.8440",
        "player-pair": "10.3614",
        "banker-pair": "10.3614",
        "either-pair": "13.7099",
        "banker-even": "1.0183",
        "dragon-7": "7.6113",
        "panda-8": "10.1876",
    }
    assert {name: f"{float(100 - 100 * Fraction(bet['rtp'])):.4f}" for name, bet in bets.items()} == published
    assert bets["player-pair"]["hit_frequency"] == "31/415"
    assert Fraction(bets["player"]["rtp"]) == 1 - Fraction(61_734_283_845_632, 4_998_398_275_503_360)


@pytest.mark.parametrize("decks", [1, 8])
def test_pairs_are_counted_over_all_four_cards(decks):
    alike, cards = 4 * decks, 52 * decks
    one = either = 0
    for ranks in product(range(13), repeat=4):
        held = Counter()
        ways = 1
        for rank in ranks:
            ways *= alike - held[rank]
            held[rank] += 1
        one += ways * (ranks[0] == ranks[2])
        either += ways * (ranks[0] == ranks[2] or ranks[1] == ranks[3])
    assert pair_chances(decks) == (Fraction(one, perm(cards, 4)), Fraction(either, perm(cards, 4)))


@given(st.permutations(range(416)))
def test_shipped_bets_pay_on_the_coup_that_the_cards_make(order):
    outcome = tuple(order[:6])
    result = play([value(drawn) for drawn in outcome])
    ranks = [drawn % 13 for drawn in outcome]
    player, banker = ranks[0] == ranks[2], ranks[1] == ranks[3]
    banker_seven = result == ("banker", 7, 3)
    expected = {
        "player": {"player": 2, "tie": 1}.get(result.winner, 0),
        "banker": {"banker": Fraction(39, 20), "tie": 1}.get(result.winner, 0),
        "tie": 9 * (result.winner == "tie"),
        "player-pair": 12 * player,
        "banker-pair": 12 * banker,
        "either-pair": 6 * (player or banker),
        "banker-even": 1 if banker_seven else {"banker": 2, "tie": 1}.get(result.winner, 0),
        "dragon-7": 41 * banker_seven,
        "panda-8": 26 * (result == ("player", 8, 3)),
    }
    for name, pays in expected.items():
        assert multiplier(BACCARAT, "base", name, outcome) == pays


def test_a_bet_pays_by_the_most_precise_name_and_shows_its_lines():
    pays = {"banker": 2, "banker-6": "1.5", "banker-6-three": 3, "tie-0": 150, "tie": 1}
    bet = resolve_bet(parsed(baccarat({"super": pays})), "base", "super")
    chances = result_chances(1)
    lines = {item.name: item for item in bet.breakdown()}
    assert list(lines) == list(pays)
    assert lines["banker-6-three"].chance == chances[Result("banker", 6, 3)]
    assert lines["banker-6"].chance == chances[Result("banker", 6, 2)]
    assert lines["tie-0"].returned == 150 * chances[Result("tie", 0, 0)]
    assert sum(item.returned for item in lines.values()) == bet.rtp() == bet.prizes().mean
    assert bet.highest == 150


@pytest.mark.parametrize(
    ("bet", "path"),
    [("bankr", "$.bet"), ({"bet": "banker", "numbers": [1]}, "$.numbers"), ({"numbers": [1]}, "$.bet")],
)
def test_bad_bets_are_refused_with_their_path(bet, path):
    with pytest.raises(BetError) as caught:
        resolve_bet(BACCARAT, "base", bet)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("settlement", "path", "words"),
    [
        (baccarat({"x": {"banker-10": 2}}), "settlement.bets.x.banker-10", "unknown key"),
        (baccarat({"x": {"tie-3-two": 2}}), "settlement.bets.x.tie-3-two", "unknown key"),
        (baccarat({"x": {"player-pair": 2, "tie": 2}}), "settlement.bets.x.tie", "unknown key"),
        (baccarat({"x": {"banker": 0}}), "settlement.bets.x.banker", "leave it out"),
        (baccarat({"x": {}}), "settlement.bets.x", "1 to"),
        (baccarat({"x": {"tie": 9}}, drawn=5), "steps", "sample of 6 cards"),
        (baccarat({"x": {"tie": 9}}, decks=79), "steps", "1 to 78 decks"),
    ],
)
def test_definitions_that_do_not_hold_are_refused_with_their_path(settlement, path, words):
    with pytest.raises(GameError) as caught:
        parsed(settlement)
    assert caught.value.path == f"$.programs.base.{path}"
    assert words in caught.value.message
