"""Reel sets of another open engine: our exact returns are the figures that its reel scanner prints."""

import json
from decimal import Decimal
from fractions import Fraction

import pytest
from game_samples import ROOT

from rng_service.games import parse_game
from rng_service.games.theory import program_theory

VECTORS = sorted((ROOT / "tests" / "vectors" / "slots").glob("*.json"))


def rounded(value, printed):
    """Return ``value`` with as many significant or decimal digits as the printed figure has."""
    places = -Decimal(printed).as_tuple().exponent
    return str((Decimal(value.numerator) / Decimal(value.denominator)).quantize(Decimal(1).scaleb(-places)))


@pytest.mark.parametrize("path", VECTORS, ids=[path.stem for path in VECTORS])
def test_returns_are_those_that_the_other_engine_prints(path):
    vector = json.loads(path.read_text())
    printed = vector["printed"]
    definition = parse_game(json.dumps(vector["definition"]).encode())
    (bet,) = program_theory(definition, "base").values()
    assert rounded(bet.rtp * 100, printed["return"]) == printed["return"]
    for name in {"lines", "ways"} & set(printed):
        assert rounded(bet.contributions[name] * 100, printed[name]) == printed[name]
    if "scatter" in printed:
        (scatter,) = [part for name, part in bet.contributions.items() if name.startswith("scatter ")]
        assert rounded(scatter * 100, printed["scatter"]) == printed["scatter"]
    if "awarded" in printed:
        award = bet.awards["free"]
        (free,) = program_theory(definition, "free").values()
        assert rounded(1 / award.frequency, printed["every"]) == printed["every"]
        assert rounded(free.rtp * 100, printed["feature"]) == printed["feature"]
        draws = sum(chance * dict(awards).get("free", 0) for (_, awards), chance in _joint(definition).items())
        assert rounded(draws, printed["awarded"]) == printed["awarded"]
        assert bet.rtp == bet.prizes.mean + draws * free.rtp


def _joint(definition):
    return definition.program("base").model.spin.joint()


def test_there_is_a_vector_with_free_spins_and_one_with_wild_multipliers():
    settlements = [json.loads(path.read_text())["definition"]["programs"]["base"]["settlement"] for path in VECTORS]
    assert any("awards" in rules for rules in settlements)
    assert any("multiplier" in wild for rules in settlements for wild in rules.get("wilds", {}).values())
    assert {rules["model"] for rules in settlements} == {"lines", "ways"}


def test_figures_are_rounded_as_printed():
    assert rounded(Fraction(2, 3), "0.667") == "0.667"


def test_windows_win_what_the_other_engine_says_they_win():
    vector = json.loads((ROOT / "tests" / "vectors" / "slots" / "savanna-ways.json").read_text())
    program = vector["definition"]["programs"]["base"]
    for window in vector["windows"]:
        # Strips of three symbols at stop 0 show just this window.
        program["steps"][0]["strips"] = [list(column) for column in zip(*window["rows"], strict=True)]
        definition = parse_game(json.dumps(vector["definition"]).encode())
        spin = definition.program("base").model.spin
        assert spin.multiplier((0,) * 5) * 25 == window["wins"]
