"""Mines and hi-lo, against enumeration and against the multipliers that such games print."""

from collections import Counter
from fractions import Fraction
from itertools import permutations

import pytest
from game_samples import ROOT, game, parsed
from hypothesis import given
from hypothesis import strategies as st

from rng_service.games import BetError, GameError, bet_rtp, load_game, multiplier, resolve_bet, theory, validate_bet
from rng_service.games.models.base import DecidedBet, FollowingBet, Priced

MINES = load_game(ROOT / "games" / "mines-25.json")
HI_LO = load_game(ROOT / "games" / "hi-lo.json")
ALL_BETS = ["higher", "higher-or-same", "lower", "lower-or-same", "same"]


def mines(**changed):
    return game([{"step": "sample", "n": 7, "m": 2}], {"model": "mines", "rtp": "0.96", **changed})


def hi_lo(n=13, **changed):
    return game([{"step": "uniform", "n": n}], {"model": "hi-lo", "rtp": "0.97", "bets": ALL_BETS, **changed})


def opened(definition, tiles, outcome):
    """Open the tiles in order, up to the first mine or to the end, and settle."""
    mine = next((place for place, tile in enumerate(tiles) if tile in outcome), len(tiles))
    return multiplier(definition, "base", {"bet": "mines", "picks": tiles[: mine + 1]}, outcome)


@pytest.mark.parametrize("changed", [{}, {"grid": "1/20"}])
def test_opening_k_tiles_pays_what_its_strategy_says_over_all_fields(changed):
    definition = parsed(mines(**changed))
    fields = list(permutations(range(7), 2))
    for label, strategy in definition.program("base").model.listed_bets():
        tiles = [3, 6, 0, 2, 5][: int(label.removeprefix("open-"))]
        counted = Counter(opened(definition, tiles, outcome) for outcome in fields)
        assert strategy.prizes().probabilities == {pays: Fraction(n, len(fields)) for pays, n in counted.items()}
        assert strategy.rtp() == sum(pays * n for pays, n in counted.items()) / len(fields)
        assert (strategy.rtp() == Fraction(96, 100)) == (not changed)
        at_once = resolve_bet(definition, "base", {"bet": "at-once", "tiles": tiles})
        assert Counter(map(at_once.multiplier, fields)) == counted
        assert at_once.rtp() == strategy.rtp()
        assert at_once.prizes() == strategy.prizes()


@given(st.permutations(range(7)), st.lists(st.booleans(), min_size=4, max_size=4))
def test_every_way_to_stop_has_the_same_return(order, stops):
    definition = parsed(mines())
    tiles = order[: next((place for place, stop in enumerate(stops, 1) if stop), 5)]
    fields = list(permutations(range(7), 2))
    assert sum(opened(definition, tiles, outcome) for outcome in fields) == len(fields) * Fraction(96, 100)


def test_a_grid_rounds_prizes_down():
    exact, rounded = parsed(mines()).program("base").model.pays, parsed(mines(grid="1/20")).program("base").model.pays
    for one, other in zip(exact, rounded, strict=True):
        assert (other * 20).denominator == 1
        assert 0 <= one - other < Fraction(1, 20)


def test_mines_of_25_pay_the_fair_odds_less_one_percent():
    programs = theory(MINES)["programs"]
    assert {bet["rtp"] for program in programs.values() for bet in program["bets"].values()} == {"99/100"}
    base = programs["base"]["bets"]
    # The first steps with 3 mines, and the only one with 24, as these games print them: 1.13, 1.29, 1.48, … 24.75.
    assert [base[f"open-00{k}"]["top_prize"]["multiplier"] for k in (1, 2, 3)] == ["9/8", "9/7", "207/140"]
    assert base["open-022"]["top_prize"] == {"multiplier": "2277", "odds": "1/2300"}
    assert programs["mines-24"]["top_prize"] == {"multiplier": "99/4", "odds": "1/25"}
    assert [len(programs[name]["bets"]) for name in ("base", "mines-1", "mines-10")] == [22, 24, 15]


def test_picks_keep_their_order_and_tiles_opened_at_once_have_none():
    assert validate_bet(MINES, "base", {"picks": [9, 2, 5], "bet": "mines"}) == {"bet": "mines", "picks": [9, 2, 5]}
    assert validate_bet(MINES, "base", {"bet": "at-once", "tiles": [9, 2]}) == {"bet": "at-once", "tiles": [2, 9]}
    picked = resolve_bet(MINES, "base", {"bet": "mines", "picks": [9, 2]})
    assert isinstance(picked, DecidedBet)
    assert picked.decisions == (9, 2)
    assert not isinstance(picked, Priced)
    at_once = resolve_bet(MINES, "base", {"bet": "at-once", "tiles": [9, 2]})
    assert not isinstance(at_once, DecidedBet)
    assert at_once.alike == resolve_bet(MINES, "base", {"bet": "at-once", "tiles": [3, 4]}).alike


def test_a_tile_opened_behind_a_mine_is_refused():
    with pytest.raises(BetError) as caught:
        multiplier(MINES, "base", {"bet": "mines", "picks": [1, 2, 3]}, (2, 8, 9))
    assert caught.value.path == "$.picks[2]"
    assert multiplier(MINES, "base", {"bet": "mines", "picks": [1, 2]}, (2, 8, 9)) == 0
    assert multiplier(MINES, "base", {"bet": "mines", "picks": [1, 3]}, (2, 8, 9)) == Fraction(9, 7)


@pytest.mark.parametrize(
    ("bet", "path", "words"),
    [
        ({"bet": "mine", "picks": [1]}, "$.bet", "did you mean 'mines'?"),
        ({"bet": "mines", "tiles": [1]}, "$.tiles", "known are bet, picks"),
        ({"bet": "mines", "picks": []}, "$.picks", "1 to 22 tiles"),
        ({"bet": "mines", "picks": list(range(23))}, "$.picks", "1 to 22 tiles"),
        ({"bet": "mines", "picks": "3"}, "$.picks", "expected an array"),
        ({"bet": "mines", "picks": [3, 25]}, "$.picks[1]", "from 0 to 24"),
        ({"bet": "mines", "picks": [3, True]}, "$.picks[1]", "got true"),
        ({"bet": "mines", "picks": [3, 4, 3]}, "$.picks[2]", "open already"),
        ({"bet": "at-once", "tiles": [3, -1]}, "$.tiles[1]", "from 0 to 24"),
        ({"bet": "at-once", "tiles": [3, 3]}, "$.tiles[1]", "open already"),
    ],
)
def test_bad_tiles_are_refused_with_their_path(bet, path, words):
    with pytest.raises(BetError) as caught:
        validate_bet(MINES, "base", bet)
    assert caught.value.path == path
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("value", "path", "words"),
    [
        (mines(rtp="1.01"), "settlement.rtp", "at most 1"),
        (mines(rtp="5/7"), "settlement.rtp", "no more than the stake"),
        (mines(grid=1), "settlement.grid", "would pay 1, no more"),
        (mines(grid=0), "settlement.grid", "leave it out"),
        (game([{"step": "sample", "n": 7, "m": 7}], {"model": "mines", "rtp": "0.9"}), "steps", "fewer mines"),
        (game([{"step": "sample", "n": 300, "m": 7}], {"model": "mines", "rtp": "0.9"}), "steps", "at most 256"),
        (game([{"step": "shuffle", "n": 7}], {"model": "mines", "rtp": "0.9"}), "steps", "exactly one step"),
        (hi_lo(14), "steps", "13 ranks or 52 cards"),
        (hi_lo(rtp="12/13"), "settlement.rtp", "above 12/13"),
        (hi_lo(rtp="1.5"), "settlement.rtp", "at most 1"),
        (hi_lo(bets=["same", "same"]), "settlement.bets", "twice"),
        (hi_lo(bets=["hihger"]), "settlement.bets[0]", "did you mean 'higher'?"),
    ],
)
def test_definitions_that_do_not_hold_are_refused_with_their_path(value, path, words):
    with pytest.raises(GameError) as caught:
        parsed(value)
    assert caught.value.path == f"$.programs.base.{path}"
    assert words in caught.value.message


@pytest.mark.parametrize("cards", [13, 52])
def test_every_hi_lo_bet_agrees_with_all_next_cards(cards):
    definition = parsed(hi_lo(cards))
    labels = set()
    for label, bet in definition.program("base").model.listed_bets():
        labels.add(label)
        counted = Counter(bet.multiplier((card,)) for card in range(cards))
        assert bet.prizes().probabilities == {pays: Fraction(n, cards) for pays, n in counted.items()}
        assert bet.rtp() == sum(pays * n for pays, n in counted.items()) / cards == Fraction(97, 100)
        assert bet.follows == (bet.than,)
        assert isinstance(bet, FollowingBet)
        assert resolve_bet(definition, "base", bet.canonical) == bet
    assert len(labels) == 13 + 4 * 12


@given(st.sampled_from(ALL_BETS), st.integers(0, 51), st.integers(0, 51))
def test_hi_lo_compares_ranks_with_the_ace_below_the_two(side, than, card):
    before, now = than % 13, card % 13
    wins = {
        "higher": now > before,
        "lower": now < before,
        "same": now == before,
        "higher-or-same": now >= before,
        "lower-or-same": now <= before,
    }
    bet = {"bet": side, "than": than}
    ranks = {
        "higher": 12 - before,
        "lower": before,
        "same": 1,
        "higher-or-same": 13 - before,
        "lower-or-same": before + 1,
    }
    if ranks[side] in {0, 13}:
        with pytest.raises(BetError, match=r"\$\.than: .* (always|never) wins"):
            validate_bet(HI_LO, "base", bet)
        return
    assert multiplier(HI_LO, "base", bet, (card,)) == (Fraction(99 * 13, 100 * ranks[side]) if wins[side] else 0)
    assert bet_rtp(HI_LO, "base", bet) == Fraction(99, 100)
    same = resolve_bet(HI_LO, "base", {"bet": side, "than": (than + 13) % 52})
    assert same.alike == resolve_bet(HI_LO, "base", bet).alike


@pytest.mark.parametrize(
    ("bet", "path", "words"),
    [
        ({"bet": "higher"}, "$", "'than' is missing"),
        ({"bet": "higher", "than": 52}, "$.than", "from 0 to 51"),
        ({"bet": "higher", "than": "K"}, "$.than", "got 'K'"),
        ({"bet": "higher", "than": 12}, "$.than", "never wins against K"),
        ({"bet": "lower-or-same", "than": 25}, "$.than", "always wins against K"),
        ({"bet": "red", "than": 1}, "$.bet", "is not a bet"),
    ],
)
def test_bad_hi_lo_bets_are_refused_with_their_path(bet, path, words):
    with pytest.raises(BetError) as caught:
        validate_bet(HI_LO, "base", bet)
    assert caught.value.path == path
    assert words in caught.value.message
