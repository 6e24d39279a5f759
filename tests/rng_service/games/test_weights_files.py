"""Weights files: what tools write is read, and everything else is named by file and line."""

import io
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor.errors import MalformedError
from rng_service.games import weights
from rng_service.games.weights import MAX_PAYOUT, read_weights
from rng_service.outcome.lookup import MAX_TOTAL

ROWS = st.lists(
    st.tuples(st.integers(0, MAX_TOTAL), st.integers(0, 2**50), st.integers(0, MAX_PAYOUT)),
    min_size=1,
    max_size=50,
    unique_by=lambda row: row[0],
).filter(lambda rows: any(weight for _, weight, _ in rows))


def read(data):
    return read_weights(io.BytesIO(data), name="w.csv")


@given(ROWS, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_every_row_is_read_whatever_ends_the_lines(rows, end, last):
    text = end.join(",".join(map(str, row)) for row in rows) + (end if last else "")
    found = read(text.encode())
    assert found.ids.tolist() == [row[0] for row in rows]
    assert found.table.payouts.tolist() == [row[2] for row in rows]
    assert found.table.cumulative.tolist() == list(accumulate(row[1] for row in rows))
    assert [found.table.weight(row) for row in range(found.table.rows)] == [row[1] for row in rows]


@given(ROWS, st.integers(1, 200))
def test_rows_across_the_pieces_that_are_read_are_put_together(rows, chunk):
    text = "".join(",".join(map(str, row)) + "\n" for row in rows).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights, "_CHUNK", chunk)
        assert read(text).ids.tolist() == [row[0] for row in rows]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no rows"),
        (b"id,weight,payout\n1,1,1\n", "line 1: 'id,weight,payout'"),
        (b"\xef\xbb\xbf1,1,1\n", "line 1"),
        (b"1,1,1\n2,1\n", "line 2: 2 columns"),
        (b"1,1,1\n2,1,1,1\n", "line 2: 4 columns"),
        (b"1,1,1\n\n2,1,1\n", "line 2: 1 columns"),
        (b"1,1,1\n2,-1,0\n", "line 2: '2,-1,0'"),
        (b"1,1,1\n2,1,-20\n", "line 2: '2,1,-20'"),
        (b"1,1,1\n2,1.5,0\n", "line 2: '2,1.5,0'"),
        (b"1,1,1\n2,1e3,0\n", "line 2: '2,1e3,0'"),
        (b"1,1,1\n2,1,20.0\n", "line 2: '2,1,20.0'"),
        (b"1,1,1\n2, 1,0\n", "line 2: '2, 1,0'"),
        (b"1,1,1\n02,1,0\n", "line 2: '02,1,0'"),
        (b"1,1,1\n2,,0\n", "line 2: '2,,0'"),
        (b"1,1,1\n2,\xff,0\n", "line 2"),
        (b"1,1,1\n2,18446744073709551616,0\n", "line 2: the weight is above 2^64 - 1"),
        (b"1,1,1\n18446744073709551616,1,0\n", "line 2: the id is above 2^64 - 1"),
        (b"1,1,1\n2,1,9007199254740992\n", "line 2: a payout above"),
        (b"1,18446744073709551615,1\n2,1,1\n", "line 2: up to here the weights sum to more than 2^64 - 1"),
        (b"1,0,1\n2,0,1\n", "every weight is 0"),
        (b"1,1,1\n1,1,1\n", "line 2: the id 1 stands on line 1 already"),
        (b"5,1,1\n1,1,1\n7,1,1\n5,1,1\n", "line 4: the id 5 stands on line 1 already"),
        (b"1" * 3_000_000, "line 1: 1 columns"),
        (b"1,1,1\n" + b"x" * 3_000_000, "line 2: 1 columns"),
    ],
)
def test_a_row_that_does_not_hold_is_named_by_file_and_line(data, words):
    with pytest.raises(MalformedError) as caught:
        read(data)
    assert words in str(caught.value)
    assert str(caught.value).startswith("w.csv")
    assert len(str(caught.value)) < 300


def test_a_bad_row_far_inside_is_named_by_its_own_line():
    good = b"".join(b"%d,1,0\n" % number for number in range(200_000))
    with pytest.raises(MalformedError, match="line 200001: 1 columns in 'x'"):
        read(good + b"x\n" + good)


def test_more_bytes_than_allowed_are_not_read(monkeypatch):
    monkeypatch.setattr(weights, "MAX_WEIGHTS_BYTES", 100)
    monkeypatch.setattr(weights, "_CHUNK", 60)
    with pytest.raises(MalformedError, match="more than 100 bytes"):
        read(b"1,1,1\n" * 20)


def test_more_rows_than_allowed_are_refused(monkeypatch):
    monkeypatch.setattr(weights, "MAX_ROWS", 3)
    with pytest.raises(MalformedError, match="more than 3 rows"):
        read(b"1,1,1\n2,1,1\n3,1,1\n4,1,1\n")
