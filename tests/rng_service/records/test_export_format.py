import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor import canonical
from anchor.errors import MalformedError
from rng_service.records.export import (
    ExportHeader,
    ExportLine,
    draw_line,
    line_bytes,
    read_header,
    read_lines,
    stated_text,
    write_export,
)
from rng_service.records.receipt import outcome_to_json

HEADER = ExportHeader(origin="example.org/dev", from_digest=0, to_digest=3, complete=True)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**40),
            st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1),
            st.none() | st.lists(st.integers(0, 2**64 - 1)),
            st.none() | st.lists(st.integers(0, 2**80)),
        )
    )
)
def test_lines_survive_and_are_canonical_json(parts):
    lines = []
    for digest, record, outcome, payouts in parts:
        if outcome is None:
            lines.append(ExportLine(digest, record.encode()))
            expected = {"digest": digest, "record": record}
        else:
            lines.append(draw_line(digest, record.encode(), outcome, payouts))
            expected = {"digest": digest, "record": record, "outcome": outcome_to_json(tuple(outcome))}
            if payouts is not None:
                expected["payouts_minor"] = list(map(str, payouts))
        assert line_bytes(lines[-1]) == canonical.encode(expected) + b"\n"
    stream = io.BytesIO()
    assert write_export(stream, HEADER, lines) == len(lines)
    stream.seek(0)
    assert read_header(stream) == HEADER
    assert list(read_lines(stream)) == lines


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}\n",
        b'{"complete":true,"format":"sealdraw/export@v2","from_digest":0,"origin":"a","to_digest":0}\n',
        b'{"complete":true,"format":"sealdraw/export@v1","from_digest":1,"origin":"a","to_digest":0}\n',
        b'{"complete":true,"format":"sealdraw/export@v1","from_digest":0,"origin":"a","to_digest":0}',
    ],
)
def test_headers_of_another_form_are_refused(data):
    with pytest.raises(MalformedError):
        read_header(io.BytesIO(data))


@pytest.mark.parametrize(
    "line",
    [
        b'{"digest":1}',
        b'{"digest":01,"record":"a"}',
        b'{"digest":1, "record":"a"}',
        b'{"digest":1,"record":"a"b"}',
        b'{"digest":1,"record":"a\\nb"}',
        b'{"digest":1,"record":"a\\"}',
        b'{"digest":1,"more":1,"record":"a"}',
        b'{"digest":1,"payouts_minor":["1"],"outcome":[1],"record":"a"}',
        b'{"digest":1,"outcome":[1.0],"record":"a"}',
        b"",
    ],
)
def test_lines_of_another_form_are_refused_by_number(line):
    with pytest.raises(MalformedError, match="line 3"):
        list(read_lines(io.BytesIO(b'{"digest":1,"record":"a"}\n' + line + b"\n")))


def test_what_is_stated_has_one_spelling():
    assert stated_text([1, 2**53], None) == b'"outcome":[1,"9007199254740992"],'
    assert stated_text([], [0, 5]) == b'"outcome":[],"payouts_minor":["0","5"],'
