"""Math packages: a good one becomes a game as it is; whatever is wrong with one is named by its place."""

import json
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import math_package
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor.errors import AnchorError, MalformedError, MissingError
from anchor.merkle import leaf_hash, root_of
from rng_service.games import GameError, bet_rtp, multiplier, theory
from rng_service.games.models.lookup import LookupModel
from rng_service.stake_engine import package as package_module
from rng_service.stake_engine.index import parse_index, program_name
from rng_service.stake_engine.package import read_package

VECTOR = Path(__file__).resolve().parents[2] / "vectors" / "stake_engine"
ROWS = [(1, 5, 0), (2, 3, 115), (3, 0, 20), (4, 2, 5000)]
BOOKS = [math_package.book(number, payout) for number, _, payout in ROWS]


@pytest.fixture
def directory(tmp_path):
    """A package of one mode and four rows."""
    math_package.write_index(tmp_path, math_package.write_mode(tmp_path, "base", ROWS))
    return tmp_path


def put(directory, *, rows=None, books=None, text=None):
    if rows is not None:
        (directory / "lookUpTable_base_0.csv").write_bytes(rows if isinstance(rows, bytes) else math_package.csv(rows))
    if books is not None:
        text = math_package.lines(books)
    if text is not None:
        (directory / "books_base.jsonl.zst").write_bytes(math_package.compressed(text))
    return directory


def refusal(directory):
    with pytest.raises(AnchorError) as caught:
        read_package(directory)
    return str(caught.value)


def test_the_vector_is_imported_as_it_is():
    expected = json.loads((VECTOR / "expected.json").read_text())
    definition = read_package(VECTOR).definition("rage", 1, "rage")
    assert definition.digest.hex() == expected["digest"]
    assert theory(definition) == {key: expected[key] for key in ("game", "version", "digest", "programs")}
    for mode in expected["modes"]:
        assert sha256((VECTOR / mode["weights"]["file"]).read_bytes()).hexdigest() == mode["weights"]["sha256"]
        assert sha256((VECTOR / mode["books"]["file"]).read_bytes()).hexdigest() == mode["books"]["sha256"]


def test_the_return_is_the_exact_sum_over_the_rows_for_each_mode_and_its_cost():
    definition = read_package(VECTOR).definition("rage", 1, "rage")
    for program, file, cost in (
        ("base", "lookUpTable_base_0.csv", Fraction(1)),
        ("rage-mode", "lookUpTable_rage_mode_0.csv", Fraction("12.5")),
    ):
        rows = [tuple(map(int, line.split(","))) for line in (VECTOR / file).read_text().split()]
        paid, total = sum(w * p for _, w, p in rows), sum(w for _, w, _ in rows)
        assert bet_rtp(definition, program, "spin") == Fraction(paid, 100 * total) / cost


def test_the_root_is_the_tree_over_the_lines_in_the_order_of_the_rows(directory):
    found = read_package(directory).definition("g", 1, "G").program("base").model
    assert isinstance(found, LookupModel)
    assert found.books.root == root_of([leaf_hash(json.dumps(book).encode()) for book in BOOKS])
    assert found.books.size == 4
    # The same books in another order belong to the same rows.
    put(directory, books=BOOKS[::-1])
    again = read_package(directory).definition("g", 1, "G").program("base").model
    assert again.books.root == found.books.root
    assert again.books.file != found.books.file


def test_a_row_pays_hundredths_of_the_base_bet_for_each_unit_of_the_modes_cost(directory):
    math_package.write_index(directory, math_package.write_mode(directory, "base", ROWS, cost=2.5))
    definition = read_package(directory).definition("g", 1, "G")
    assert [multiplier(definition, "base", "spin", (row,)) for row in range(4)] == [
        0,
        Fraction("0.46"),
        Fraction("0.08"),
        20,
    ]


def test_what_windows_writes_is_taken(directory):
    plain = read_package(directory).definition("g", 1, "G").program("base").model
    put(directory, rows=math_package.csv(ROWS).replace(b"\n", b"\r\n"))
    put(directory, text=math_package.lines(BOOKS).replace(b"\n", b"\r\n"))
    assert read_package(directory).definition("g", 1, "G").program("base").model.books.root == plain.books.root


def test_lines_without_a_last_end_and_several_frames_are_taken(directory):
    text = math_package.lines(BOOKS)
    data = math_package.compressed(text[:100]) + math_package.compressed(text[100:-1])
    (directory / "books_base.jsonl.zst").write_bytes(data)
    assert read_package(directory).modes[0].books.size == 4


def test_ids_need_not_begin_anywhere_nor_ascend(directory):
    rows = [(70, 1, 10), (3, 1, 0), (2**60, 1, 20)]
    books = [math_package.book(number, payout) for number, _, payout in rows]
    assert read_package(put(directory, rows=rows, books=books)).modes[0].table.rows == 3
    assert read_package(put(directory, books=books[::-1])).modes[0].books.size == 3


def bent(position, **changes):
    books = [dict(book) for book in BOOKS]
    books[position] |= changes
    return books


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rows": b"1,5,0\n2,3\n"}, "lookUpTable_base_0.csv, line 2: 2 columns"),
        ({"rows": [(1, 5, 0), (1, 3, 115)]}, "lookUpTable_base_0.csv, line 2: the id 1 stands on line 1 already"),
        ({"rows": b"1,-5,0\n"}, "lookUpTable_base_0.csv, line 1: '1,-5,0'"),
        ({"rows": [(1, 0, 0), (2, 0, 115)]}, "lookUpTable_base_0.csv: every weight is 0"),
        ({"rows": [*ROWS, (5, 1, 0)]}, "lookUpTable_base_0.csv, line 5: the id 5 has no book in books_base.jsonl.zst"),
        ({"rows": ROWS[:3]}, "books_base.jsonl.zst, line 4: the id 4 stands in no row of lookUpTable_base_0.csv"),
        (
            {"rows": [*ROWS[:1], (2, 3, 116), *ROWS[2:]]},
            "books_base.jsonl.zst, line 2: payoutMultiplier 115, but lookUpTable_base_0.csv, line 2, says 116",
        ),
        ({"books": bent(2, payoutMultiplier=30)}, "books_base.jsonl.zst, line 3: payoutMultiplier 30"),
        ({"books": bent(2, payoutMultiplier=-20)}, "books_base.jsonl.zst, line 3: payoutMultiplier -20"),
        ({"books": bent(2, payoutMultiplier=20.0)}, "books_base.jsonl.zst, line 3: no book"),
        ({"books": bent(2, payoutMultiplier="20")}, "books_base.jsonl.zst, line 3: no book"),
        ({"books": bent(2, payoutMultiplier=True)}, "books_base.jsonl.zst, line 3: no book"),
        ({"books": bent(2, id=1)}, "books_base.jsonl.zst, line 3: the id 1 stands on line 1 already"),
        ({"books": bent(2, id=9)}, "books_base.jsonl.zst, line 3: the id 9 stands in no row"),
        ({"books": bent(1, id=None)}, "books_base.jsonl.zst, line 2: no book"),
        ({"books": bent(1, events={})}, "books_base.jsonl.zst, line 2: no book"),
        ({"books": [*BOOKS, BOOKS[0]]}, "books_base.jsonl.zst, line 5: the id 1 stands on line 1 already"),
        ({"books": BOOKS[:3]}, "lookUpTable_base_0.csv, line 4: the id 4 has no book"),
        ({"text": b""}, "lookUpTable_base_0.csv, line 1: the id 1 has no book"),
        ({"text": b'{"id":1,"payoutMultiplier":0}\n'}, "line 1: no book"),
        ({"text": b'{"id":1,"payoutMultiplier":0,"events":[}\n'}, "line 1: no book"),
        ({"text": b'{"id":1,"payoutMultiplier":0,"events":[]} {}\n'}, "line 1: no book"),
        ({"text": b'{"id":1,"payoutMultiplier":0,"events":[NaN]}\n'}, "line 1: no book"),
        ({"text": b"[1,0,[]]\n"}, "line 1: no book"),
        ({"text": b'{"id":1,"payoutMultiplier":0,"events":[' + b"[" * 200_000 + b"\n"}, "line 1: no book"),
        ({"text": b'{"id":1,"payoutMultiplier":0,"events":["\xff"]}\n'}, "line 1: not UTF-8 at byte 40"),
        ({"text": math_package.lines(BOOKS[:2]) + b"\n" + math_package.lines(BOOKS[2:])}, "line 3: an empty line"),
        ({"text": b'{"id":1,"id":1,"payoutMultiplier":0,"events":[]}\n'}, "line 1: the key 'id' stands there twice"),
        (
            {"text": b'{"id":1,"payoutMultiplier":9,"events":[],"payoutMultiplier":0}\n'},
            "line 1: the key 'payoutMultiplier' stands there twice",
        ),
        (
            {"text": b'{"id":1,"payoutMultiplier":9,"events":[],"payout\\u004dultiplier":0}\n'},
            "line 1: the key 'payoutMultiplier' stands there twice",
        ),
    ],
)  # fmt: skip
def test_files_that_do_not_hold_or_do_not_agree_are_named_by_file_and_line(directory, changes, words):
    assert words in refusal(put(directory, **changes))


def test_events_may_have_the_keys_of_a_book(directory):
    events = [{"id": 7, "payoutMultiplier": 1, "text": 'a "id" \u00e9'}, {"id": 8}]
    books = [book | {"events": events} for book in BOOKS]
    assert read_package(put(directory, books=books)).modes[0].books.size == 4


INDEX = {"name": "base", "cost": 1.0, "events": "books_base.jsonl.zst", "weights": "lookUpTable_base_0.csv"}


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([], "$.modes: expected 1 to"),
        ([INDEX | {"cost": 0}], "$.modes[0].cost: expected a number above 0"),
        ([INDEX | {"cost": 0.0}], "$.modes[0].cost: expected a number above 0"),
        ([INDEX | {"cost": -1.0}], "$.modes[0].cost: expected a number like"),
        ([INDEX | {"cost": float("nan")}], "$.modes[0].cost: expected a number like"),
        ([INDEX | {"cost": float("inf")}], "$.modes[0].cost: expected a number like"),
        ([INDEX | {"cost": 1e300}], "$.modes[0].cost: expected a number like"),
        ([INDEX | {"cost": "1.0"}], "$.modes[0].cost: expected a number like"),
        ([INDEX | {"cost": True}], "$.modes[0].cost: expected a number like"),
        ([INDEX, INDEX], "$.modes[1].name: the modes 'base' and 'base' would both be the program 'base'"),
        ([INDEX, INDEX | {"name": "BASE"}], "$.modes[1].name: the modes 'base' and 'BASE' would both be"),
        ([INDEX | {"name": "b/s"}], "$.modes[0].name: 'b/s' cannot be the name of a program"),
        ([INDEX | {"name": "_"}], "$.modes[0].name: '_' cannot be the name of a program"),
        ([INDEX | {"name": "x" * 33}], "cannot be the name of a program"),
        ([INDEX | {"name": ""}], "$.modes[0].name"),
        ([INDEX | {"events": "../books_base.jsonl.zst"}], "$.modes[0].events: a file of the package lies in its dir"),
        ([INDEX | {"weights": "/etc/passwd.csv"}], "$.modes[0].weights: a file of the package lies in its directory"),
        ([INDEX | {"weights": "lookUpTable_base_0.txt"}], "$.modes[0].weights: expected a file that ends in .csv"),
        ([INDEX | {"events": "books_base.jsonl"}], "$.modes[0].events: expected a file that ends in .jsonl.zst"),
        ([INDEX | {"weights": "none.csv"}], "none.csv cannot be read"),
        ([INDEX | {"price": 1}], "$.modes[0].price: unknown key"),
        ([{key: INDEX[key] for key in INDEX if key != "cost"}], "$.modes[0]: the key 'cost' is missing"),
    ],
)
def test_an_index_that_does_not_hold_is_named_by_its_field(directory, entries, words):
    math_package.write_index(directory, *entries)
    assert words in refusal(directory)


@pytest.mark.parametrize("text", ["", "[]", '{"modes": 1}', '{"modes":[]} x', '{"modes":[],"modes":[]}', "{"])
def test_an_index_that_is_no_index_is_refused(directory, text):
    (directory / "index.json").write_text(text)
    assert refusal(directory).startswith("index.json: $")


@pytest.mark.parametrize("name", ["index.json", "lookUpTable_base_0.csv", "books_base.jsonl.zst"])
def test_files_that_are_missing_or_lead_out_of_the_package_are_refused(directory, tmp_path_factory, name):
    inside = directory / name
    outside = tmp_path_factory.mktemp("outside") / name
    inside.rename(outside)
    assert f"{name} cannot be read" in refusal(directory)
    inside.symlink_to(outside)
    assert f"{name} leads out of" in refusal(directory)


def test_a_directory_that_is_none_is_refused(tmp_path):
    with pytest.raises(MissingError, match="is no directory"):
        read_package(tmp_path / "nothing")


def test_a_weights_file_that_is_too_large_is_refused_before_it_is_read(directory, monkeypatch):
    with (directory / "lookUpTable_base_0.csv").open("r+b") as file:
        # Ten gigabytes that take no room on the disk.
        file.truncate(10 << 30)
    monkeypatch.setattr(package_module, "read_weights", lambda *_args, **_options: pytest.fail("it was read"))
    assert "lookUpTable_base_0.csv: 10737418240 bytes, at most" in refusal(directory)


def test_a_later_mode_that_is_missing_is_told_before_the_first_is_read(directory, monkeypatch):
    math_package.write_index(directory, INDEX, INDEX | {"name": "bonus", "weights": "none.csv"})
    monkeypatch.setattr(package_module, "read_weights", lambda *_args, **_options: pytest.fail("it was read"))
    assert "none.csv cannot be read" in refusal(directory)


def test_a_game_name_that_is_none_is_refused_once_the_package_is_read(directory):
    with pytest.raises(GameError, match=r"\$.game"):
        read_package(directory).definition("No Name", 1, "G")


@given(st.decimals(min_value="0.01", max_value="99999", places=2))
def test_costs_are_read_exactly_as_they_are_written(cost):
    text = json.dumps({"modes": [INDEX | {"cost": 1}]}).replace('"cost": 1', f'"cost": {cost}')
    assert parse_index(text.encode())[0].cost == Fraction(str(cost))


def test_mode_names_become_program_names():
    assert [program_name(name) for name in ("base", "RAGE_MODE", "bonus buy")] == ["base", "rage-mode", "bonus-buy"]


def test_progress_is_told_as_books_are_read(directory):
    told = []
    read_package(directory, lambda *step: told.append(step))
    assert told[0] == ("lookUpTable_base_0.csv", 0, 0)
    assert told[-1] == ("books_base.jsonl.zst", 4, 4)


def test_nothing_is_made_of_a_package_whose_last_mode_does_not_hold(directory):
    bad = math_package.write_mode(directory, "bonus", ROWS)
    (directory / bad["weights"]).write_bytes(b"1,1,0\n")
    math_package.write_index(directory, INDEX, bad)
    with pytest.raises(MalformedError, match=r"books_bonus.jsonl.zst, line 2: the id 2 stands in no row"):
        read_package(directory)
