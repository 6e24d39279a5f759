"""The hand-laid bindings are canonical JSON with exactly the fields of PROTOCOL.md, section 7."""

import pytest

from anchor import canonical
from rng_service.records.binding import DrawBinding, SettleBinding, TicketBinding, void_binding

HASH = "ab" * 32
NONCE = "0f" * 16
COMMON = {"caller": "acme", "request": HASH, "payload": "cd" * 32, "program": "main"}
POOL = "dev/roulette/1/main/real/0/1"


@pytest.mark.parametrize(
    ("optional", "expected"),
    [
        ({}, set()),
        ({"client_seed": "aa" * 16}, {"client_seed"}),
        ({"count": 3}, {"count"}),
        ({"session": "s-1", "session_sequence": 4}, {"session", "session_seq"}),
        ({"stake_minor": 5, "currency": "EUR"}, {"stake_minor", "currency"}),
        ({"stake_minor": 5, "currency": "EUR", "bet": '{"bet":"red"}'}, {"stake_minor", "currency", "bet"}),
        ({"tags": HASH, "ticket": HASH}, {"tags", "ticket"}),
        ({"round_id": "r.1", "step": 3}, {"round", "step"}),
        (
            {"round_id": "r.1", "step": 1, "session": "s", "session_sequence": 1, "stake_minor": 5, "currency": "EUR"},
            {"round", "step", "session", "session_seq", "stake_minor", "currency"},
        ),
    ],
)
def test_a_draw_binding_is_canonical_and_has_the_fields_that_were_given(optional, expected):
    data = DrawBinding(**COMMON, **optional).to_bytes(POOL, 7, 1_700_000_000_000_000, NONCE)
    value = canonical.decode_object(data)
    always = {"v", "pool", "slot", "bind_time", "nonce", "caller", "request", "payload", "program"}
    assert set(value) == always | expected
    assert (value["pool"], value["slot"], value["v"]) == (POOL, 7, 1)


@pytest.mark.parametrize("session", ["", "table:9"])
@pytest.mark.parametrize("tags", ["", HASH])
def test_a_ticket_binding_is_canonical(session, tags):
    binding = TicketBinding(**COMMON, client_seed_hash=HASH, session=session, session_sequence=1, tags=tags)
    value = canonical.decode_object(binding.to_bytes(POOL, 0, 5, NONCE, 9))
    assert value["client_seed_hash"] == HASH
    assert value["expires"] == 9
    assert ("session_seq" in value) == bool(session)
    assert ("tags" in value) == bool(tags)


def test_a_settlement_binding_is_canonical():
    common = {key: COMMON[key] for key in ("caller", "request", "payload")}
    binding = SettleBinding(
        **common, pool=POOL, slot=3, draw=HASH, bettor=HASH, stake_minor=10, payout_minor=0,
        currency="EUR", status="void", bet='{"bet":"red"}', reason="table-closed",
    )  # fmt: skip
    value = canonical.decode_object(binding.to_bytes(5, NONCE))
    assert value["status"] == "void"
    assert value["bet"] == {"bet": "red"}
    assert value["reason"] == "table-closed"


@pytest.mark.parametrize(("count", "ticket"), [(1, ""), (5, ""), (1, HASH)])
def test_a_void_binding_is_canonical(count, ticket):
    data = void_binding(pool=POOL, slot=2, count=count, reason="retired", bind_time_us=5, nonce=NONCE, ticket=ticket)
    value = canonical.decode_object(data)
    assert value.get("count", 1) == count
    assert value.get("ticket", "") == ticket
