import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor import canonical
from anchor.errors import MalformedError
from rng_service.records.record import draw_record, settle_record, ticket_record, void_record
from rng_service.verify import opened
from rng_service.verify.opened import read_record

HASHES = st.binary(min_size=32, max_size=32).map(bytes.hex)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,31}", fullmatch=True)
MONEY = st.integers(0, canonical.MAX_INTEGER)
PLACE = {
    "v": st.just(1),
    "pool": st.just("dev/dice/1/base/real/0/1"),
    "slot": st.integers(0, 1000),
    "bind_time": MONEY,
    "nonce": st.binary(min_size=16, max_size=16).map(bytes.hex),
}
REQUEST = {"caller": NAMES, "request": HASHES, "payload": HASHES, "program": NAMES}
SESSION = {"session": st.just("S.1"), "session_seq": st.integers(1, 9)}
BETS = st.recursive(
    MONEY | st.booleans() | st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)
BINDINGS = {
    "draw": st.fixed_dictionaries(
        PLACE | REQUEST,
        optional=SESSION
        | {
            "client_seed": st.binary(min_size=16, max_size=64).map(bytes.hex),
            "count": st.integers(2, 3),
            "ticket": HASHES,
            "stake_minor": MONEY,
            "currency": st.just("EUR"),
            "bet": BETS,
            "tags": HASHES,
            "round": st.just("r.1"),
            "step": st.integers(0, 3),
        },
    ),
    "ticket": st.fixed_dictionaries(
        PLACE | REQUEST | {"client_seed_hash": HASHES, "expires": MONEY}, optional=SESSION | {"tags": HASHES}
    ),
    "void": st.fixed_dictionaries(
        PLACE | {"reason": st.sampled_from(["ticket-expired", "recovered", "bad-luck"])},
        optional={"count": st.integers(1, 3), "ticket": HASHES},
    ),
    "settle": st.fixed_dictionaries(
        PLACE
        | {name: REQUEST[name] for name in ("caller", "request", "payload")}
        | {
            "draw": HASHES,
            "bettor": HASHES,
            "stake_minor": MONEY,
            "payout_minor": MONEY,
            "currency": st.just("EUR"),
            "status": st.sampled_from(["final", "confirm", "void"]),
        },
        optional={"bet": BETS, "reason": st.just("late")},
    ),
}


def record_of(kind, binding):
    data = canonical.encode(binding)
    secrets = bytes(32 * binding.get("count", 1))
    return {
        "draw": lambda: draw_record(data, secrets),
        "ticket": lambda: ticket_record(data),
        "void": lambda: void_record(data, secrets),
        "settle": lambda: settle_record(data),
    }[kind]()


def both_ways(data, monkeypatch):
    def attempt():
        try:
            return read_record(data)
        except MalformedError:
            return None

    usual = attempt()
    with monkeypatch.context() as patched:
        for shape in opened._SHAPES.values():
            patched.setattr(shape, "usual", lambda _text: None)
        return usual, attempt()


@given(kind=st.sampled_from(sorted(BINDINGS)), data=st.data())
def test_the_expression_and_the_long_way_read_the_same(kind, data):
    binding = data.draw(BINDINGS[kind])
    with pytest.MonkeyPatch.context() as monkeypatch:
        usual, long = both_ways(record_of(kind, binding), monkeypatch)
    assert usual == long
    if usual is not None:
        assert usual.binding == binding
        assert usual.binding_bytes == canonical.encode(binding)


@given(kind=st.sampled_from(sorted(BINDINGS)), data=st.data())
def test_neither_way_takes_what_the_other_refuses(kind, data):
    record = bytearray(record_of(kind, data.draw(BINDINGS[kind])))
    at = data.draw(st.integers(0, len(record) - 1))
    record[at : at + data.draw(st.integers(0, 2))] = data.draw(
        st.sampled_from([b" ", b"0", b'"', b"\\", b"-", b"1", b",", b"\x7f", b"\xff"])
    )
    with pytest.MonkeyPatch.context() as monkeypatch:
        usual, long = both_ways(bytes(record), monkeypatch)
    assert usual == long


DRAW = {
    "v": 1,
    "pool": "dev/dice/1/base/real/0/1",
    "slot": 0,
    "bind_time": 1_700_000_000_000_000,
    "nonce": "00" * 16,
    "caller": "casino",
    "request": "00" * 32,
    "payload": "00" * 32,
    "program": "base",
}


@pytest.mark.parametrize(
    "members",
    [
        {"session": "a"},
        {"session": "a", "session_seq": 0},
        {"stake_minor": 1},
        {"currency": "EUR"},
        {"count": 1},
        {"count": 2, "ticket": "00" * 32},
        {"slot": 1_048_576},
        {"client_seed": "00" * 15},
        {"client_seed": "00" * 65},
        {"bind_time": 2**53},
        {"bet": {"a": None}},
        {"bet": {"a": 2**53}},
        {"v": 2},
        {"reason": "retired"},
        {"round": "a"},
        {"step": 1},
        {"round": "a", "step": 0},
        {"round": "a", "step": 2**31},
        {"round": "a b", "step": 1},
        {"round": "a", "step": 1, "count": 2},
    ],
)
def test_bindings_that_contradict_the_protocol_are_refused(members):
    binding = canonical._dumps({**DRAW, **members}).encode()
    with pytest.raises(MalformedError):
        read_record(draw_record(binding, bytes(32 * members.get("count", 1))))


def test_a_record_opens_as_many_slots_as_its_binding_takes():
    binding = canonical.encode({**DRAW, "count": 2})
    assert read_record(draw_record(binding, bytes(64))).slots == 2
    for size in (32, 96):
        with pytest.raises(MalformedError):
            read_record(draw_record(binding, bytes(size)))


def test_size_comes_before_parsing():
    with pytest.raises(MalformedError, match="at most"):
        read_record(bytes(opened.MAX_RECORD_BYTES + 1))
