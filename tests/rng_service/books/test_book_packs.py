"""Packs: every book comes back with the path that proves it, in whatever order it was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor.errors import MalformedError, MissingError, VerificationError
from anchor.merkle import leaf_hash, packed_levels
from rng_service.books import Book, book_file, parse_book_file, verify_book
from rng_service.books.pack import Pack, PackWriter
from rng_service.games.models.lookup import Books

LINES = st.lists(st.binary(min_size=1, max_size=9_000).map(lambda line: line.replace(b"\n", b" ")), min_size=1)


def written(path, lines, order=None):
    levels = packed_levels(b"".join(leaf_hash(line) for line in lines))
    with path.open("wb") as file:
        writer = PackWriter(file, len(lines))
        for row in order or range(len(lines)):
            writer.add(row, [lines[row]])
        writer.finish(levels, {"books": "00"})
    return Books(bytes(32), levels[-1], len(lines))


@given(LINES, st.randoms(use_true_random=False))
def test_every_book_comes_back_and_is_proven(tmp_path_factory, lines, choice):
    path = tmp_path_factory.mktemp("packs") / "pack"
    order = list(range(len(lines)))
    choice.shuffle(order)
    books = written(path, lines, order)
    with Pack(path) as pack:
        assert (pack.rows, pack.root, pack.facts["books"]) == (len(lines), books.root, "00")
        for row, line in enumerate(lines):
            found = pack.book(row)
            assert found.data == line
            verify_book(found, row, books)
        for row in (-1, len(lines)):
            with pytest.raises(IndexError):
                pack.book(row)


def test_a_book_larger_than_a_block_is_kept_whole(tmp_path):
    lines = [b"a", b"x" * 500_000, b"c"]
    books = written(tmp_path / "pack", lines)
    with Pack(tmp_path / "pack") as pack:
        assert [pack.book(row).data for row in range(3)] == lines
        verify_book(pack.book(1), 1, books)


def test_a_book_of_another_row_another_text_or_another_path_is_refused(tmp_path):
    lines = [b"book %d" % row for row in range(11)]
    books = written(tmp_path / "pack", lines)
    with Pack(tmp_path / "pack") as pack:
        book = pack.book(4)
    for forged, row in (
        (book, 5),
        (book, 11),
        (Book(b"book 5", book.path), 4),
        (Book(book.data, book.path[1:]), 4),
        (Book(book.data, (*book.path, bytes(32))), 4),
        (Book(book.data, (b"short", *book.path[1:])), 4),
    ):
        with pytest.raises(VerificationError) as caught:
            verify_book(forged, row, books)
        assert caught.value.reason == "book"


@pytest.mark.parametrize("cut", [0, 1, 10, 20, 200])
def test_a_file_that_is_no_whole_pack_is_refused(tmp_path, cut):
    written(tmp_path / "pack", [b"a", b"b"])
    data = (tmp_path / "pack").read_bytes()
    (tmp_path / "pack").write_bytes(data[: len(data) - cut - 1] if cut else b"")
    with pytest.raises(MalformedError):
        Pack(tmp_path / "pack")


def test_a_pack_that_is_not_there_is_missing(tmp_path):
    with pytest.raises(MissingError):
        Pack(tmp_path / "pack")


@given(st.binary(max_size=300), st.lists(st.binary(min_size=32, max_size=32), max_size=24))
def test_book_files_come_back_whatever_the_book_says(data, path):
    book = Book(data, tuple(path))
    assert parse_book_file(book_file(book)) == book


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}\nbook",
        b'{"format":"sealdraw/book@v1","path":[]}',
        b'{"format":"sealdraw/book@v2","path":[]}\nbook',
        b'{"format":"sealdraw/book@v1","path":"00"}\nbook',
        b'{"format":"sealdraw/book@v1","path":["00"]}\nbook',
        b'{"format":"sealdraw/book@v1","path":["' + b"0" * 63 + b'G"]}\nbook',
        b'{"format":"sealdraw/book@v1","path":["' + b'","'.join([b"0" * 64] * 64) + b'"]}\nbook',
        b'{"format":"sealdraw/book@v1", "path":[]}\nbook',
        b"x" * (3 << 20),
    ],
)
def test_what_is_no_book_file_is_refused(data):
    with pytest.raises(MalformedError):
        parse_book_file(data)
