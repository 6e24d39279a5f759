"""Outcomes out of CSV, lines of JSON and exports; what of an export lies beside what; and bad lines by number."""

import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor.errors import MalformedError
from rng_service.records.export import ExportHeader, draw_line, write_export
from rng_service.statistics import outcomes as module
from rng_service.statistics.neighbours import pairings, pairings_beside
from rng_service.statistics.outcome_tests import Beside, OutcomeExamination
from rng_service.statistics.outcomes import OutcomeReader, Wanted, read_outcomes
from stats_tests.gaming import OutcomeShape, Uniform
from stats_tests.multiple import Verdict, decide

WHEEL = Wanted("wheel", 1, "base", 1)
HEADER = ExportHeader(origin="example.org/dev", from_digest=0, to_digest=3, complete=True)
HOUR_US = 3_600_000_000


def read(data, width=1, most=None):
    stream = io.BytesIO(data if isinstance(data, bytes) else data.encode())
    return read_outcomes(stream, name="file", game="wheel", version=1, program="base", width=width, most=most)


def export(lines):
    """An export of (pool, slot, caller, time, outcome)."""
    stream = io.BytesIO()
    records = [
        draw_line(
            0,
            json.dumps(
                {"binding": {"bind_time": time, "caller": caller, "pool": pool, "slot": slot}},
                separators=(",", ":"), sort_keys=True,
            ).encode(),
            outcome,
            None,
        )
        for pool, slot, caller, time, outcome in lines
    ]  # fmt: skip
    write_export(stream, HEADER, records)
    stream.seek(0)
    return stream


@pytest.mark.parametrize(
    ("text", "width", "rows"),
    [
        ("1\n2\n3\n", 1, [[1], [2], [3]]),
        ("a,b\n1,2\n3,4", 2, [[1, 2], [3, 4]]),
        ("1;2\r\n\r\n3 4\r\n", 2, [[1, 2], [3, 4]]),
        ("1,2,3,4\n", 2, [[1, 2], [3, 4]]),
        ("[1,2]\n\n[3,4]\n", 2, [[1, 2], [3, 4]]),
        ('{"outcome":[5]}\n7\n"18446744073709551615"\n', 1, [[5], [7], [2**64 - 1]]),
    ],
)
def test_csv_and_lines_of_json_are_read(text, width, rows):
    assert read(text, width).rows.tolist() == rows


def test_lines_of_json_may_say_whose_and_when():
    lines = [{"outcome": [value], "caller": caller, "bind_time": time}
             for value, caller, time in ((1, "a", 0), (2, "b", HOUR_US), (3, "a", HOUR_US + 5))]  # fmt: skip
    found = read("\n".join(map(json.dumps, lines)))
    assert {split.name: split.keys.tolist() for split in found.splits} == {"caller": [0, 1, 0], "hour": [0, 1, 1]}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "there are no outcomes of wheel version 1, program base"),
        (b"\n\n", "there are no outcomes"),
        (b"1\nnan\n", "line 2: expected integers from 0 to 2^64 - 1, found 'nan'"),
        (b"1\n-1\n", "line 2: expected integers"),
        (b"1\n1.5\n", "line 2: expected integers"),
        (b"1\n01\n", "line 2: expected integers"),
        (b"1\n18446744073709551616\n", "line 2: expected integers"),
        (b"1\n2,3,4\x00\n", "line 2: expected integers"),
        (b"1\n\xff\xfe\n", "line 2 is not text of integers"),
        (b"[1]\nNaN\n", "line 2 is not JSON"),
        (b"[1]\n[true]\n", "line 2: expected integers"),
        (b"[1]\n[1.0]\n", "line 2: expected integers"),
        (b"[1]\n{}\n", "line 2: expected integers"),
        (b'{"outcome":[1]}\n{"outcome":[1],"caller":"a"}\n', "line 2: has a caller, and the lines before have none"),
        (b'{"outcome":[1],"caller":"a"}\n[1]\n', "line 2: has no caller, and the lines before have one"),
        (b'{"outcome":[1],"caller":5}\n', "line 1: a caller is text"),
        (b"[1]\n" + b"[" * 100_000, "line 2 is not JSON"),
        (b"1" * (1 << 21), "line 1 is longer than 1048576 bytes"),
        (b'{"complete":true,"format":"sealdraw/export@v1"}\n', "field 'from_digest' is missing"),
    ],
)
def test_bad_lines_are_refused_by_number(data, said):
    with pytest.raises(MalformedError) as caught:
        read(data)
    assert said in str(caught.value)


def test_an_outcome_of_another_width_is_refused():
    with pytest.raises(MalformedError, match="line 2: an outcome of this program has 2 integers, found 3"):
        read("1,2\n1,2,3\n", 2)


CELLS = st.sampled_from(
    ["0", "7", "36", "9999999999999999999", "18446744073709551615", "18446744073709551616", "01", "x"]
)


@given(
    st.lists(st.tuples(st.lists(CELLS, min_size=1, max_size=4), st.sampled_from([",", ";", " ", "\t", ", ", "\r"]))),
    st.sampled_from(["\n", "\r\n", "\n\n", " \n"]),
    st.integers(1, 3),
    st.integers(1, 30),
)
def test_lines_read_many_at_a_time_are_lines_read_one_by_one(lines, end, width, block_bytes):
    text = "".join(separator.join(cells) + end for cells, separator in lines)

    def found():
        try:
            return read(text, width).rows.tolist()
        except MalformedError as error:
            return str(error)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK_BYTES", block_bytes)
        many = found()
        patch.setattr(module, "_plain_lines", lambda _width: lambda _block: None)
        assert many == found()


def test_many_plain_lines_are_read_whatever_their_form():
    rng = np.random.default_rng(4)
    rows = rng.integers(0, 2**63, (200_000, 3), dtype=np.uint64)
    text = "a,b,c\r\n" + "\r\n".join(";".join(map(str, row)) for row in rows.tolist())
    assert (read(text, 3).rows == rows).all()


def test_more_is_read_when_more_is_asked_for():
    reader = OutcomeReader(io.BytesIO(b"1\n2\n3\n4\n5\n"), name="file", wanted=WHEEL)
    first = reader.up_to(2)
    assert (first.rows.tolist(), first.more) == ([[1], [2]], True)
    second = reader.up_to(4)
    assert (second.rows.tolist(), second.more) == ([[1], [2], [3], [4]], True)
    rest = reader.up_to(None)
    assert (rest.rows.ravel().tolist(), rest.more) == ([1, 2, 3, 4, 5], False)


def test_no_more_is_read_than_memory_was_planned_for(monkeypatch):
    monkeypatch.setattr(module, "MAX_OUTCOMES", 3)
    monkeypatch.setattr(module, "_CHUNK", 2)
    found = read("1\n2\n3\n4\n5\n")
    assert found.rows.ravel().tolist() == [1, 2, 3]
    assert found.more
    assert found.rows.dtype == np.uint32


def test_large_integers_keep_their_bits_among_small_ones(monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 2)
    assert read(f"1\n2\n{2**63 + 1}\n3\n4\n5\n").rows.ravel().tolist() == [1, 2, 2**63 + 1, 3, 4, 5]


def test_an_export_gives_the_draws_of_the_program_with_callers_hours_and_pools():
    data = export(
        [
            ("dev/wheel/1/base/real/0/1", 0, "a", 0, [3]),
            ("dev/other/1/base/real/0/1", 0, "a", 0, [9]),
            ("dev/wheel/1/base/real/0/1", 1, "b", HOUR_US, [4, 5]),
            ("dev/wheel/2/base/real/0/1", 1, "b", HOUR_US, [8]),
            ("dev/wheel/1/base/real/0/2", 0, "a", HOUR_US, [6]),
        ]
    )
    found = OutcomeReader(data, name="file", wanted=WHEEL).up_to(None)
    assert found.rows.ravel().tolist() == [3, 4, 5, 6]
    assert {split.name: split.keys.tolist() for split in found.splits} == {
        "caller": [0, 1, 1, 0],
        "hour": [0, 1, 1, 1],
        "pool": [0, 0, 0, 1],
    }
    assert found.places.slot.tolist() == [0, 1, 1, 0]
    assert found.places.part.tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize(
    "binding",
    [{}, {"pool": "x", "bind_time": "?", "slot": 0}, {"pool": "x", "bind_time": -1, "slot": 0},
     {"pool": "x", "bind_time": 0, "slot": 2**64}],
)  # fmt: skip
def test_a_record_without_a_binding_is_refused(binding):
    stream = io.BytesIO()
    write_export(stream, HEADER, [draw_line(0, json.dumps({"binding": binding}).encode(), [1], None)])
    stream.seek(0)
    with pytest.raises(MalformedError, match="line 2: the record has no binding that can be read"):
        OutcomeReader(stream, name="file", wanted=WHEEL).up_to(None)


def test_only_exports_hold_several_programs():
    other = Wanted("other", 1, "base", 1)
    with pytest.raises(MalformedError, match="only an export"):
        OutcomeReader(io.BytesIO(b"1\n"), name="file", wanted=WHEEL, beside=[other]).up_to(None)


def places(*pools):
    """Places of pools with the slots given for each."""
    data = export([(pool, slot, "a", 0, [1]) for pool, slots in pools for slot in slots])
    return OutcomeReader(data, name="file", wanted=WHEEL).up_to(None).places


def test_pools_lanes_and_classes_are_laid_beside_each_other_slot_by_slot():
    where = places(
        ("dev/wheel/1/base/real/0/1", [0, 1, 2]),
        ("dev/wheel/1/base/real/0/2", [2, 1, 5]),
        ("dev/wheel/1/base/real/0/3", [5]),
        ("dev/wheel/1/base/real/1/1", [1]),
        ("dev/wheel/1/base/free/0/1", [0, 7]),
    )
    found = {pairing.subject: list(zip(pairing.left, pairing.right, strict=True)) for pairing in pairings(where)}
    assert found == {
        "pools beside each other, odd and next": [(1, 4), (2, 3)],
        "pools beside each other, even and next": [(5, 6)],
        "lanes beside each other, even and next": [(1, 7)],
        "free beside real": [(8, 0)],
    }


def two_games(second_of):
    """An export of two games, 1,500 slots each; ``second_of`` gives the second game's outcome from the first's."""
    rng = np.random.default_rng(7)
    first, fresh = rng.integers(0, 37, 1_500).tolist(), rng.integers(0, 37, 1_500).tolist()
    lines = []
    for slot, (value, other) in enumerate(zip(first, fresh, strict=True)):
        lines.append(("dev/wheel/1/base/real/0/1", slot, "a", 0, [value]))
        lines.append(("dev/other/1/base/real/0/1", slot, "a", 0, [second_of(value, other)]))
    reader = OutcomeReader(export(lines), name="file", wanted=WHEEL, beside=[Wanted("other", 1, "base", 1)])
    shape = OutcomeShape((Uniform(37),))
    examination = OutcomeExamination(reader, shape, beside=[Beside("other, program base", shape)])
    examination.extend(None)
    return examination


def test_two_games_that_share_a_seed_fail_together_and_independent_ones_pass():
    shared = two_games(lambda value, _other: (value + 5) % 37)
    verdict = decide(shared.hypotheses())
    assert verdict.verdict is Verdict.FAIL
    assert all("beside other, program base (real)" in label for label in verdict.rejected)
    assert decide(two_games(lambda _value, other: other).hypotheses()).verdict is Verdict.PASS


def test_too_few_outcomes_beside_each_other_are_said_to_be():
    lines = [(f"dev/wheel/1/base/real/0/{pool}", slot, "a", 0, [slot % 37]) for pool in (1, 2) for slot in range(300)]
    reader = OutcomeReader(export(lines), name="file", wanted=WHEEL)
    examination = OutcomeExamination(reader, OutcomeShape((Uniform(37),)))
    examination.extend(None)
    (found,) = [test for test in examination.tests() if test.name == "interplay between records"]
    assert found.reason == "300 outcomes lie beside each other, and 1000 are needed"
    assert found.p_values == 0


def test_nothing_of_the_other_game_is_nothing_beside():
    where = places(("dev/wheel/1/base/real/0/1", [0]))
    other = places(("dev/wheel/1/base/free/0/9", [0]))
    assert list(pairings_beside(where, other, "other")) == []
