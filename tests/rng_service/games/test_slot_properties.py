"""Random small slots with every feature: settlement and theory equal an evaluator of their own, outcome by outcome."""

import json
from fractions import Fraction

import slot_rules
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rng_service.games import GameError, bet_rtp, parse_game, theory

SYMBOLS = ["W", "V", "S", "A", "B", "C"]
PRIZES = st.sampled_from([1, 2, 3, 5, 10, "1/2", "2.5", "7/3"])


@st.composite
def tables(draw, high, values=PRIZES):
    counts = draw(st.lists(st.integers(1, high), min_size=1, max_size=3, unique=True))
    return {str(number): draw(values) for number in counts}


@st.composite
def ranges(draw, high, values=PRIZES):
    bounds = sorted(draw(st.lists(st.integers(1, high), min_size=1, max_size=4, unique=True)))
    found = {}
    while bounds:
        low = bounds.pop(0)
        kind = draw(st.sampled_from(["exact", "range", "more"]))
        if kind == "more" and not bounds:
            found[f"{low}+"] = draw(values)
        elif kind == "range" and bounds:
            found[f"{low}-{bounds.pop(0)}"] = draw(values)
        else:
            found[str(low)] = draw(values)
    return found


@st.composite
def slots(draw, model):
    reels = draw(st.integers(1, 4))
    high = {1: 6, 2: 6, 3: 5, 4: 4}[reels]
    rows = draw(st.one_of(st.integers(1, 3), st.lists(st.integers(1, 3), min_size=reels, max_size=reels)))
    shown = rows if isinstance(rows, list) else [rows] * reels
    strips = [draw(st.lists(st.sampled_from(SYMBOLS), min_size=max(2, least), max_size=high)) for least in shown]
    step = {"step": "reels", "strips": strips}
    if draw(st.booleans()):
        step["weights"] = [[draw(st.integers(1, 9)) for _ in strip] for strip in strips]
    cells = sum(shown)
    names = draw(st.lists(st.sampled_from(SYMBOLS[:2] + SYMBOLS[3:]), min_size=1, max_size=5, unique=True))
    rules = {
        "model": model,
        "rows": rows,
        "symbols": SYMBOLS,
        "pays": {name: draw(ranges(cells) if model == "anywhere" else tables(reels)) for name in names},
    }
    _wilds(draw, rules, most=1 if model == "anywhere" else 4)
    _counts(draw, rules, cells)
    if draw(st.booleans()):
        rules["multiplier"] = draw(st.sampled_from([2, 3, "1.5"]))
    if model == "lines":
        _lines(draw, rules, shown, reels)
    elif model == "ways":
        rules["cost"] = draw(st.integers(1, 25))
        rules["direction"] = draw(st.sampled_from(["left", "right"]))
    return {"steps": [step], "settlement": rules}


def _wilds(draw, rules, *, most):
    if draw(st.booleans()):
        rules["wild"] = "W"
        return
    rules["wilds"] = {}
    for name in draw(st.lists(st.sampled_from(["W", "V"]), unique=True, max_size=2)):
        options = {}
        if draw(st.booleans()):
            options["multiplier"] = draw(st.integers(1, most))
        if draw(st.booleans()):
            options["expands"] = draw(st.booleans())
        paying = [symbol for symbol in rules["pays"] if symbol != name]
        others = [symbol for symbol in paying if symbol not in {"W", "V"}]
        if paying and draw(st.booleans()):
            options["for"] = draw(st.lists(st.sampled_from(paying), min_size=1, unique=True))
        elif others and draw(st.booleans()):
            options["except"] = draw(st.lists(st.sampled_from(others), min_size=1, unique=True))
        rules["wilds"][name] = options
    if not rules["wilds"]:
        del rules["wilds"]


def _counts(draw, rules, cells):
    if draw(st.booleans()):
        rules["scatter"] = "S"
        rules["scatter_pays"] = draw(ranges(cells))
    elif draw(st.booleans()):
        rules["scatters"] = {"S": draw(ranges(cells))}
        if "W" in rules.get("wilds", {}) and "W" not in rules["pays"] and draw(st.booleans()):
            rules["scatters"]["W"] = draw(ranges(cells))
            rules["wilds"]["W"]["scatter"] = True
    if draw(st.booleans()):
        symbols = draw(st.lists(st.sampled_from(SYMBOLS), min_size=1, max_size=2, unique=True))
        rules["awards"] = {"bonus": {symbol: draw(ranges(cells, st.integers(1, 3))) for symbol in symbols}}


def _lines(draw, rules, shown, reels):
    line = st.tuples(*(st.integers(0, rows - 1) for rows in shown)).map(list)
    rules["lines"] = draw(st.lists(line, min_size=1, max_size=5, unique_by=tuple))
    rules["direction"] = draw(st.sampled_from(["left", "right", "both", "either", "any"]))
    rules["wild_multipliers"] = draw(st.sampled_from(["product", "sum", "highest"]))
    rules["wilds_alone"] = draw(st.booleans())
    if draw(st.booleans()):
        scattered = "W" in rules.get("scatters", {})
        rules["number_pays"] = {draw(st.sampled_from(["A"] if scattered else ["W", "A"])): draw(tables(reels))}
    if draw(st.booleans()):
        rules["cost"] = draw(st.integers(1, 10))
    if draw(st.booleans()):
        rules["groups"] = {"any": draw(st.sampled_from([["A", "B"], ["B", "C"], ["A", "B", "C"], ["W", "A"]]))}
        rules["pays"]["any"] = draw(tables(reels))
    if draw(st.booleans()):
        symbols = draw(st.lists(st.sampled_from(SYMBOLS), min_size=1, max_size=2, unique=True))
        rules["line_awards"] = {"extra": {symbol: draw(ranges(reels, st.integers(1, 3))) for symbol in symbols}}


def game(program):
    programs = {"base": program}
    rules = program["settlement"]
    for name in {*rules.get("awards", {}), *rules.get("line_awards", {})}:
        wheel = {"spin": {"prizes": [{"pays": 3, "numbers": [0]}]}}
        programs[name] = {
            "steps": [{"step": "uniform", "n": 4}],
            "settlement": {"model": "table", "bets": wheel},
            "feature": True,
        }
    return {"v": 1, "game": "sample", "version": 1, "title": "Sample", "programs": programs}


def parsed_or_none(program):
    try:
        return parse_game(json.dumps(game(program)).encode())
    except GameError as error:
        # The only rule of a definition that the strategies do not keep.
        if "is never paid" not in error.message:
            raise
        return None


def check(program):
    definition = parsed_or_none(program)
    if definition is None:
        return
    spin = definition.program("base").model.spin
    expected = {}
    for stops, chance in slot_rules.outcomes(program):
        multiplier, awards = slot_rules.played(program, stops)
        assert spin.multiplier(stops) == multiplier
        if hasattr(spin, "awards"):
            assert spin.awards(stops) == awards
        key = (multiplier, tuple(sorted(awards.items())))
        expected[key] = expected.get(key, 0) + chance
    mean = sum(multiplier * chance for (multiplier, _), chance in expected.items())
    assert spin.rtp() == mean == bet_rtp(definition, "base", "spin")
    if hasattr(spin, "joint"):
        assert spin.joint() == expected
    prizes = {}
    for (multiplier, _), chance in expected.items():
        prizes[multiplier] = prizes.get(multiplier, 0) + chance
    assert spin.prizes().probabilities == prizes
    assert spin.highest == max(prizes)
    assert Fraction(spin.combinations.highest() + spin.counting.highest(), spin.scale) >= max(prizes)
    assert sum(spin.contributions().values()) == mean
    assert all(item.pays * item.chance == item.returned for item in spin.breakdown())
    awarded = sum(chance * draws for (_, awards), chance in expected.items() for _, draws in awards)
    found = theory(definition)["programs"]["base"]
    assert Fraction(found["rtp"]) == mean + awarded * Fraction(3, 4)


HEAVY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@HEAVY
@given(slots("lines"))
def test_line_slots_are_settled_and_known_exactly(program):
    check(program)


@HEAVY
@given(slots("ways"))
def test_ways_slots_are_settled_and_known_exactly(program):
    check(program)


@HEAVY
@given(slots("anywhere"))
def test_slots_that_pay_anywhere_are_settled_and_known_exactly(program):
    check(program)
