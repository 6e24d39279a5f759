"""The lookup model: exact theory from a hand-made table without books, and definitions that do not go with their file."""

import json
from fractions import Fraction
from hashlib import sha256
from io import BytesIO

import pytest

from anchor.errors import MissingError, VerificationError
from anchor.source import DirectorySource
from rng_service.games import (
    BetError,
    GameError,
    definition,
    load_game,
    multiplier,
    parse_game,
    payout,
    resolve_bet,
    theory,
)
from rng_service.games.files import GameFiles, directory_files, files_beside, source_files
from rng_service.public_files import weights_path

TABLE = b"10,3,0\n11,2,50\n12,4,150\n13,0,999999\n14,1,2000\n"
DIGEST = sha256(TABLE).hexdigest()


def game(*, step=(), **settlement):
    steps = [{"step": "lookup", "file": DIGEST, "rows": 5, "total": "10"} | dict(step)]
    return {
        "v": 1,
        "game": "hand-made",
        "version": 1,
        "title": "Hand Made",
        "programs": {"base": {"steps": steps, "settlement": {"model": "lookup", "cost": 1} | settlement}},
    }


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "weights.csv").write_bytes(TABLE)
    return tmp_path


def parsed(directory, value):
    return parse_game(json.dumps(value).encode(), files_beside(directory))


def test_the_theory_of_a_hand_made_table_is_exact(directory):
    figures = theory(parsed(directory, game()))["programs"]["base"]
    assert figures["rtp"] == str(Fraction(2 * 50 + 4 * 150 + 2000, 1000))
    assert figures["hit_frequency"] == "7/10"
    # The row of weight 0 is never drawn, so its prize is no prize.
    assert figures["top_prize"] == {"multiplier": "20", "odds": "1/10"}
    assert figures["maximum_exposure"] == "20"


def test_a_cost_divides_what_a_unit_staked_gets_back(directory):
    definition = parsed(directory, game(cost="2.5"))
    assert [multiplier(definition, "base", "spin", (row,)) for row in (0, 1, 2, 4)] == [
        0,
        Fraction(1, 5),
        Fraction(3, 5),
        8,
    ]
    assert payout(definition, "base", {"bet": "spin"}, 333, (1,)) == 66


def test_only_the_bet_spin_is_taken(directory):
    definition = parsed(directory, game())
    assert resolve_bet(definition, "base", "spin").canonical == {"bet": "spin"}
    for bet in ("red", {"bet": "spin", "numbers": [1]}, {}):
        with pytest.raises(BetError):
            resolve_bet(definition, "base", bet)


def test_files_are_found_beside_the_definition_whatever_they_are_called(directory):
    (directory / "game.json").write_text(json.dumps(game()))
    assert load_game(directory / "game.json").programs["base"].outcome.width == 1
    (directory / "files").mkdir()
    (directory / "weights.csv").rename(directory / "files" / f"{DIGEST}.csv")
    assert load_game(directory / "game.json").programs["base"].outcome.width == 1
    assert parse_game(json.dumps(game()).encode(), directory_files(directory / "files")).game == "hand-made"


def test_the_public_directory_gives_them_below_games_files(directory):
    path = directory / weights_path(bytes.fromhex(DIGEST))
    path.parent.mkdir(parents=True)
    path.write_bytes(TABLE)
    assert parse_game(json.dumps(game()).encode(), source_files(DirectorySource(directory))).game == "hand-made"


def test_a_table_is_read_once_for_all_that_name_it(directory):
    opened = []
    inner = files_beside(directory)

    def open_file(digest):
        opened.append(digest)
        return inner._open(digest)

    files = GameFiles(open_file)
    value = game()
    value["programs"]["bonus"] = value["programs"]["base"]
    definition = parse_game(json.dumps(value).encode(), files)
    assert opened == [bytes.fromhex(DIGEST)]
    tables = {id(program.model.table) for program in definition.programs.values()}
    assert len(tables) == 1


def test_tables_that_are_too_many_together_are_let_go_the_oldest_first(directory):
    opened = []

    def open_file(digest):
        opened.append(digest)
        return BytesIO(tables[digest])

    texts = [b"1,1,%d\n2,1,0\n" % pays for pays in range(3)]
    tables = {sha256(text).digest(): text for text in texts}
    first, second, third = tables
    files = GameFiles(open_file, most_rows=4)
    for digest in (first, second, first, third, second, first):
        assert files.table(digest).digest == digest
    assert opened == [first, second, third, first]


def test_a_game_of_more_rows_than_auditors_keep_is_refused(directory, monkeypatch):
    value = game()
    value["programs"]["other"] = value["programs"]["base"]
    monkeypatch.setattr(definition, "MAX_TABLE_ROWS", 9)
    with pytest.raises(GameError, match="10 rows, at most 9") as refused:
        parsed(directory, value)
    assert refused.value.path == "$.programs.other"
    monkeypatch.setattr(definition, "MAX_TABLE_ROWS", 10)
    parsed(directory, value)


def test_a_file_that_is_missing_or_hashes_otherwise_is_refused(directory):
    with pytest.raises(MissingError, match="none were handed over"):
        parse_game(json.dumps(game()).encode())
    with pytest.raises(MissingError, match=f"hashes to {'0' * 64}"):
        parsed(directory, game(step={"file": "0" * 64}))
    (directory / f"{DIGEST}.csv").write_bytes(TABLE + b"15,1,0\n")
    with pytest.raises(VerificationError, match="game-file"):
        parsed(directory, game())


BOOKS = {"file": "00" * 32, "root": "11" * 32, "size": 5}


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (game(step={"rows": 4}), "$.programs.base.steps[0].rows"),
        (game(step={"rows": 1 << 25}), "$.programs.base.steps[0].rows"),
        (game(step={"total": "11"}), "$.programs.base.steps[0].total"),
        (game(step={"total": str(2**64)}), "$.programs.base.steps[0].total"),
        (game(step={"file": DIGEST.upper()}), "$.programs.base.steps[0].file"),
        (game(step={"file": "00"}), "$.programs.base.steps[0].file"),
        (game(step={"count": 2}), "$.programs.base.steps[0].count"),
        (game(cost=0), "$.programs.base.settlement.cost"),
        (game(cost="-1"), "$.programs.base.settlement.cost"),
        (game(cost=1.5), "$.programs.base.settlement.cost"),
        (game(books=BOOKS | {"size": 6}), "$.programs.base.settlement.books.size"),
        (game(books=BOOKS | {"root": "x"}), "$.programs.base.settlement.books.root"),
        (game(books={"file": "00" * 32}), "$.programs.base.settlement.books"),
        (game(price=1), "$.programs.base.settlement.price"),
    ],
)
def test_a_definition_that_does_not_hold_is_named_by_its_field(directory, value, path):
    with pytest.raises(GameError) as caught:
        parsed(directory, value)
    assert caught.value.path == path


def test_a_lookup_model_needs_a_lookup_and_other_models_take_none(directory):
    value = game()
    value["programs"]["base"]["steps"] = [{"step": "uniform", "n": 5}]
    with pytest.raises(GameError, match="exactly one step, a lookup"):
        parsed(directory, value)
    value = game()
    value["programs"]["base"]["settlement"] = {"model": "table", "bets": {"a": {"pays": 2, "selections": [[1]]}}}
    with pytest.raises(GameError, match="needs one step"):
        parsed(directory, value)
