"""Slots as they are written: what is refused, with the place; the shipped and documented games in exact figures."""

import copy
import json
from collections import Counter
from fractions import Fraction
from itertools import product

import pytest
from game_samples import ROOT, anywhere_game, lines_game, parsed, slot, ways_game

from rng_service.games import GameError, bet_rtp, load_game, parse_game, theory
from rng_service.games.reels import convolution, paylines

RULES = "$.programs.base.settlement"
STRIPS = "$.programs.base.steps[0].strips"


def bent(value, path, new):
    *parents, last = path
    place = value["programs"]["base"]["settlement"]
    for key in parents:
        place = place[key]
    if new is None:
        del place[last]
    else:
        place[last] = new
    return value


@pytest.mark.parametrize("make", [lines_game, ways_game, anywhere_game])
def test_a_slot_with_every_key_is_a_game(make):
    assert theory(parsed(make()))["programs"]["base"]["awards"]["wheel"]["draws"] != "0"


BAD = [
    (("rows",), [2, 3], f"{RULES}.rows", "3 to 3 items"),
    (("rows",), [2, 6, 2], f"{STRIPS}[1]", "at least as many symbols as there are rows, 6"),
    (("rows",), [2, 0, 2], f"{RULES}.rows[1]", "from 1 to 16"),
    (("symbols", 5), "A", f"{RULES}.symbols[5]", "stands here twice"),
    (("symbols", 5), "D", f"{STRIPS}[0][4]", "'C' is not in symbols"),
    (("lines", 1), [1, 3, 1], f"{RULES}.lines[1][1]", "from 0 to 2"),
    (("lines", 1), [0, 0, 0], f"{RULES}.lines", "the same line"),
    (("lines", 1), [0, 0], f"{RULES}.lines[1]", "3 to 3 items"),
    (("cost",), 0, f"{RULES}.cost", "from 1 to"),
    (("direction",), "up", f"{RULES}.direction", "not known here"),
    (("multiplier",), 0, f"{RULES}.multiplier", "leave it out"),
    (("multiplier",), -1, f"{RULES}.multiplier", "from 0"),
    (("pays", "A", "4"), 3, f"{RULES}.pays.A.4", "from 1 to 3"),
    (("pays", "A", "03"), 3, f"{RULES}.pays.A.03", "from 1 to 3"),
    (("pays", "A", "2+"), 3, f"{RULES}.pays.A[", "from 1 to 3"),
    (("pays", "A", "3"), -7, f"{RULES}.pays.A.3", "from 0"),
    (("pays", "A", "3"), 0, f"{RULES}.pays.A.3", "leave it out"),
    (("pays", "D"), {"3": 1}, f"{RULES}.pays.D", "not in symbols"),
    (("pays", "S"), {"3": 1}, f"{RULES}.pays.S", "the scatter pays by scatters"),
    (("wild",), "A", f"{RULES}.wilds", "either 'wild' or 'wilds'"),
    (("wilds", "D"), {}, f"{RULES}.wilds.D", "not in symbols"),
    (("wilds", "S"), {}, f"{RULES}.wilds.S", "the wild is a scatter too"),
    (("wilds", "W", "scatter"), True, f"{RULES}.wilds.W", "no prizes for it"),
    (("wilds", "W", "multiplier"), 0, f"{RULES}.wilds.W.multiplier", "from 1 to 1000"),
    (("wilds", "W", "multiplier"), "1.5", f"{RULES}.wilds.W.multiplier", "an integer"),
    (("wilds", "W", "for"), ["A"], f"{RULES}.wilds.W.except", "either 'for' or 'except'"),
    (("wilds", "W", "except"), ["V"], f"{RULES}.wilds.W.except", "would not stand for anyway"),
    (("wilds", "V", "for"), ["A", "A"], f"{RULES}.wilds.V.for[1]", "stands here twice"),
    (("wilds", "V", "for"), ["V"], f"{RULES}.wilds.V.for", "for other symbols"),
    (("wilds", "V", "for"), ["S"], f"{RULES}.wilds.V.for", "for such as pay"),
    (("wilds", "V", "for"), ["D"], f"{RULES}.wilds.V.for[0]", "not known here"),
    (("scatter",), "S", RULES, "go together"),
    (("scatters", "D"), {"2": 1}, f"{RULES}.scatters.D", "not in symbols"),
    (("scatters", "S", "8"), 3, f"{RULES}.scatters.S.8", "from 1 to 7"),
    (("scatters", "S", "2"), 3, f"{RULES}.scatters.S.2", "the count 2 stands here twice"),
    (("scatters", "S", "5-4"), 3, f"{RULES}.scatters.S.5-4", "ascending"),
    (("scatters", "S", "many"), 3, f"{RULES}.scatters.S.many", "a key like"),
    (("scatters", "S", "0"), 3, f"{RULES}.scatters.S.0", "from 1 to 7"),
    (("awards", "nothing"), {"S": {"1": 1}}, "$.programs", "base awards draws of 'nothing'"),
    (("awards", "base"), {"S": {"1": 1}}, "$.programs", "no program with"),
    (("awards", "Free Spins"), {"S": {"1": 1}}, f"{RULES}.awards[", "expected a name"),
    (("awards", "wheel", "D"), {"1": 1}, f"{RULES}.awards.wheel.D", "not in symbols"),
    (("awards", "wheel", "S"), {"1": 0}, f"{RULES}.awards.wheel.S.1", "from 1 to 1000"),
    (("awards", "wheel", "S"), {"1": -1}, f"{RULES}.awards.wheel.S.1", "from 1 to 1000"),
    (("awards", "wheel", "S"), {"1": 1, "1-3": 2}, f"{RULES}.awards.wheel.S.1-3", "stands here twice"),
]
LINES_ONLY = [
    (("number_pays", "S"), {"1": 1}, f"{RULES}.number_pays.S", "the scatter pays by scatters"),
    (("number_pays", "C"), {"4": 1}, f"{RULES}.number_pays.C.4", "from 1 to 3"),
    (("line_awards", "wheel", "B"), {"4": 1}, f"{RULES}.line_awards.wheel.B.4", "from 1 to 3"),
    (("line_awards", "wheel", "D"), {"1": 1}, f"{RULES}.line_awards.wheel.D", "not in symbols"),
    (("wild_multipliers",), "squared", f"{RULES}.wild_multipliers", "not known here"),
    (("wilds_alone",), "no", f"{RULES}.wilds_alone", "true or false"),
    (("groups", "A"), ["B", "C"], f"{RULES}.groups.A", "the name of a symbol"),
    (("groups", "A or B"), ["A"], f"{RULES}.groups[", "2 to 6 items"),
    (("groups", "A or B"), ["A", "D"], f"{RULES}.groups[", "not known here"),
    (("groups", "unused"), ["A", "B"], f"{RULES}.groups.unused", "pays, which does not name it"),
    (("pays", "B", "3"), 3, f"{RULES}.pays.B.3", "never paid: the same symbols win 6 as 'A or B'"),
    (("pays", "A or B", "2"), 7, f"{RULES}.pays.A.2", "never paid"),
]


@pytest.mark.parametrize(("path", "new", "place", "words"), BAD + LINES_ONLY)
def test_what_is_wrong_with_lines_is_named_with_its_place(path, new, place, words):
    with pytest.raises(GameError) as caught:
        parsed(bent(lines_game(), path, new))
    assert caught.value.path.startswith(place)
    assert words in caught.value.message


@pytest.mark.parametrize(("path", "new", "place", "words"), [row for row in BAD if row[0][0] != "lines"])
def test_what_is_wrong_with_ways_is_named_with_its_place(path, new, place, words):
    with pytest.raises(GameError) as caught:
        parsed(bent(ways_game(), path, new))
    assert caught.value.path.startswith(place)
    assert words in caught.value.message


ANYWHERE = [
    (("pays", "A", "8"), 3, f"{RULES}.pays.A.8", "from 1 to 7"),
    (("pays", "A", "3"), 3, f"{RULES}.pays.A.3", "the count 3 stands here twice"),
    (("pays", "A", "4-3"), 3, f"{RULES}.pays.A.4-3", "ascending"),
    (("pays", "A", "2-4"), 0, f"{RULES}.pays.A.2-4", "leave it out"),
    (("pays", "D"), {"3": 1}, f"{RULES}.pays.D", "not in symbols"),
    (("pays", "S"), {"3": 1}, f"{RULES}.pays.S", "the scatter pays by scatters"),
    (("wilds", "W", "multiplier"), 2, f"{RULES}.wilds.W", "not multiplied by wilds"),
    (("awards", "nothing"), {"S": {"1": 1}}, "$.programs", "base awards draws of 'nothing'"),
    (("cost",), 5, f"{RULES}.cost", "unknown key"),
]


@pytest.mark.parametrize(("path", "new", "place", "words"), ANYWHERE)
def test_what_is_wrong_with_pays_anywhere_is_named_with_its_place(path, new, place, words):
    with pytest.raises(GameError) as caught:
        parsed(bent(anywhere_game(), path, new))
    assert caught.value.path.startswith(place)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("weights", "place", "words"),
    [
        ([[1] * 5, [1] * 5], "weights", "weights for 3 reels, got 2"),
        ([[1] * 5, [1] * 4, [1] * 5], "weights[1]", "each of the 5 stops, got 4"),
        ([[1] * 5, [1] * 5, [1, 1, 0, 1, 1]], "weights[2][2]", "from 1"),
        ([[1] * 5, ["18446744073709551616"] * 5, [1] * 5], "weights[1]", "the total"),
    ],
)
def test_weights_of_stops_that_do_not_fit_the_strips_are_named(weights, place, words):
    value = lines_game()
    value["programs"]["base"]["steps"][0]["weights"] = weights
    with pytest.raises(GameError) as caught:
        parsed(value)
    assert caught.value.path == f"$.programs.base.steps[0].{place}"
    assert words in caught.value.message


def test_a_stop_of_weight_two_is_like_a_stop_that_stands_there_twice():
    value = slot()
    step = value["programs"]["base"]["steps"][0]
    value["programs"]["base"]["settlement"]["rows"] = 1
    value["programs"]["base"]["settlement"]["lines"] = [[0, 0, 0]]
    doubled = copy.deepcopy(value)
    step["weights"] = [[2] + [1] * (len(strip) - 1) for strip in step["strips"]]
    for strip in doubled["programs"]["base"]["steps"][0]["strips"]:
        strip.insert(0, strip[0])
    one, other = (parsed(item).program("base").model.spin for item in (value, doubled))
    assert one.prizes() == other.prizes()
    assert one.breakdown() == other.breakdown()


@pytest.mark.parametrize("key", ["groups", "lines", "number_pays", "line_awards", "wilds_alone"])
def test_ways_take_nothing_that_is_about_lines(key):
    value = ways_game()
    value["programs"]["base"]["settlement"][key] = lines_game()["programs"]["base"]["settlement"][key]
    with pytest.raises(GameError, match="unknown key"):
        parsed(value)


def test_a_key_that_stands_twice_is_refused():
    text = json.dumps(lines_game()).replace('"A": {"2": 2, "3": 7}', '"A": {"3": 2, "3": 7}')
    with pytest.raises(GameError, match="the key '3' stands here twice"):
        parse_game(text.encode())


def test_wilds_whose_multipliers_cannot_be_followed_are_refused(monkeypatch):
    monkeypatch.setattr(paylines, "MAX_STATES", 10)
    with pytest.raises(GameError, match="too many different multipliers") as caught:
        parsed(lines_game())
    assert caught.value.path == RULES


def test_a_spin_out_of_reach_keeps_its_return_and_a_bound_of_its_prizes(monkeypatch):
    definition = parsed(lines_game())
    exact = max(parsed(lines_game()).program("base").model.spin.prizes().probabilities)
    monkeypatch.setattr(convolution, "MAX_WORK", 5)
    spin = definition.program("base").model.spin
    with pytest.raises(GameError, match="more than 5 steps"):
        spin.joint()
    # What is out of reach once is not tried again, so the limit may come back.
    monkeypatch.undo()
    with pytest.raises(GameError, match="more than 5 steps"):
        spin.prizes()
    assert spin.highest >= exact
    assert bet_rtp(definition, "base", "spin") == spin.rtp() > 0


@pytest.mark.parametrize("direction", ["left", "right", "both", "either", "any"])
def test_five_reels_and_twenty_lines_are_counted_as_they_are_settled(direction):
    value = json.loads((ROOT / "games" / "fruit-frenzy.json").read_text())
    program = value["programs"]["base"]
    program["settlement"]["direction"] = direction
    # Seven stops a reel of few symbols: each combination can be settled, and many win.
    strip = ["wild", "seven", "bell", "cherry", "seven", "scatter", "cherry"]
    program["steps"][0]["strips"] = [strip[reel:] + strip[:reel] for reel in range(5)]
    spin = parse_game(json.dumps(value).encode()).program("base").model.spin
    counted = Counter(
        (spin.multiplier(stops), tuple(spin.awards(stops).items())) for stops in product(range(7), repeat=5)
    )
    assert spin.joint() == {key: Fraction(ways, 7**5) for key, ways in counted.items()}
    assert len({multiplier for multiplier, _ in counted}) > 50


def test_the_old_and_the_new_way_to_write_wild_and_scatter_mean_the_same():
    old = slot()
    new = copy.deepcopy(old)
    rules = new["programs"]["base"]["settlement"]
    rules["wilds"] = {rules.pop("wild"): {}}
    rules["scatters"] = {rules.pop("scatter"): rules.pop("scatter_pays")}
    one, other = (parsed(value).program("base").model.spin for value in (old, new))
    assert one.prizes() == other.prizes()
    assert one.breakdown() == other.breakdown()


def test_the_parts_of_a_breakdown_are_named_as_the_paytable_reads():
    spin = parsed(lines_game()).program("base").model.spin
    items = {item.name: item for item in spin.breakdown()}
    assert {"3 A", "3 A or B", "2 C on the line", "1 C", "2 S anywhere", "3 W"} <= set(items) | {"3 W"}
    assert any(name.endswith(", wild x2") for name in items)
    # 2 cells of 5 stops on each outer reel, 3 of 5 in the middle.
    two = Fraction(2, 5) * Fraction(2, 5) * Fraction(2, 5) + 2 * Fraction(2, 5) * Fraction(3, 5) * Fraction(3, 5)
    assert items["2 S anywhere"].chance == two
    assert sum(item.returned for item in items.values()) == spin.rtp() == sum(spin.contributions().values())


@pytest.mark.parametrize(
    ("name", "program", "rtp", "hits"),
    [
        ("fruit-lines", "base", "32369741/33554432", None),
        ("fruit-frenzy", "base", "852252028508503/885720268931072", "14599381/33554432"),
        ("fruit-frenzy", "free", "94450308/26396521", "401079/923521"),
        ("ways-243", "base", "885210574399/922679786880", "1210519/3359232"),
        ("ways-243", "free", "296405244/49440575", "14271463/33554432"),
    ],
)
def test_the_shipped_slots_return_these_fractions(name, program, rtp, hits):
    found = theory(load_game(ROOT / "games" / f"{name}.json"))["programs"][program]
    assert found["rtp"] == rtp
    assert hits is None or found["hit_frequency"] == hits


def test_fruit_frenzy_adds_up_by_hand():
    definition = load_game(ROOT / "games" / "fruit-frenzy.json")
    base, free = (definition.program(name).model.spin for name in ("base", "free"))
    # One scatter on every reel of 32 and of 31: three rows of it.
    chances = {count: _binomial(5, count, Fraction(3, 32)) for count in (3, 4, 5)}
    again = sum(_binomial(5, count, Fraction(3, 31)) for count in (3, 4, 5)) * 10
    draws = sum(chance * {3: 10, 4: 15, 5: 25}[count] for count, chance in chances.items())
    expected = base.rtp() + draws * free.rtp() / (1 - again)
    assert theory(definition)["programs"]["base"]["rtp"] == str(expected)


def _binomial(n, k, p):
    ways = {3: 10, 4: 5, 5: 1}[k]
    return ways * p**k * (1 - p) ** (n - k)


def test_the_slots_in_the_documentation_are_games():
    text = (ROOT / "docs" / "games.md").read_text()
    blocks = [part.split("```")[0] for part in text.split("```json\n")[1:]]
    games = [
        parse_game(block.encode()) for block in blocks if '"model": "lines"' in block or '"model": "ways"' in block
    ]
    assert [game.game for game in games] == ["star-bars", "little-ways"]
    for game in games:
        assert 0 < Fraction(theory(game)["programs"]["base"]["rtp"]) < 1
