"""The shipped games of pure chance against published house edges, and their settlement against plain readings."""

import json
from fractions import Fraction
from itertools import product

import pytest
from game_samples import ROOT, SAMPLES, craps, crash, game, limbo, lotto, parsed, partage, plinko, sic_bo, two_drums
from hypothesis import given
from hypothesis import strategies as st

from rng_service.games import BetError, GameError, bet_rtp, load_game, multiplier, resolve_bet, theory, validate_bet


def shipped(name):
    return load_game(ROOT / "games" / f"{name}.json")


def edges(name, program="base"):
    return {
        label: 1 - Fraction(bet["rtp"]) for label, bet in theory(shipped(name))["programs"][program]["bets"].items()
    }


# Roulette


def test_american_roulette_keeps_one_nineteenth_and_more_on_the_five_number_bet():
    found = edges("american-roulette")
    assert found.pop("five-number") == Fraction(3, 38)
    assert set(found.values()) == {Fraction(1, 19)}
    sizes = {name: len(chosen) for name, chosen in shipped("american-roulette").program("base").model.bets.items()}
    assert (sizes["straight"], sizes["split"], sizes["street"], sizes["corner"], sizes["trio"]) == (38, 62, 12, 22, 3)


def test_la_partage_halves_the_edge_of_the_even_money_bets():
    found = edges("french-roulette")
    even_money = {name: found.pop(name) for name in ("rouge", "noir", "pair", "impair", "manque", "passe")}
    assert set(even_money.values()) == {Fraction(1, 74)}
    assert set(found.values()) == {Fraction(1, 37)}


@pytest.mark.parametrize(("number", "pays"), [(0, Fraction(1, 2)), (1, 2), (2, 0)])
def test_la_partage_returns_half_on_zero(number, pays):
    assert multiplier(shipped("french-roulette"), "base", "rouge", (number,)) == pays


@pytest.mark.parametrize(
    ("refunds", "path", "words"),
    [
        ([{"pays": 2, "numbers": [0]}], "refunds[0].pays", "at most the stake"),
        ([{"pays": 1, "numbers": [3]}], "selections[0][1]", "has a refund already"),
        ([{"pays": 1, "numbers": [0]}, {"pays": "1/2", "numbers": [1, 0]}], "refunds[1].numbers[1]", "already"),
        ([], "refunds", "1 to"),
    ],
)
def test_a_refund_that_cannot_be_is_refused(refunds, path, words):
    value = partage()
    value["programs"]["base"]["settlement"]["bets"]["some"]["refunds"] = refunds
    with pytest.raises(GameError, match=words) as caught:
        parsed(value)
    assert caught.value.path == f"$.programs.base.settlement.bets.some.{path}"


# Limbo and crash


@pytest.mark.parametrize("name", ["limbo-99", "crash-99"])
@given(hundredths=st.integers(101, 1_000_000))
def test_every_multiplier_returns_99_percent_up_to_the_grain_of_the_drawn_value(name, hundredths):
    model = shipped(name).program("base").model
    bet = model.resolve({"bet": model.name, model.key: f"{hundredths // 100}.{hundredths % 100:02d}"})
    assert Fraction(99, 100) - Fraction(hundredths, 100 * 2**52) < bet.rtp() <= Fraction(99, 100)
    assert bet.prizes().mean == bet.rtp()


@pytest.mark.parametrize("make", [limbo, crash])
def test_every_multiplier_of_a_small_game_agrees_with_enumeration(make):
    model = parsed(make()).program("base").model
    faces, highest = model.reach.faces, model.reach.highest
    for hundredths in range(101, highest + 1):
        bet = model.resolve({"bet": model.name, model.key: f"{hundredths // 100}.{hundredths % 100:02d}"})
        wins = sum(bet.multiplier((value,)) == Fraction(hundredths, 100) for value in range(faces))
        assert bet.rtp() == Fraction(hundredths * wins, 100 * faces) <= model.reach.target


@given(st.integers(0, 2**52 - 1), st.integers(101, 1_000_000))
def test_a_bettor_is_paid_exactly_when_the_shown_crash_point_is_reached(value, hundredths):
    definition = shipped("crash-99")
    point = definition.program("base").model.crash_point((value,))
    assert 100 <= point <= 1_000_000
    at = f"{hundredths // 100}.{hundredths % 100:02d}"
    paid = multiplier(definition, "base", {"bet": "cash-out", "at": at}, (value,))
    assert paid == (Fraction(hundredths, 100) if point >= hundredths else 0)


def test_the_crash_points_at_the_ends_and_the_instant_bust_are_known():
    model = shipped("crash-99").program("base").model
    assert model.crash_point((0,)) == 1_000_000
    assert model.crash_point((2**52 - 1,)) == 100
    assert model.crash_point((2**51 - 1,)) == 198
    busts = 2**52 - 9900 * 2**52 // 10100
    assert model.instant_bust() == Fraction(busts, 2**52)
    assert model.crash_point((2**52 - busts,)) == 100
    assert model.crash_point((2**52 - busts - 1,)) == 101
    assert parsed(crash()).program("base").model.instant_bust() == 1 - Fraction(90 * 777 // 101, 777)


def test_the_shown_result_of_limbo_is_between_one_and_the_highest():
    model = shipped("limbo-99").program("base").model
    assert model.result((0,)) == 100_000_000
    assert model.result((2**52 - 1,)) == 100


def test_multipliers_have_one_recorded_form():
    definition = shipped("crash-99")
    for at in ("2.5", "2.50"):
        assert validate_bet(definition, "base", {"bet": "cash-out", "at": at}) == {"bet": "cash-out", "at": "2.50"}
    assert validate_bet(definition, "base", {"bet": "cash-out", "at": 3}) == {"bet": "cash-out", "at": "3.00"}


@pytest.mark.parametrize("at", ["1.00", "1", 1, "10000.01", "2.505", "02.50", "2.", ".5", "-2", True, None, "1e3", "٢"])
def test_a_multiplier_off_the_grid_or_out_of_range_is_refused(at):
    with pytest.raises(BetError, match=r'\$\.at: expected a multiplier from "1.01" to "10000.00"'):
        validate_bet(shipped("crash-99"), "base", {"bet": "cash-out", "at": at})


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("rtp", "1.01", "at most 1"),
        ("highest", "1.005", "whole hundredths"),
        ("highest", 1, "whole hundredths"),
        ("highest", 195, "above rtp"),
    ],
)
def test_a_limbo_that_cannot_be_is_refused(key, value, words):
    bent = limbo()
    bent["programs"]["base"]["settlement"][key] = value
    with pytest.raises(GameError, match=words) as caught:
        parsed(bent)
    assert caught.value.path == f"$.programs.base.settlement.{key}"


# Coin, wheel, plinko


def test_the_coin_keeps_one_percent_also_on_streaks():
    assert all(
        Fraction(bet["rtp"]) == Fraction(99, 100)
        for program in theory(shipped("coin-flip"))["programs"].values()
        for bet in program["bets"].values()
    )


def test_the_big_six_wheel_has_the_edges_of_the_textbooks():
    percents = {
        "1": "11.11",
        "2": "16.67",
        "5": "22.22",
        "10": "18.52",
        "20": "22.22",
        "joker": "24.07",
        "logo": "24.07",
    }
    assert {label: f"{float(edge * 100):.2f}" for label, edge in edges("big-six").items()} == percents


def test_plinko_keeps_about_one_percent_on_16_and_on_8_rows():
    assert edges("plinko-16") == {
        "low": 1 - Fraction(324399, 327680),
        "medium": 1 - Fraction(64873, 65536),
        "high": 1 - Fraction(162163, 163840),
    }
    assert all(Fraction(9, 1000) < edge < Fraction(11, 1000) for edge in edges("plinko-16", "rows-8").values())


def test_a_plinko_ball_falls_into_the_bucket_of_its_rights():
    definition = parsed(plinko())
    assert [multiplier(definition, "base", "low", path) for path in ((0, 0, 0, 0), (0, 1, 0, 0), (1, 0, 1, 0))] == [
        2,
        1,
        Fraction(1, 2),
    ]


@pytest.mark.parametrize(
    ("steps", "bets", "words"),
    [
        ([{"step": "uniform", "n": 3, "count": 2}], {"low": [1, 0, 1]}, "uniform of 2"),
        ([{"step": "uniform", "n": 2, "count": 65}], {"low": [1] * 66}, "at most 64 rows"),
        ([{"step": "uniform", "n": 2, "count": 2}], {"low": [1, 0]}, "3 to 3 items"),
        ([{"step": "uniform", "n": 2, "count": 2}], {"low": [0, 0, 0]}, "no bucket pays"),
    ],
)
def test_a_plinko_that_cannot_be_is_refused(steps, bets, words):
    with pytest.raises(GameError, match=words):
        parsed(game(steps, {"model": "plinko", "bets": bets}))


# Lotteries


def chances(name):
    drums = shipped(name).program("base").model.drums
    return {found: 1 / chance for found, chance in drums.chances().items()}, drums


def test_6_of_49_has_the_published_odds():
    odds, drums = chances("lotto-6-49")
    assert odds[6, 0] == 13_983_816
    assert odds[5, 1] == 2_330_636
    assert [round(float(odds[5, 0]), 2), round(float(odds[2, 1]), 1)] == [55_491.33, 81.2]
    assert round(float(1 / (1 / odds[4, 0] + 1 / odds[4, 1])), 1) == 1032.4
    assert round(float(1 / (1 / odds[3, 0] + 1 / odds[3, 1])), 1) == 56.7
    assert all(drums.chance(*found) == 1 / odd for found, odd in odds.items())
    assert sum(drums.chances().values()) == 1


def test_5_of_69_and_1_of_26_has_the_published_odds():
    odds, drums = chances("lotto-5-69")
    assert odds[5, 1] == 292_201_338
    published = {
        (5, 0): 11_688_053.52,
        (4, 1): 913_129.18,
        (4, 0): 36_525.17,
        (3, 1): 14_494.11,
        (3, 0): 579.76,
        (2, 1): 701.33,
        (1, 1): 91.98,
        (0, 1): 38.32,
    }
    assert {found: round(float(odds[found]), 2) for found in published} == published
    assert round(float(1 / sum(1 / odds[found] for found in [*published, (5, 1)])), 2) == 24.87
    assert all(drums.chance(*found) == 1 / odd for found, odd in odds.items())


def test_a_line_is_settled_by_its_hits_and_the_bonus_ball():
    definition = shipped("lotto-6-49")
    bet = {"bet": "line", "numbers": [49, 1, 2, 3, 4, 5]}
    assert validate_bet(definition, "base", bet) == {"bet": "line", "numbers": [1, 2, 3, 4, 5, 49]}
    paid = {
        (0, 1, 2, 3, 4, 48, 20): 3_000_000,
        (0, 1, 2, 3, 4, 20, 48): 75_000,
        (48, 1, 2, 3, 4, 20, 21): 1_000,
        (0, 1, 2, 3, 20, 21, 4): 30,
        (0, 1, 30, 31, 20, 21, 4): 2,
        (0, 1, 30, 31, 20, 21, 22): 1,
        (0, 11, 30, 31, 20, 21, 1): 0,
    }
    assert {outcome: multiplier(definition, "base", bet, outcome) for outcome in paid} == paid


def test_the_bonus_of_a_second_drum_is_picked_apart():
    definition = shipped("lotto-5-69")
    bet = {"bet": "line", "numbers": [1, 2, 3, 4, 69], "bonus": [26]}
    assert validate_bet(definition, "base", bet) == bet
    assert multiplier(definition, "base", bet, (68, 3, 2, 1, 0, 25)) == 100_000_000
    assert multiplier(definition, "base", bet, (68, 3, 2, 1, 0, 24)) == 500_000
    assert multiplier(definition, "base", bet, (50, 51, 52, 53, 54, 25)) == 2


@pytest.mark.parametrize(
    ("name", "bet", "path", "words"),
    [
        ("lotto-6-49", {"bet": "line", "numbers": [1, 2, 3]}, "$.numbers", "a line has 6 numbers here, got 3"),
        ("lotto-6-49", {"bet": "line", "numbers": [1, 2, 3, 4, 5, 50]}, "$.numbers[5]", "from 1 to 49"),
        ("lotto-6-49", {"bet": "line", "numbers": [1, 2, 3, 4, 5, 5]}, "$.numbers", "twice"),
        ("lotto-6-49", {"bet": "line", "numbers": [1, 2, 3, 4, 5, 6], "bonus": [7]}, "$.bonus", "unknown key"),
        ("lotto-5-69", {"bet": "line", "numbers": [1, 2, 3, 4, 5]}, "$", "'bonus' is missing"),
        ("lotto-5-69", {"bet": "line", "numbers": [1, 2, 3, 4, 5], "bonus": [27]}, "$.bonus[0]", "from 1 to 26"),
    ],
)
def test_a_line_that_is_none_is_refused(name, bet, path, words):
    with pytest.raises(BetError, match=words.replace("$", r"\$")) as caught:
        validate_bet(shipped(name), "base", bet)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("make", "change", "words"),
    [
        (lotto, {"prizes": [{"hits": 4, "pays": 1}]}, "from 0 to 3"),
        (lotto, {"prizes": [{"hits": 3, "bonus": 1, "pays": 1}]}, "no draw gives these hits"),
        (lotto, {"prizes": [{"hits": 2, "pays": 1}, {"hits": 2, "bonus": 0, "pays": 2}]}, "have a prize already"),
        (lotto, {"bonus_drawn": 4}, "from 1 to 3"),
        (lotto, {"bonus_picks": 1}, "no second sample"),
        (two_drums, {"bonus_drawn": 1}, "second sample here"),
        (two_drums, {"bonus_picks": 5}, "from 1 to 4"),
    ],
)
def test_a_lottery_that_cannot_be_is_refused(make, change, words):
    value = make()
    value["programs"]["base"]["settlement"] |= change
    with pytest.raises(GameError, match=words):
        parsed(value)


@given(st.integers(5, 9), st.integers(1, 5), st.integers(0, 3), st.integers(1, 5))
def test_both_ways_to_the_chances_of_a_lottery_agree(numbers, drawn, bonus, picks):
    bonus = min(bonus, numbers - drawn)
    value = lotto()
    settlement = value["programs"]["base"]["settlement"]
    value["programs"]["base"]["steps"] = [{"step": "sample", "n": numbers, "m": drawn + bonus}]
    del settlement["bonus_drawn"]
    settlement |= {"picks": picks, "prizes": [{"hits": min(picks, drawn), "pays": 1}]} | (
        {"bonus_drawn": bonus} if bonus else {}
    )
    drums = parsed(value).program("base").model.drums
    found = drums.chances()
    assert sum(found.values()) == 1
    assert all(drums.chance(hits, more) == found.get((hits, more), 0) for hits in range(7) for more in range(7))


@pytest.mark.parametrize("name", ["lotto-6-49", "lotto-5-69", "plinko-16", "keno-80"])
def test_the_lines_of_a_paytable_sum_to_the_return(name):
    for _, bet in shipped(name).program("base").model.listed_bets():
        items = bet.breakdown()
        assert len({item.name for item in items}) == len(items) == sum(1 for pays in paid(bet.pays) if pays)
        assert sum(item.returned for item in items) == bet.rtp()
        assert all(item.returned == item.pays * item.chance for item in items)


def paid(pays):
    return pays.values() if isinstance(pays, dict) else pays


def test_tickets_of_keno_with_as_many_picks_are_priced_alike():
    definition = shipped("keno-80")
    picks = [resolve_bet(definition, "base", {"bet": "pick", "numbers": numbers}) for numbers in ([1, 2], [7, 80], [3])]
    assert picks[0].alike == picks[1].alike != picks[2].alike
    assert picks[0].prizes() == picks[1].prizes()


def test_all_lines_of_a_lottery_are_priced_alike():
    definition = shipped("lotto-6-49")
    lines = [resolve_bet(definition, "base", {"bet": "line", "numbers": list(range(a, a + 6))}) for a in (1, 40)]
    assert lines[0].alike == lines[1].alike
    assert lines[0].prizes() == lines[1].prizes()


# Integers


def test_integers_are_drawn_and_nothing_can_be_bet_on_them():
    definition = shipped("integers")
    model = definition.program("base").model
    assert model.integers((0, 99, 41)) == (1, 100, 42)
    assert model.listed_bets() == []
    assert theory(definition)["programs"] == {"base": {"bets": {}}, "raffle": {"bets": {}}}
    for bet in ("spin", {"bet": "exact", "numbers": [1]}):
        with pytest.raises(BetError, match="takes no bets: its outcomes are integers"):
            validate_bet(definition, "base", bet)
    with pytest.raises(BetError, match="takes no bets"):
        bet_rtp(definition, "raffle", "spin")


@pytest.mark.parametrize("first", [-5, 0, 2**53 - 1])
def test_integers_may_begin_anywhere(first):
    value = game([{"step": "shuffle", "n": 3}], {"model": "integers", "first_number": first})
    assert parsed(value).program("base").model.integers((2, 0, 1)) == (first + 2, first, first + 1)


def test_integers_take_one_step_of_the_right_kind():
    with pytest.raises(GameError, match="exactly one step"):
        parsed(game([{"step": "weighted", "weights": [1, 2]}], {"model": "integers", "first_number": 0}))


# Sic bo


def test_sic_bo_has_the_edges_of_macau():
    percents = {
        **dict.fromkeys(("small", "big", "odd", "even"), "2.78"),
        "single": "7.87",
        "combination": "16.67",
        "double": "33.33",
        "triple": "30.09",
        "any-triple": "30.56",
    }
    totals = {4: "29.17", 5: "47.22", 6: "30.56", 7: "9.72", 8: "12.50", 9: "18.98", 10: "12.50"}
    percents |= {f"total:{total}": totals[min(total, 21 - total)] for total in range(4, 18)}
    assert {label: f"{float(edge * 100):.2f}" for label, edge in edges("sic-bo-macau").items()} == percents


@pytest.mark.parametrize(
    ("bet", "to_one", "percent"),
    [
        ("total:4", 60, "15.28"),
        ("total:4", 62, "12.50"),
        ("total:5", 30, "13.89"),
        ("total:16", 31, "11.11"),
        ("total:6", 17, "16.67"),
        ("total:15", 18, "12.04"),
        ("total:9", 7, "7.41"),
        ("double", 10, "18.52"),
        ("double", 11, "11.11"),
        ("triple", 180, "16.20"),
        ("any-triple", 30, "13.89"),
        ("combination", 6, "2.78"),
    ],
)
def test_sic_bo_has_the_edges_of_atlantic_city_and_australia_with_their_paytables(bet, to_one, percent):
    value = sic_bo()
    bets = value["programs"]["base"]["settlement"]["bets"]
    name, _, total = bet.partition(":")
    bets[name] = bets[name] | {total: to_one + 1} if total else to_one + 1
    edge = 1 - Fraction(theory(parsed(value))["programs"]["base"]["bets"][bet]["rtp"])
    assert f"{float(edge * 100):.2f}" == percent


def test_sic_bo_bets_win_on_the_dice_that_the_layout_says():
    definition = parsed(sic_bo())
    for dice in product(range(1, 7), repeat=3):
        outcome, triple = tuple(die - 1 for die in dice), len(set(dice)) == 1

        def pays(bet, outcome=outcome):
            return multiplier(definition, "base", bet, outcome)

        assert pays("small") == (2 if 4 <= sum(dice) <= 10 and not triple else 0)
        assert pays("big") == (2 if 11 <= sum(dice) <= 17 and not triple else 0)
        assert pays("odd") == (2 if sum(dice) % 2 == 1 and not triple else 0)
        assert pays("even") == (2 if sum(dice) % 2 == 0 and not triple else 0)
        assert pays("any-triple") == (31 if triple else 0)
        assert pays({"bet": "triple", "numbers": [5]}) == (181 if dice == (5, 5, 5) else 0)
        assert pays({"bet": "double", "numbers": [2]}) == (11 if sorted(dice).count(2) >= 2 else 0)
        assert pays({"bet": "combination", "numbers": [6, 3]}) == (6 if {3, 6} <= set(dice) else 0)
        assert pays({"bet": "single", "numbers": [1]}) == (0, 2, 3, 13)[dice.count(1)]
        assert pays({"bet": "total", "numbers": [9]}) == (9 if sum(dice) == 9 else 0)


@pytest.mark.parametrize("numbers", [[1], [4], [6]])
def test_which_number_is_chosen_changes_no_chance_in_sic_bo(numbers):
    definition = parsed(sic_bo())
    for name in ("single", "double", "triple"):
        one, other = ({"bet": name, "numbers": chosen} for chosen in (numbers, [2]))
        assert resolve_bet(definition, "base", one).prizes() == resolve_bet(definition, "base", other).prizes()


@pytest.mark.parametrize(
    ("bet", "words"),
    [
        ({"bet": "total", "numbers": [3]}, "from 4 to 17"),
        ({"bet": "combination", "numbers": [3]}, "takes 2 numbers, got 1"),
        ({"bet": "combination", "numbers": [3, 3]}, "twice"),
        ({"bet": "small", "numbers": [3]}, "unknown key"),
        ({"bet": "double", "numbers": [7]}, "from 1 to 6"),
        ("triple", "'numbers' is missing"),
    ],
)
def test_a_sic_bo_bet_that_is_none_is_refused(bet, words):
    with pytest.raises(BetError, match=words):
        validate_bet(parsed(sic_bo()), "base", bet)


def test_a_sic_bo_total_without_a_prize_is_refused():
    value = sic_bo()
    del value["programs"]["base"]["settlement"]["bets"]["total"]["9"]
    with pytest.raises(BetError, match="the total 9 is not in the paytable"):
        validate_bet(parsed(value), "base", {"bet": "total", "numbers": [9]})


# Craps

ENDLESS = {
    "pass": Fraction(7, 495),
    "dont-pass": Fraction(3, 220),
    "odds": 0,
    "lay-odds": 0,
    **dict.fromkeys(("place-6", "place-8"), Fraction(1, 66)),
    **dict.fromkeys(("place-5", "place-9"), Fraction(1, 25)),
    **dict.fromkeys(("place-4", "place-10"), Fraction(1, 15)),
    **dict.fromkeys(("big-6", "big-8", "hard-6", "hard-8"), Fraction(1, 11)),
    **dict.fromkeys(("hard-4", "hard-10", "any-craps", "ace-deuce", "yo", "craps-eleven"), Fraction(1, 9)),
    **dict.fromkeys(("aces", "boxcars"), Fraction(5, 36)),
    "any-seven": Fraction(1, 6),
    "horn": Fraction(1, 8),
    "field": Fraction(1, 18),
    "field-triple": Fraction(1, 36),
}


def test_craps_has_the_published_edges_and_the_end_after_64_rolls_changes_some_billionths():
    bets = shipped("craps").program("base").model.bets
    assert {name: 1 - bet.endless_rtp() for name, bet in bets.items()} == ENDLESS
    for name, edge in edges("craps").items():
        assert abs(ENDLESS[name] - edge) < Fraction(2, 10**9), name
    assert f"{float(edges('craps')['pass']):.7%}" == "1.4141413%"


def test_the_pass_line_is_won_244_times_in_495():
    bet = shipped("craps").program("base").model.bets["pass"]
    assert bet.endless_rtp() == 2 * Fraction(244, 495)
    assert bet.contributions()["undecided"] == sum(
        Fraction(ways, 36) * Fraction(30 - ways, 36) ** 63 for ways in (3, 4, 5, 5, 4, 3)
    )


def rolled(*rolls):
    """Return an outcome of three rolls whose totals, or dice, are given; the last is repeated."""
    dice = [roll if isinstance(roll, tuple) else (min(roll - 1, 6), roll - min(roll - 1, 6)) for roll in rolls]
    dice += [dice[-1]] * (3 - len(dice))
    return tuple(die - 1 for pair in dice for die in pair)


@pytest.mark.parametrize(
    ("bet", "rolls", "pays"),
    [
        ("pass", (7,), 2),
        ("pass", (11,), 2),
        ("pass", (12,), 0),
        ("pass", (6, 5, 6), 2),
        ("pass", (6, 7, 6), 0),
        ("pass", (6, 11, 2), 1),
        ("dont-pass", (12,), 1),
        ("dont-pass", (2,), 2),
        ("dont-pass", (11,), 0),
        ("dont-pass", (9, 7), 2),
        ("dont-pass", (9, 9), 0),
        ("odds", (7,), 1),
        ("odds", (4, 4), 3),
        ("odds", (5, 5), Fraction(5, 2)),
        ("odds", (8, 8), Fraction(11, 5)),
        ("odds", (8, 7), 0),
        ("odds", (8, 3, 3), 1),
        ("lay-odds", (10, 7), Fraction(3, 2)),
        ("lay-odds", (9, 7), Fraction(5, 3)),
        ("lay-odds", (6, 7), Fraction(11, 6)),
        ("lay-odds", (6, 6), 0),
        ("place-5", (5,), Fraction(12, 5)),
        ("place-5", (11, 12, 5), Fraction(12, 5)),
        ("place-5", (11, 7, 5), 0),
        ("hard-8", ((4, 4),), 10),
        ("hard-8", ((5, 3),), 0),
        ("hard-8", (9, (4, 4)), 10),
        ("hard-8", (9, 7, (4, 4)), 0),
        ("field", (12,), 4),
        ("field", (5,), 0),
    ],
)
def test_craps_bets_are_read_from_the_come_out_until_they_are_decided(bet, rolls, pays):
    assert multiplier(parsed(craps()), "base", bet, rolled(*rolls)) == pays


def test_a_sequence_of_one_roll_gives_everything_back_that_it_cannot_decide():
    value = craps()
    value["programs"]["base"]["steps"][0]["count"] = 2
    bet = parsed(value).program("base").model.bets["pass"]
    assert bet.prizes().probabilities == {0: Fraction(4, 36), 2: Fraction(8, 36), 1: Fraction(24, 36)}
    assert bet.rtp() == bet.prizes().mean


@pytest.mark.parametrize(
    ("bet", "words"),
    [
        ({"pays": 2}, "'kind' is missing"),
        ({"kind": "pas", "pays": 2}, "did you mean 'pass'"),
        ({"kind": "pass", "pays": 2, "bar": 12}, "unknown key"),
        ({"kind": "dont-pass", "pays": 2, "bar": 7}, "expected 2, 3 or 12"),
        ({"kind": "place", "number": 7, "pays": 2}, "the seven is no point"),
        ({"kind": "hard", "number": 5, "pays": 2}, "cannot be rolled as a pair"),
        ({"kind": "roll", "pays": {"13": 2}}, "from 2 to 12"),
        ({"kind": "odds", "against": 1}, "true or false"),
    ],
)
def test_a_craps_bet_that_cannot_be_is_refused(bet, words):
    value = craps()
    value["programs"]["base"]["settlement"]["bets"]["pass"] = bet
    with pytest.raises(GameError, match=words):
        parsed(value)


@pytest.mark.parametrize(
    ("model", "step"),
    [("craps", {"n": 6, "count": 5}), ("craps", {"n": 5, "count": 4}), ("sic-bo", {"n": 6, "count": 2})],
)
def test_a_dice_game_needs_its_dice(model, step):
    value = SAMPLES[model]()
    value["programs"]["base"]["steps"] = [{"step": "uniform", **step}]
    with pytest.raises(GameError, match="needs a uniform of 6"):
        parsed(value)


def test_the_example_bets_of_the_documentation_are_bets():
    text = (ROOT / "docs" / "games.md").read_text()
    examples = {
        "limbo-99": '{"bet": "target", "multiplier": "2.50"}',
        "crash-99": '{"bet": "cash-out", "at": "2.50"}',
        "lotto-6-49": '{"bet": "line", "numbers": [3, 8, 17, 22, 31, 49]}',
        "sic-bo-macau": '{"bet": "total", "numbers": [9]}',
    }
    for name, bet in examples.items():
        assert bet in text
        assert validate_bet(shipped(name), "base", json.loads(bet)) == json.loads(bet)
