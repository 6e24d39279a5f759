"""Exact theory, against enumeration of every outcome where that is possible."""

import json
import math
from collections import Counter
from fractions import Fraction

import pytest
from game_samples import ROOT, SAMPLES, SHIPPED, distribution, outcomes, parsed, slot

from rng_service.games import GameError, bet_rtp, load_game, parse_game, theory
from rng_service.games.prizes import PrizeDistribution
from rng_service.games.reels import convolution
from rng_service.games.theory import percent


@pytest.mark.parametrize("make", SAMPLES.values(), ids=SAMPLES)
def test_the_distribution_of_each_listed_bet_equals_enumeration(make):
    value = make()
    definition = parsed(value)
    listed = definition.program("base").model.listed_bets()
    assert len({label for label, _ in listed}) == len(listed)
    for _, bet in listed:
        expected = distribution(value["programs"]["base"], bet)
        found = {prize: chance for prize, chance in bet.prizes().probabilities.items() if chance}
        assert found == expected
        assert bet.rtp() == sum(prize * chance for prize, chance in expected.items())


@pytest.mark.parametrize("without", [["wild"], ["scatter", "scatter_pays"], ["wild", "scatter", "scatter_pays"]])
def test_slots_without_wild_or_scatter_agree_with_enumeration_too(without):
    value = slot()
    rules = value["programs"]["base"]["settlement"]
    for key in without:
        del rules[key]
    spin = parsed(value).program("base").model.spin
    everything = list(outcomes(value["programs"]["base"]))
    counted = Counter(spin.multiplier(stops) for stops, _ in everything)
    assert spin.prizes().probabilities == {prize: Fraction(ways, len(everything)) for prize, ways in counted.items()}
    assert spin.rtp() == spin.prizes().mean


def test_a_longer_run_never_pays_less_than_a_shorter_one():
    value = slot()
    value["programs"]["base"]["settlement"]["pays"]["A"] = {"2": 9}
    lines = parsed(value).program("base").model.spin.combinations
    # A run of three A has no prize of its own, so that of two counts (in units of half a line bet).
    assert lines.value([2, 2, 2]) == lines.value([2, 2, 3]) == 9 * 2


def test_roulette_is_36_37_on_every_bet():
    found = theory(load_game(ROOT / "games" / "european-roulette.json"))
    program = found["programs"]["base"]
    assert program["rtp"] == "36/37"
    assert program["rtp_percent"] == "97.2973"
    assert program["hit_frequency"] == "1/37"
    assert program["top_prize"] == {"multiplier": "36", "odds": "1/37"}
    assert program["standard_deviation"] == pytest.approx(math.sqrt(36**2 / 37 - (36 / 37) ** 2))
    assert program["volatility_index_95"] == pytest.approx(1.96 * program["standard_deviation"], rel=1e-4)
    assert len(program["bets"]) == 15
    assert {bet["rtp"] for bet in program["bets"].values()} == {"36/37"}
    assert program["bets"]["red"]["hit_frequency"] == "18/37"


def test_dice_is_99_percent_whatever_the_threshold():
    definition = load_game(ROOT / "games" / "dice-99.json")
    assert all(
        bet_rtp(definition, "base", {"bet": "under", "threshold": threshold}) == Fraction(99, 100)
        for threshold in range(1, 9801)
    )
    assert theory(definition)["programs"]["base"]["top_prize"] == {"multiplier": "9900", "odds": "1/10000"}


def test_keno_returns_94_to_96_percent_with_the_known_hypergeometric_odds():
    bets = theory(load_game(ROOT / "games" / "keno-80.json"))["programs"]["base"]["bets"]
    assert sorted(bets) == sorted(f"pick-{picks}" for picks in range(1, 11))
    assert all(Fraction(94, 100) <= Fraction(bet["rtp"]) <= Fraction(96, 100) for bet in bets.values())
    # Ten of ten: the textbook 1 in 8,911,711.18.
    assert 1 / Fraction(bets["pick-10"]["top_prize"]["odds"]) == pytest.approx(8_911_711.18)


def test_the_slot_returns_94_to_97_percent_and_its_numbers_are_frozen():
    definition = load_game(ROOT / "games" / "fruit-lines.json")
    program = theory(definition)["programs"]["base"]
    assert Fraction(94, 100) <= Fraction(program["rtp"]) <= Fraction(97, 100)
    assert program["rtp_percent"] == "96.4693"
    assert Fraction(program["rtp"]).denominator <= 20 * 32**5
    assert Fraction(program["hit_frequency"]).denominator <= 32**5


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_theory_has_the_shape_of_game_check(path):
    definition = load_game(path)
    found = json.loads(json.dumps(theory(definition)))
    assert list(found) == ["game", "version", "digest", "programs"]
    assert found["digest"] == definition.digest.hex()
    for program in found["programs"].values():
        if not program["bets"]:
            assert program == {"bets": {}}
            continue
        assert program["reference_bet"] in program["bets"]
        for figures in (program, *program["bets"].values()):
            # What a feature returns is told for each unit staked on the draw that awarded it.
            assert Fraction(figures["rtp"]) <= 1 or "feature" in program
            assert 0 < Fraction(figures["hit_frequency"]) <= 1
            assert isinstance(figures["standard_deviation"], float)
            assert isinstance(figures["volatility_index_95"], float)
            assert set(figures["top_prize"]) == {"multiplier", "odds"}


def test_selections_that_differ_in_their_chances_are_listed_one_by_one():
    value = SAMPLES["wheel"]()
    value["programs"]["base"]["settlement"]["bets"]["on"] = {"pays": 1, "selections": [[0], [1]]}
    bets = theory(parsed(value))["programs"]["base"]["bets"]
    assert bets["on:0"]["rtp"] == "10/17"
    assert bets["on:1"]["rtp"] == "6/17"
    assert bets["on:1"]["bet"] == {"bet": "on", "numbers": [1]}


def test_a_slot_whose_distribution_is_out_of_reach_says_so_and_still_has_its_return(monkeypatch):
    monkeypatch.setattr(convolution, "MAX_WORK", 5)
    definition = parsed(slot())
    with pytest.raises(GameError, match="more than 5 steps"):
        theory(definition)
    assert bet_rtp(definition, "base", "spin") > 0


def test_a_distribution_must_sum_to_one():
    with pytest.raises(ValueError, match="sum to 1"):
        PrizeDistribution({Fraction(0): Fraction(1, 2)})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(36, 37), "97.2973"),
        (Fraction(1), "100.0000"),
        (Fraction(99, 100), "99.0000"),
        (Fraction(1, 10**6), "0.0001"),
        (Fraction(5, 10**7), "0.0000"),
    ],
)
def test_percentages_have_four_decimals(value, text):
    assert percent(value) == text


def test_the_example_in_the_documentation_is_a_game_and_its_table_of_returns_is_true():
    text = (ROOT / "docs" / "games.md").read_text()
    example = parse_game(text.split("```json\n")[1].split("```")[0].encode())
    assert theory(example)["programs"]["base"]["rtp_percent"] == "94.0000"
    for path in SHIPPED:
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{path.stem}` |")]
        if "no bets" in row:
            assert not any(program["bets"] for program in theory(load_game(path))["programs"].values())
            continue
        returns = [Fraction(bet["rtp"]) for bet in theory(load_game(path))["programs"]["base"]["bets"].values()]
        named = [Fraction(word) for word in row.split("|")[2].split() if word[0].isdigit() and "." in word]
        if named:
            assert abs(min(returns) * 100 - named[0]) < Fraction(6, 100)
            assert abs(max(returns) * 100 - named[-1]) < Fraction(6, 100)
        else:
            assert "99 %" in row
            assert set(returns) == {Fraction(99, 100)}
