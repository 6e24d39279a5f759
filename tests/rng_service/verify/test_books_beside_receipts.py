"""Books beside receipts: committed to for the drawn row, and saying what that row pays."""

import json

import pytest

from anchor.errors import VerificationError
from anchor.merkle import inclusion_path, leaf_hash, levels_of
from rng_service.books import Book
from rng_service.games import parse_game
from rng_service.games.files import GameFiles
from rng_service.games.weights import read_weights
from rng_service.verify.book import check_book

PAYOUTS = (0, 250)


def told(tmp_path, lines, *, books=True):
    """Return a program whose operator committed to ``lines``, and the books with their paths."""
    path = tmp_path / "weights.csv"
    path.write_bytes(b"".join(b"%d,1,%d\n" % row for row in enumerate(PAYOUTS, 1)))
    with path.open("rb") as file:
        table = read_weights(file, name="weights").table
    levels = levels_of([leaf_hash(line) for line in lines])
    said = {"file": bytes(32).hex(), "root": levels[-1][0].hex(), "size": len(lines)}
    program = {
        "steps": [{"step": "lookup", "file": table.digest.hex(), "rows": 2, "total": 2}],
        "settlement": {"model": "lookup", "cost": 1} | ({"books": said} if books else {}),
    }
    value = {"v": 1, "game": "g", "version": 1, "title": "G", "programs": {"base": program}}
    game = parse_game(json.dumps(value).encode(), GameFiles.of([table]))
    found = [Book(line, tuple(inclusion_path(levels, row))) for row, line in enumerate(lines)]
    return game.program("base"), found


def line(number, pays, **more):
    return json.dumps({"id": number, "payoutMultiplier": pays, "events": []} | more).encode()


def test_a_book_that_says_what_its_row_pays_is_taken(tmp_path):
    nested = [{"type": "shown", "payoutMultiplier": 7}]
    program, books = told(tmp_path, [line(1, 0), line(2, 250, events=nested)])
    for row, book in enumerate(books):
        check_book(book, program, [row])


@pytest.mark.parametrize(
    "shown",
    [
        line(2, 250),
        line(1, 1),
        line(1, "0"),
        line(1, False),
        b'{"id":1,"events":[]}',
        b'{"payoutMultiplier":250,"id":1,"payoutMultiplier":0}',
        b'[{"payoutMultiplier":0}]',
        b'{"payoutMultiplier":0',
        b"\xff",
        b"[" * 100_000,
        b'{"payoutMultiplier":' + b"9" * 5_000 + b"}",
    ],
)
def test_a_story_of_a_win_under_a_row_that_pays_nothing_is_refused(tmp_path, shown):
    program, books = told(tmp_path, [shown, line(2, 250)])
    with pytest.raises(VerificationError) as caught:
        check_book(books[0], program, [0])
    assert caught.value.reason == "book"


def test_a_book_of_another_row_or_of_a_program_without_books_is_refused(tmp_path):
    lines = [line(1, 0), line(2, 250)]
    program, books = told(tmp_path, lines)
    with pytest.raises(VerificationError):
        check_book(books[1], program, [0])
    program, books = told(tmp_path, lines, books=False)
    with pytest.raises(VerificationError, match="has no books"):
        check_book(books[0], program, [0])
