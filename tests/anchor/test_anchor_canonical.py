import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor import canonical
from anchor.errors import MalformedError

TEXT = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12)
SCALARS = st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4))


@given(VALUES)
def test_every_value_survives_its_canonical_bytes(value):
    encoded = canonical.encode(value)
    assert canonical.decode(encoded) == value
    assert canonical.encode(canonical.decode(encoded)) == encoded


@given(VALUES)
def test_canonical_bytes_are_json_that_others_read_alike(value):
    assert json.loads(canonical.encode(value)) == value


@given(VALUES, st.data())
def test_canonical_bytes_with_white_space_are_refused(value, data):
    encoded = canonical.encode(value)
    space = data.draw(st.sampled_from([b" ", b"\n", b"\t"]))
    for changed in (encoded + space, space + encoded):
        with pytest.raises(MalformedError):
            canonical.decode(changed)


@given(st.binary(max_size=60))
def test_arbitrary_bytes_decode_only_to_what_encodes_to_them(data):
    try:
        value = canonical.decode(data)
    except MalformedError:
        return
    assert canonical.encode(value) == data


@given(st.text('{}[]",:\\u0019e-+.ntrfalse /', max_size=24))
def test_text_that_resembles_json_decodes_only_to_what_encodes_to_it(text):
    data = text.encode()
    try:
        value = canonical.decode(data)
    except MalformedError:
        return
    assert canonical.encode(value) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b'{"a":null}',
        b"1.0",
        b"1e3",
        b"-0",
        b"01",
        b"NaN",
        b"Infinity",
        b"9007199254740992",
        b"-9007199254740992",
        b"9" * 5000,
        b'{"a":1,"a":1}',
        b'{"b":1,"a":2}',
        b'{"a": 1}',
        b'"\\u0041"',
        b'"\\/"',
        b'"\\n"',
        b'"\\u007f"',
        b'"\x7f"',
        b'{"\\n":1}',
        '"\N{LATIN SMALL LETTER E WITH ACUTE}"'.encode(),
        b'"\\u00e9"',
        b"\xff",
        b"\xef\xbb\xbf1",
        b"'a'",
        b"[1,]",
        b"[" * 60_000,
        b"[" * 30_000 + b"]" * 30_000,
    ],
)
def test_what_is_not_canonical_is_refused(data):
    with pytest.raises(MalformedError):
        canonical.decode(data)


@pytest.mark.parametrize(
    "value",
    [
        None,
        1.0,
        float("nan"),
        b"bytes",
        Decimal(1),
        {1: 2},
        {"\N{EURO SIGN}": 1},
        "\n",
        "\x7f",
        2**53,
        -(2**53),
        {"a"},
    ],
)
def test_values_without_a_canonical_form_are_refused_at_any_depth(value):
    for wrapped in (value, [value], {"a": [0, value]}):
        with pytest.raises(MalformedError):
            canonical.encode(wrapped)


def test_keys_are_sorted_by_code_and_only_quotes_and_backslashes_are_escaped():
    assert canonical.encode({"b": 1, "B": 2, "a~": True, "": ["/", '"', "\\"]}) == (
        b'{"":["/","\\"","\\\\"],"B":2,"a~":true,"b":1}'
    )


def test_the_largest_integers_are_accepted():
    for value in (2**53 - 1, -(2**53) + 1):
        assert canonical.decode(canonical.encode(value)) == value


def test_the_size_limit_is_checked_first():
    with pytest.raises(MalformedError, match="at most 4"):
        canonical.decode(b"not JSON", limit=4)
    assert canonical.decode(b'"ab"', limit=4) == "ab"


def test_an_object_is_required_where_it_is_asked_for():
    assert canonical.decode_object(b'{"a":1}') == {"a": 1}
    with pytest.raises(MalformedError, match="game file: expected an object"):
        canonical.decode_object(b"[]", what="game file")


def test_a_message_names_where_the_value_stands():
    with pytest.raises(MalformedError, match=r"\$\.a\[1\]"):
        canonical.encode({"a": [1, None]})
