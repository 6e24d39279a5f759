"""Bets and payouts, in exact integers."""

import json
from fractions import Fraction

import pytest
from game_samples import ROOT, SAMPLES, dice, keno, parsed, slot, table, wheel
from hypothesis import given
from hypothesis import strategies as st

from anchor import canonical
from rng_service.games import (
    BetError,
    GameError,
    load_game,
    multiplier,
    parse_bet,
    payout,
    resolve_bet,
    validate_bet,
)
from rng_service.outcome import OutcomeStream

ROULETTE = load_game(ROOT / "games" / "european-roulette.json")
DICE = load_game(ROOT / "games" / "dice-99.json")
KENO = load_game(ROOT / "games" / "keno-80.json")
FRUIT = load_game(ROOT / "games" / "fruit-lines.json")


@pytest.mark.parametrize(
    ("bet", "number", "paid"),
    [
        ({"bet": "straight", "numbers": [17]}, 17, 3600),
        ({"bet": "straight", "numbers": [17]}, 18, 0),
        ({"bet": "straight", "numbers": [0]}, 0, 3600),
        ({"bet": "split", "numbers": [20, 17]}, 20, 1800),
        ({"bet": "street", "numbers": [34, 35, 36]}, 35, 1200),
        ({"bet": "trio", "numbers": [0, 2, 3]}, 3, 1200),
        ({"bet": "corner", "numbers": [32, 33, 35, 36]}, 33, 900),
        ("first-four", 3, 900),
        ({"bet": "six-line", "numbers": [1, 2, 3, 4, 5, 6]}, 6, 600),
        ({"bet": "dozen", "numbers": list(range(13, 25))}, 24, 300),
        ({"bet": "column", "numbers": list(range(3, 37, 3))}, 36, 300),
        ("red", 1, 200),
        ("red", 2, 0),
        ("black", 35, 200),
        ("even", 0, 0),
        ("odd", 35, 200),
        ("low", 18, 200),
        ({"bet": "high"}, 19, 200),
    ],
)
def test_roulette_pays_as_every_casino_does(bet, number, paid):
    assert payout(ROULETTE, "base", bet, 100, (number,)) == paid


def test_roulette_has_every_standard_selection_once():
    model = ROULETTE.program("base").model
    assert {name: len(selections) for name, selections in model.bets.items()} == {
        "straight": 37,
        "split": 60,
        "street": 12,
        "trio": 2,
        "corner": 22,
        "first-four": 1,
        "six-line": 11,
        "dozen": 3,
        "column": 3,
        **dict.fromkeys(("red", "black", "even", "odd", "low", "high"), 1),
    }
    for first, second in (("red", "black"), ("even", "odd"), ("low", "high")):
        (one,), (other,) = model.bets[first], model.bets[second]
        assert sorted(one + other) == list(range(1, 37))


def test_the_canonical_form_orders_numbers_and_drops_what_is_not_a_choice():
    assert validate_bet(ROULETTE, "base", {"numbers": [20, 17], "bet": "split"}) == {
        "bet": "split",
        "numbers": [17, 20],
    }
    assert validate_bet(ROULETTE, "base", "red") == validate_bet(ROULETTE, "base", {"bet": "red"}) == {"bet": "red"}
    assert validate_bet(ROULETTE, "base", {"bet": "first-four", "numbers": [3, 2, 1, 0]}) == {"bet": "first-four"}
    assert validate_bet(KENO, "base", {"bet": "pick", "numbers": [80, 1]}) == {"bet": "pick", "numbers": [1, 80]}
    assert validate_bet(DICE, "base", {"threshold": 9, "bet": "under"}) == {"bet": "under", "threshold": 9}
    assert validate_bet(FRUIT, "base", "spin") == {"bet": "spin"}


@pytest.mark.parametrize(
    ("definition", "bet", "path", "words"),
    [
        (ROULETTE, {"bet": "strait", "numbers": [1]}, "$.bet", "did you mean 'straight'?"),
        (ROULETTE, {"numbers": [1]}, "$.bet", "null is not a bet"),
        (ROULETTE, {"bet": ["red"]}, "$.bet", "an array of 1 is not a bet"),
        (ROULETTE, {"bet": "straight"}, "$", "'numbers' is missing"),
        (ROULETTE, {"bet": "straight", "nubers": [1]}, "$.nubers", "did you mean 'numbers'?"),
        (ROULETTE, {"bet": "red", "stake": 5}, "$.stake", "unknown key"),
        (ROULETTE, {"bet": "straight", "numbers": [37]}, "$.numbers[0]", "from 0 to 36"),
        (ROULETTE, {"bet": "straight", "numbers": [True]}, "$.numbers[0]", "got true"),
        (ROULETTE, {"bet": "straight", "numbers": [1, 2]}, "$.numbers", "takes 1 numbers"),
        (ROULETTE, {"bet": "split", "numbers": [1, 3]}, "$.numbers", "not a selection of 'split'"),
        (ROULETTE, {"bet": "split", "numbers": [1, 1]}, "$.numbers", "twice"),
        (ROULETTE, {"bet": "split", "numbers": []}, "$.numbers", "1 to 37"),
        (ROULETTE, {"bet": "split", "numbers": "17"}, "$.numbers", "expected an array"),
        (ROULETTE, 17, "$", "an object or the name of a bet"),
        (ROULETTE, None, "$", "got null"),
        (DICE, {"bet": "under", "threshold": 0}, "$.threshold", "from 1 to 9800"),
        (DICE, {"bet": "under", "threshold": 9801}, "$.threshold", "from 1 to 9800"),
        (DICE, {"bet": "over", "threshold": 198}, "$.threshold", "from 199 to 9998"),
        (DICE, {"bet": "over", "threshold": 10_000}, "$.threshold", "from 0 to 9999"),
        (DICE, {"bet": "over", "threshold": "500"}, "$.threshold", "got '500'"),
        (DICE, {"bet": "over"}, "$", "'threshold' is missing"),
        (KENO, {"bet": "pick", "numbers": [0]}, "$.numbers[0]", "from 1 to 80"),
        (KENO, {"bet": "pick", "numbers": list(range(1, 12))}, "$.numbers", "1 to 10 numbers"),
        (KENO, {"bet": "pick", "numbers": [5, 5]}, "$.numbers", "twice"),
        (parsed(keno()), {"bet": "pick", "numbers": [1, 2]}, "$.numbers", "it has 1, 3"),
        (FRUIT, {"bet": "spin", "lines": 5}, "$.lines", "unknown key"),
        (FRUIT, "spinn", "$.bet", "did you mean 'spin'?"),
    ],
)
def test_a_bad_bet_is_refused_with_the_path(definition, bet, path, words):
    with pytest.raises(BetError) as caught:
        validate_bet(definition, "base", bet)
    assert caught.value.path == path
    assert words in caught.value.message


def test_an_unknown_program_and_an_outcome_of_another_width_are_refused():
    with pytest.raises(GameError, match="has no program 'bonus'"):
        validate_bet(ROULETTE, "bonus", "red")
    with pytest.raises(GameError, match="an outcome has 1 integers here, got 2"):
        payout(ROULETTE, "base", "red", 1, (1, 2))


@pytest.mark.parametrize("stake", [-1, 2**53])
def test_a_stake_outside_its_range_is_refused(stake):
    with pytest.raises(BetError, match="stake from 0 to"):
        payout(ROULETTE, "base", "red", stake, (1,))


@pytest.mark.parametrize("data", [b"{", b"", b'{"bet": "red", "bet": "black"}', b" " * 5000, b"\xff"])
def test_bet_text_that_is_no_json_is_refused(data):
    with pytest.raises(BetError):
        parse_bet(data)


def test_bet_text_is_parsed():
    assert parse_bet(b'{"bet": "straight", "numbers": [17]}') == {"bet": "straight", "numbers": [17]}
    assert parse_bet(b'"red"') == "red"
    with pytest.raises(BetError, match=r"\$\.threshold: expected an integer .* got 1\.5"):
        validate_bet(DICE, "base", parse_bet(b'{"bet": "under", "threshold": 1.5}'))


@given(st.sampled_from(["under", "over"]), st.integers(0, 9999), st.integers(0, 2**53 - 1), st.integers(0, 9999))
def test_dice_pays_the_exact_fraction_rounded_down_once(side, threshold, stake, roll):
    wins = threshold if side == "under" else 9999 - threshold
    bet = {"bet": side, "threshold": threshold}
    if not 1 <= wins <= 9800:
        with pytest.raises(BetError):
            validate_bet(DICE, "base", bet)
        return
    won = roll < threshold if side == "under" else roll > threshold
    assert multiplier(DICE, "base", bet, (roll,)) == (Fraction(9900, wins) if won else 0)
    assert payout(DICE, "base", bet, stake, (roll,)) == (stake * 9900 // wins if won else 0)
    assert resolve_bet(DICE, "base", bet).rtp() == Fraction(99, 100)


@given(st.sets(st.integers(1, 80), min_size=1, max_size=10), st.permutations(range(80)))
def test_keno_counts_the_picks_among_the_drawn(picks, order):
    drawn = tuple(order[:20])
    hits = len(picks & {number + 1 for number in drawn})
    table_row = json.loads((ROOT / "games" / "keno-80.json").read_text())
    row = table_row["programs"]["base"]["settlement"]["pays"][str(len(picks))]
    expected = Fraction(row.get(str(hits), 0))
    assert multiplier(KENO, "base", {"bet": "pick", "numbers": list(picks)}, drawn) == expected


def spin_by_hand(definition, stops):
    """Evaluate a spin from the definition's own words, without the automaton."""
    program = json.loads(definition.canonical)["programs"]["base"]
    rules, strips = program["settlement"], program["steps"][0]["strips"]
    grid = [
        [strip[(stop + row) % len(strip)] for row in range(rules["rows"])]
        for strip, stop in zip(strips, stops, strict=True)
    ]
    total = Fraction(0)
    for line in rules["lines"]:
        symbols = [column[row] for column, row in zip(grid, line, strict=True)]
        best = Fraction(0)
        for symbol, row in rules["pays"].items():
            run = 0
            while run < len(symbols) and symbols[run] in {symbol, rules["wild"]}:
                run += 1
            best = max([best, *(Fraction(prize) for count, prize in row.items() if int(count) <= run)])
        total += best / len(rules["lines"])
    scatters = sum(column.count(rules["scatter"]) for column in grid)
    return total + Fraction(rules["scatter_pays"].get(str(scatters), 0))


@given(st.tuples(*[st.integers(0, 31)] * 5))
def test_a_spin_pays_what_a_reader_of_the_definition_works_out(stops):
    assert multiplier(FRUIT, "base", "spin", stops) == spin_by_hand(FRUIT, stops)


def test_every_spin_of_a_small_slot_pays_what_a_reader_works_out():
    definition = parsed(slot())
    for first in range(4):
        for second in range(5):
            for third in range(4):
                stops = (first, second, third)
                assert multiplier(definition, "base", "spin", stops) == spin_by_hand(definition, stops)


def test_a_wheel_pays_by_the_number_drawn():
    definition = parsed(wheel())
    assert [payout(definition, "base", "spin", 7, (number,)) for number in range(4)] == [0, 14, 70, 70]


def test_rounding_down_happens_once_on_the_total():
    definition = parsed(table())
    bet = {"bet": "one", "numbers": [1]}
    assert [payout(definition, "base", bet, stake, (1,)) for stake in (0, 1, 2, 3)] == [0, 5, 11, 16]


@given(st.sampled_from(sorted(SAMPLES)), st.binary(min_size=32, max_size=32), st.integers(0, 10**12), st.data())
def test_a_listed_bet_survives_its_canonical_form_and_settles_every_derived_outcome(name, key, stake, data):
    definition = parsed(SAMPLES[name]())
    program = definition.program("base")
    _, bet = data.draw(st.sampled_from(list(program.model.listed_bets())))
    text = canonical.encode(bet.canonical)
    again = resolve_bet(definition, "base", parse_bet(text))
    assert again.canonical == bet.canonical
    outcome = program.outcome.derive(OutcomeStream(key))
    paid = payout(definition, "base", parse_bet(text), stake, outcome)
    assert type(paid) is int
    assert paid == stake * bet.multiplier(outcome) // 1


def test_a_dice_threshold_is_not_a_number_of_another_game():
    with pytest.raises(BetError):
        validate_bet(parsed(dice()), "base", {"bet": "under", "numbers": [3]})
