from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor.errors import MalformedError
from rng_service.names import (
    PoolId,
    Stream,
    check_currency,
    check_name,
    check_reason,
    check_session,
    lane_of,
    parse_pool_id,
    parse_stream,
    request_hash,
)

NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,31}", fullmatch=True)
NUMBERS = st.integers(1, 10**15 - 1)
STREAMS = st.builds(Stream, NAMES, NUMBERS, NAMES, st.sampled_from(["real", "free"]))
POOLS = st.builds(PoolId, NAMES, STREAMS, st.integers(0, 10**15 - 1), NUMBERS)


@given(POOLS)
def test_a_pool_id_has_one_spelling(pool):
    assert parse_pool_id(str(pool)) == pool
    assert parse_stream(str(pool.stream)) == pool.stream
    assert str(pool) == f"{pool.queue}/{pool.number}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "dev/dice/1/base/real/0",
        "dev/dice/1/base/real/0/0",
        "dev/dice/01/base/real/0/1",
        "dev/dice/1/base/real/00/1",
        "dev/dice/1/base/demo/0/1",
        "dev/Dice/1/base/real/0/1",
        "dev/-dice/1/base/real/0/1",
        "dev/dice/1/base/real/0/1/",
        "dev/dice/1/base/real/0/1\n",
        "dev/dice/1/base/real/0/+1",
        "dev/dice/1/base/real/0/1000000000000000",
        f"dev/{'d' * 33}/1/base/real/0/1",
        "dev/dice/\u0661/base/real/0/1",
    ],
)
def test_other_spellings_of_a_pool_id_are_refused(text):
    with pytest.raises(MalformedError):
        parse_pool_id(text)


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (check_name, "casino-1", "Casino"),
        (check_session, "A.b_c:d-9", "a b"),
        (check_session, "x" * 64, "x" * 65),
        (check_reason, "ticket-expired", ""),
        (check_currency, "EUR", "eur"),
        (check_currency, "EUR", "EURO"),
    ],
)
def test_names_are_checked(check, good, bad):
    assert check(good) == good
    with pytest.raises(MalformedError):
        check(bad)


def test_a_lane_follows_from_caller_and_session():
    digest = sha256(b"\0\0\0\6casino\0\0\0\7evening").digest()
    assert lane_of("casino", "evening", 1000) == int.from_bytes(digest[:8], "big") % 1000
    digest = sha256(b"\0\0\0\6casino\0\0\0\x10" + bytes(range(16))).digest()
    assert lane_of("casino", bytes(range(16)), 7) == int.from_bytes(digest[:8], "big") % 7
    assert lane_of("casino", "evening", 1) == 0


def test_lanes_and_request_ids_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="at least one lane"):
        lane_of("casino", "evening", 0)
    with pytest.raises(ValueError, match="16 bytes"):
        lane_of("casino", b"short", 2)
    with pytest.raises(ValueError, match="16 bytes"):
        request_hash("casino", b"short")


def test_a_request_hash_covers_caller_and_id():
    expected = sha256(b"\0\0\0\x13sealdraw/v1/request\0\0\0\6casino\0\0\0\x10" + bytes(16)).digest()
    assert request_hash("casino", bytes(16)) == expected
