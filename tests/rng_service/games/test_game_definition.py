"""Reading game definitions: what is accepted, and complaints that name the field."""

import hashlib
import json

import pytest
from game_samples import SAMPLES, SHIPPED, dice, game, keno, parsed, slot, table, wheel
from hypothesis import given
from hypothesis import strategies as st

import rng_service.games
from anchor import canonical
from anchor.errors import MalformedError
from rng_service.games import GameError, load_game, parse_game
from rng_service.games.definition import MAX_BYTES


def bent(make, *keys, value):
    """Return a sample with the field at ``keys`` replaced."""
    found = place = make()
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    return found


BASE = ("programs", "base")
STEP = (*BASE, "steps", 0)
MODEL = (*BASE, "settlement")

REFUSED = [
    (bent(table, "v", value=2), "$.v", "from 1 to 1"),
    (bent(table, "v", value="1"), "$.v", "expected an integer"),
    (bent(table, "v", value=True), "$.v", "got true"),
    (bent(table, "game", value="Roulette"), "$.game", "a-z, 0-9"),
    (bent(table, "version", value=0), "$.version", "from 1"),
    (bent(table, "version", value=None), "$.version", "got null"),
    (bent(table, "title", value="Ünique"), "$.title", "printable ASCII"),
    (bent(table, "titel", value="x"), "$.titel", "did you mean 'title'?"),
    (bent(table, "programs", value={}), "$.programs", "expected 1 to 64 members"),
    (bent(table, "programs", value=[]), "$.programs", "expected an object"),
    (bent(table, "programs", "Bad Name", value={}), "$.programs['Bad Name']", "expected a name"),
    (bent(table, *BASE, "setlement", value={}), "$.programs.base.setlement", "did you mean 'settlement'?"),
    (bent(table, *BASE, "play_classes", value=["fun"]), "$.programs.base.play_classes[0]", "'fun' is not known"),
    (bent(table, *BASE, "play_classes", value=["real"] * 2), "$.programs.base.play_classes", "twice"),
    (bent(table, *BASE, "steps", value=[]), "$.programs.base.steps", "expected 1 to 256 items"),
    (bent(table, *STEP, "n", value=0), "$.programs.base.steps[0].n", "from 1 to 2^64"),
    (bent(table, *STEP, "n", value=2**60), "$.programs.base.steps[0].n", "written as decimal strings"),
    (bent(table, *STEP, "n", value=2**53), "$.programs.base.steps[0].n", f'decimal strings: "{2**53}"'),
    (bent(table, *STEP, "n", value=10**100), "$.programs.base.steps[0].n", "expected an integer"),
    (bent(table, *STEP, "n", value=37.0), "$.programs.base.steps[0].n", "got 37.0"),
    (bent(table, *STEP, "cuont", value=2), "$.programs.base.steps[0].cuont", "did you mean 'count'?"),
    (bent(table, *STEP, "count", value=2), "$.programs.base.steps", "needs one step"),
    (bent(table, *STEP, "step", value="unifrom"), "$.programs.base.steps[0].step", "did you mean 'uniform'?"),
    (bent(table, *STEP, value={"n": 6}), "$.programs.base.steps[0]", "'step' is missing"),
    (bent(table, *STEP, value={"step": "uniform"}), "$.programs.base.steps[0]", "'n' is missing"),
    (bent(wheel, *STEP, "weights", 1, value=0), "$.programs.base.steps[0].weights[1]", "got 0"),
    (bent(wheel, *STEP, "weights", 1, value=-3), "$.programs.base.steps[0].weights[1]", "got -3"),
    (bent(wheel, *STEP, "weights", 2, value=2**80), "$.programs.base.steps[0].weights[2]", f"got {2**80}"),
    (bent(wheel, *STEP, "weights", 2, value=str(2**80)), "$.programs.base.steps[0].weights[2]", "1 to 2^64"),
    (bent(wheel, *STEP, "weights", value=[str(2**63)] * 3), "$.programs.base.steps[0].weights", "total"),
    (bent(keno, *STEP, "m", value=9), "$.programs.base.steps[0].m", "from 1 to 8"),
    (bent(keno, *BASE, "steps", value=[{"step": "shuffle", "n": 4096}] * 2), "$.programs.base.steps", "8192"),
    (bent(table, *MODEL, "model", value="tabel"), "$.programs.base.settlement.model", "did you mean 'table'?"),
    (bent(table, *MODEL, value={"bets": {}}), "$.programs.base.settlement", "'model' is missing"),
    (
        bent(table, *MODEL, "bets", "one", "pays", value="0"),
        "$.programs.base.settlement.bets.one.pays",
        "a prize of 0 is a loss",
    ),
    (bent(table, *MODEL, "bets", "one", "pays", value="-2"), "$.programs.base.settlement.bets.one.pays", "'-2'"),
    (bent(table, *MODEL, "bets", "one", "pays", value="1/0"), "$.programs.base.settlement.bets.one.pays", "'1/0'"),
    (bent(table, *MODEL, "bets", "one", "pays", value=5.5), "$.programs.base.settlement.bets.one.pays", "5.5"),
    (
        bent(table, *MODEL, "bets", "one", "selections", value=[[6]]),
        "$.programs.base.settlement.bets.one.selections[0][0]",
        "from 0 to 5",
    ),
    (
        bent(table, *MODEL, "bets", "one", "selections", value=[[1, 2], [2, 1]]),
        "$.programs.base.settlement.bets.one.selections[1]",
        "twice",
    ),
    (
        bent(table, *MODEL, "bets", "one", "selections", value=[[1, 1]]),
        "$.programs.base.settlement.bets.one.selections[0][1]",
        "twice",
    ),
    (
        bent(wheel, *MODEL, "bets", "spin", "prizes", 1, "numbers", value=[1]),
        "$.programs.base.settlement.bets.spin.prizes[1].numbers[0]",
        "has a prize already",
    ),
    (bent(dice, *MODEL, "rtp", value="101/100"), "$.programs.base.settlement.rtp", "at most 1"),
    (bent(dice, *MODEL, "most_wins", value=99), "$.programs.base.settlement.most_wins", "more than 98"),
    (bent(dice, *MODEL, "fewest_wins", value=0), "$.programs.base.settlement.fewest_wins", "from 1"),
    (bent(dice, *STEP, "n", value=1), "$.programs.base.steps", "2 to 2^53 - 1"),
    (bent(dice, *BASE, "steps", value=[{"step": "shuffle", "n": 4}]), "$.programs.base.steps", "exactly one step"),
    (bent(keno, *MODEL, "pays", "9", value={"1": "2"}), "$.programs.base.settlement.pays.9", "from 1 to 8"),
    (bent(keno, *MODEL, "pays", "1", "2", value=2), "$.programs.base.settlement.pays.1.2", "from 0 to 1"),
    (bent(keno, *MODEL, "pays", "01", value={"1": 2}), "$.programs.base.settlement.pays.01", "expected a key"),
    (
        bent(slot, *STEP, "strips", 2, 3, value="X"),
        "$.programs.base.steps[0].strips[2][3]",
        "symbol 'X' is not in symbols",
    ),
    (bent(slot, *STEP, "strips", 1, value=["A"]), "$.programs.base.steps[0].strips[1]", "as there are rows, 2"),
    (bent(slot, *STEP, "strips", 1, value=[]), "$.programs.base.steps[0].strips[1]", "expected 1 to 65536"),
    (bent(slot, *STEP, "strips", value=[["A", "B"]] * 11), "$.programs.base.steps", "at most 10 reels"),
    (bent(slot, *MODEL, "lines", 0, value=[0, 0]), "$.programs.base.settlement.lines[0]", "3 to 3 items"),
    (bent(slot, *MODEL, "lines", 0, value=[0, 2, 0]), "$.programs.base.settlement.lines[0][1]", "from 0 to 1"),
    (bent(slot, *MODEL, "lines", 0, value=[1, 1, 1]), "$.programs.base.settlement.lines", "twice"),
    (bent(slot, *MODEL, "symbols", 3, value="A"), "$.programs.base.settlement.symbols[3]", "twice"),
    (bent(slot, *MODEL, "wild", value="w"), "$.programs.base.settlement.wild", "not known"),
    (bent(slot, *MODEL, "scatter", value="W"), "$.programs.base.settlement.scatter", "cannot be the scatter"),
    (bent(slot, *MODEL, "pays", "S", value={"3": 1}), "$.programs.base.settlement.pays.S", "scatter_pays"),
    (bent(slot, *MODEL, "pays", "Q", value={"3": 1}), "$.programs.base.settlement.pays.Q", "not in symbols"),
    (bent(slot, *MODEL, "pays", "A", "4", value=1), "$.programs.base.settlement.pays.A.4", "from 1 to 3"),
]


@pytest.mark.parametrize(("value", "path", "words"), REFUSED, ids=[f"{row[1]}-{row[2]}" for row in REFUSED])
def test_a_field_that_does_not_hold_is_named(value, path, words):
    with pytest.raises(GameError) as caught:
        parsed(value)
    assert caught.value.path == path
    assert words in caught.value.message
    assert isinstance(caught.value, MalformedError)


def test_scatter_prizes_without_a_scatter_are_refused():
    value = slot()
    del value["programs"]["base"]["settlement"]["scatter"]
    with pytest.raises(GameError, match="go together"):
        parsed(value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not JSON: .* line 1, column 1"),
        (b'{"v": 1,\n "game": }', "line 2, column 10"),
        (b"\xff", "UnicodeDecodeError"),
        (b"[" * 200_000, "not JSON"),
        (b"[]", "expected an object, got an array of 0"),
        (b'{"v": 1, "v": 1}', "'v' stands here twice"),
        (b"NaN", "got NaN"),
        (b"9" * 10_000, "expected an object"),
    ],
)
def test_what_is_not_json_is_refused_with_its_place(data, words):
    with pytest.raises(GameError, match=words):
        parse_game(data)


def test_a_key_that_stands_twice_deep_inside_is_named_with_its_path():
    text = json.dumps(table()).replace('"n": 6', '"n": 6, "n": 7')
    with pytest.raises(GameError) as caught:
        parse_game(text.encode())
    assert caught.value.path == "$.programs.base.steps[0]"


def test_more_than_four_mebibytes_are_refused_before_they_are_parsed(tmp_path):
    with pytest.raises(GameError, match=f"{MAX_BYTES + 1} bytes, at most"):
        parse_game(b" " * (MAX_BYTES + 1))
    path = tmp_path / "large.json"
    path.write_bytes(b" " * (MAX_BYTES + 500))
    with pytest.raises(GameError, match="bytes, at most"):
        load_game(path)


@pytest.mark.parametrize("make", SAMPLES.values(), ids=SAMPLES)
def test_the_digest_is_over_the_canonical_bytes_whatever_the_layout(make):
    value = make()
    spaced = parse_game(json.dumps(value, indent=3).encode())
    backwards = parse_game(json.dumps(dict(reversed(value.items()))).encode())
    assert spaced.canonical == backwards.canonical == canonical.encode(value)
    assert spaced.digest == hashlib.sha256(spaced.canonical).digest()
    assert parse_game(spaced.canonical).digest == spaced.digest


def test_a_program_says_its_classes_and_width():
    definition = parsed(game([{"step": "sample", "n": 9, "m": 4}], keno()["programs"]["base"]["settlement"]))
    program = definition.program("base")
    assert program.play_classes == ("real", "free")
    assert program.outcome.width == 4
    assert parsed(bent(keno, *BASE, "play_classes", value=["free"])).program("base").play_classes == ("free",)
    with pytest.raises(GameError, match="has no program 'bonus'; it has base"):
        definition.program("bonus")


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_each_shipped_game_is_named_like_its_file(path):
    assert load_game(path).game == path.stem


def test_the_four_games_of_the_demo_are_shipped():
    assert {path.stem for path in SHIPPED} >= {"european-roulette", "dice-99", "fruit-lines", "keno-80"}


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 2**70), st.floats(), st.text(max_size=4), st.just("uniform")
)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_a_sample_with_any_one_value_replaced_parses_or_names_a_path(name, data):
    value = SAMPLES[name]()
    place, keys = value, []
    while isinstance(place, dict | list) and place and data.draw(st.booleans() if keys else st.just(True)):
        parent = place
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        keys.append(key)
        place = place[key]
    parent[keys[-1]] = data.draw(JSON)
    path = None
    try:
        definition = parsed(value)
    except GameError as error:
        path = error.path
    if path is None:
        assert parse_game(definition.canonical).canonical == definition.canonical
    else:
        assert path.startswith("$")


@given(st.binary(max_size=200))
def test_arbitrary_bytes_never_raise_anything_else(data):
    with pytest.raises(GameError):
        parse_game(data)


def test_the_public_names_are_sorted_and_exist():
    assert rng_service.games.__all__ == sorted(rng_service.games.__all__)
    assert all(hasattr(rng_service.games, name) for name in rng_service.games.__all__)
