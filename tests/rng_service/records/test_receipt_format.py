from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor import canonical
from anchor.errors import MalformedError
from rng_service.records.protection import protection_of
from rng_service.records.receipt import (
    MAX_RECEIPT_BYTES,
    Opening,
    Receipt,
    outcome_from_json,
    outcome_to_json,
    parse_receipt,
)

PROTECTION = protection_of(beacon=True, witnessed=False, development=True, ticketed=False, seeded=True)
OPENING = Opening(index=0, size=1, key_id=bytes(8), path=(), signature=bytes(64))
RECEIPT = Receipt(
    origin="example.org/dev",
    commit_index=3,
    activate_index=5,
    record=b'{"binding":{"v":1},"kind":"draw","v":1}',
    outcome=(0, 2**53 - 1, 2**53, 2**64 - 1),
    slot_path=(bytes(32), bytes([255]) * 32),
    opening=OPENING,
    protection=PROTECTION,
    payouts_minor=(0, 10**20),
    ticket=b'{"kind":"ticket"}',
)


def test_a_receipt_survives_its_bytes():
    for receipt in (RECEIPT, replace(RECEIPT, payouts_minor=None, ticket=None, outcome=(), slot_path=())):
        assert parse_receipt(receipt.to_bytes()) == receipt


def test_a_receipt_holds_the_bytes_of_its_record():
    members = canonical.decode(RECEIPT.to_bytes())
    assert members["record"] == RECEIPT.record.decode()
    assert members["format"] == "sealdraw/receipt@v1"
    assert members["outcome"] == [0, 2**53 - 1, str(2**53), str(2**64 - 1)]


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("format", "sealdraw/receipt@v2"),
        ("record", ""),
        ("record", 7),
        ("outcome", [-1]),
        ("outcome", ["7"]),
        ("outcome", ["09007199254740993"]),
        ("outcome", [str(2**64)]),
        ("outcome", [True]),
        ("payouts_minor", [1]),
        ("payouts_minor", ["01"]),
        ("payouts_minor", ["-1"]),
        ("slot_path", ["ab"]),
        ("slot_path", ["AB" * 32]),
        ("slot_path", ["00" * 32] * 64),
        ("commit_index", -1),
        ("origin", "with space"),
        ("ticket", ""),
        ("more", 1),
    ],
)
def test_another_form_of_a_member_is_refused(member, value):
    members = canonical.decode(RECEIPT.to_bytes())
    with pytest.raises(MalformedError):
        parse_receipt(canonical.encode({**members, member: value}))


@pytest.mark.parametrize("part", ["opening", "protection"])
def test_unknown_and_missing_members_of_the_parts_are_refused(part):
    members = canonical.decode(RECEIPT.to_bytes())
    with pytest.raises(MalformedError):
        parse_receipt(canonical.encode({**members, part: {**members[part], "more": 1}}))
    for name in members[part]:
        shorter = {key: value for key, value in members[part].items() if key != name}
        with pytest.raises(MalformedError):
            parse_receipt(canonical.encode({**members, part: shorter}))


def test_size_comes_before_parsing():
    with pytest.raises(MalformedError, match="at most"):
        parse_receipt(b"{" * (MAX_RECEIPT_BYTES + 1))


@given(st.binary(max_size=200))
def test_no_bytes_break_the_parser(data):
    with pytest.raises(MalformedError):
        parse_receipt(data)


@given(st.lists(st.integers(0, 2**64 - 1)))
def test_outcomes_survive_their_json(values):
    assert outcome_from_json(outcome_to_json(tuple(values))) == tuple(values)


@pytest.mark.parametrize(
    ("facts", "labels"),
    [
        ((True, True, False, True, True), ("beacon-witnessed", "ticketed", "fresh-seed", False)),
        ((True, False, True, False, True), ("beacon-unwitnessed", "steerable", "caller-seed", True)),
        ((False, True, True, False, False), ("none", "steerable", "operator-foreseeable", False)),
    ],
)
def test_labels_follow_from_the_facts(facts, labels):
    names = ("beacon", "witnessed", "development", "ticketed", "seeded")
    found = protection_of(**dict(zip(names, facts, strict=True)))
    assert (found.content, found.assignment, found.foreseen, found.development_beacon) == labels
