"""Reconciliation: rows are read strictly, sorted within bounds, and compared without missing anything."""

import json
import uuid
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anchor.errors import MalformedError
from rng_service.reconcile import FileRound, LedgerRound, compare, read_rounds, sorted_rounds
from rng_service.reconcile.comparing import Compared

ID = "0190b5a4-7b1c-7e2f-8a3d-5f6e7d8c9b0a"
POOL = "test/dice/1/base/real/0/1"
HEADER = "request_id,stake_minor,payout_minor,currency"


def rows(tmp_path, text, name="list.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_rounds(path))


def test_columns_come_in_any_order_and_empty_cells_say_nothing(tmp_path):
    text = f"\ufeffslot,pool,outcome,currency,payout_minor,status,item,request_id,stake_minor\r\n3,{POOL},5 17,EUR,20,final,1,{ID},10\r\n\r\n,,,,0,,,{ID},0\r\n"
    first, second = rows(tmp_path, text)
    assert first == FileRound(uuid.UUID(ID).bytes, 1, 2, 10, 20, "EUR", (5, 17), POOL, 3, "final")
    assert second == FileRound(uuid.UUID(ID).bytes, 0, 4, 0, 0, "", None, None, None, None)


def test_json_lines_say_the_same(tmp_path):
    line = {"request_id": ID, "stake_minor": 10, "payout_minor": "20", "currency": "EUR", "outcome": [5, "17"]}
    (found,) = rows(tmp_path, "\n" + json.dumps(line) + "\n", "list.jsonl")
    assert found == FileRound(uuid.UUID(ID).bytes, 0, 2, 10, 20, "EUR", (5, 17), None, None, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ":1: no header"),
        ("request_id,stake_minor,payout_minor\n", ":1: the field currency is missing"),
        (HEADER + ",player\n", ":1: unknown field 'player'"),
        (HEADER + ",currency\n", ":1: the field currency stands there twice"),
        (f"{HEADER}\n{ID},1,2\n", ":2: 3 fields, the header has 4"),
        (f"{HEADER}\n{ID},1,2,EUR\n{ID},-1,2,EUR\n", ":3: stake_minor: expected a whole number"),
        (f"{HEADER}\n{ID},1.0,2,EUR\n", ":2: stake_minor: expected a whole number"),
        (f"{HEADER}\n{ID},1,,EUR\n", ":2: payout_minor: empty"),
        (f"{HEADER}\n{ID},01,2,EUR\n", ":2: stake_minor: expected a whole number"),
        (f"{HEADER}\n{ID.upper()},1,2,EUR\n", ":2: request_id: expected a UUIDv7"),
        (f"{HEADER}\n{ID},1,2,euro\n", ":2: currency: "),
        (f"{HEADER}\n{ID},1,2,\n", ":2: currency: "),
        (f"{HEADER},pool\n{ID},1,2,EUR,{POOL}\n", ":2: pool and slot go together"),
        (f"{HEADER},status\n{ID},1,2,EUR,paid\n", ":2: status: expected one of final"),
        (f"{HEADER},outcome\n{ID},1,2,EUR,red\n", ":2: outcome: expected a whole number"),
        (f"{HEADER},item\n{ID},1,2,EUR,70000\n", ":2: item: expected a whole number"),
        (HEADER.encode() + b"\n\xff\n", ":2: not UTF-8"),
        (f'{HEADER}\n"{ID}\n', ":2: not CSV"),
        (HEADER + "\n" + "1" * 70_000, ":2: longer than 65536 bytes"),
    ],
)
def test_a_row_that_is_no_row_is_named_by_file_and_line(tmp_path, text, said):
    with pytest.raises(MalformedError) as caught:
        rows(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'list.csv'}{said}")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[]", "not a JSON object"),
        ("{", "not a JSON object"),
        ("[" * 60_000, "not a JSON object"),
        ('{"request_id": 1.5}', "not a JSON object"),
        ('{"request_id": NaN}', "not a JSON object"),
        ('{"stake_minor": 1}', "the field request_id is missing"),
        (json.dumps({"request_id": 1, "stake_minor": 1, "payout_minor": 1, "currency": "EUR"}), "request_id: expected"),
        (json.dumps({"request_id": ID, "stake_minor": True, "payout_minor": 1, "currency": "EUR"}), "stake_minor: "),
        (json.dumps({"request_id": ID, "stake_minor": 2**64, "payout_minor": 1, "currency": "EUR"}), "stake_minor: "),
    ],
)
def test_a_line_that_is_no_round_is_named_too(tmp_path, line, said):
    with pytest.raises(MalformedError) as caught:
        rows(tmp_path, line, "list.jsonl")
    assert f"list.jsonl:1: {said}" in str(caught.value)


ROUNDS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 2), st.integers(0, 3)), max_size=60)


def theirs(items):
    return [
        FileRound(number.to_bytes(16, "big"), item, line, 10, payout, "EUR", (payout,), None, None, None)
        for line, (number, item, payout) in enumerate(items, 1)
    ]


def ours(items):
    known = {(number, item): payout for number, item, payout in items}
    return [
        LedgerRound(number.to_bytes(16, "big"), item, "draw", POOL, 0, (payout,), 10, payout, "EUR", "final")
        for (number, item), payout in sorted(known.items())
    ]


@settings(deadline=None)
@given(ROUNDS, st.integers(1, 7), st.integers(2, 4))
def test_sorting_on_disk_is_sorting(items, at_once, files):
    given_rounds = theirs(items)
    found = list(sorted_rounds(given_rounds, Path("/tmp"), rows_at_once=at_once, most_files=files))
    assert found == sorted(given_rounds, key=lambda item: (item.request_id, item.item, item.line))


@given(ROUNDS, ROUNDS)
def test_every_round_is_equal_or_differs_in_one_way(left, right):
    listed = sorted(theirs(left), key=lambda item: (item.request_id, item.item, item.line))
    ledger = ours(right)
    counts = Compared()
    found = list(compare(listed, ledger, counts))
    times = Counter((item.request_id, item.item) for item in listed)
    first = {}
    for item in listed:
        first.setdefault((item.request_id, item.item), item)
    known = {(item.request_id, item.item): item for item in ledger}
    expected = Counter()
    for key in times.keys() | known.keys():
        if key not in times:
            expected["missing"] += 1
        elif times[key] > 1:
            expected["twice"] += 1
        elif key not in known:
            expected["extra"] += 1
        elif first[key].payout_minor != known[key].payout_minor:
            expected["different"] += 1
    assert Counter({kind: number for kind, number in counts.by_kind.items() if number}) == expected
    assert Counter(item.kind for item in found) == expected
    assert counts.differences == len(found)


def one(**changes):
    fields = {"stake_minor": 10, "payout_minor": 0, "currency": "EUR", "outcome": None, "pool": None, "slot": None,
              "status": None}  # fmt: skip
    return FileRound(bytes(16), 0, 2, **(fields | changes))


def ledger(**changes):
    fields = {"kind": "draw", "pool": POOL, "slot": 4, "outcome": (5,), "stake_minor": 10, "payout_minor": 0,
              "currency": "EUR", "status": "final"}  # fmt: skip
    return LedgerRound(bytes(16), 0, **(fields | changes))


@pytest.mark.parametrize(
    ("their", "our", "kind", "fields"),
    [
        (one(), ledger(), None, None),
        (one(outcome=(5,), pool=POOL, slot=4, status="final"), ledger(), None, None),
        (one(outcome=(6,)), ledger(), "different", {"outcome": ((6,), (5,))}),
        (one(slot=5), ledger(), "different", {"slot": (5, 4)}),
        (one(currency="SEK"), ledger(), "different", {"currency": ("SEK", "EUR")}),
        (one(stake_minor=0, currency=""), ledger(stake_minor=0, currency="", status="unsettled"), "unsettled", {}),
        (one(status="unsettled"), ledger(status="unsettled"), None, None),
        (one(payout_minor=7), ledger(status="open", outcome=()), None, None),
        (one(stake_minor=7), ledger(status="open"), "different", {"stake_minor": (7, 10)}),
        (
            one(status="final"),
            ledger(kind="settle", status="void", outcome=()),
            "different",
            {"status": ("final", "void")},
        ),
    ],
)
def test_what_a_list_says_is_compared_field_by_field(their, our, kind, fields):
    found = list(compare([their], [our], Compared()))
    assert [item.kind for item in found] == ([] if kind is None else [kind])
    if kind is not None:
        assert found[0].fields == fields


def test_settlements_are_missed_only_in_lists_that_have_them():
    counts = Compared()
    assert list(compare([], [ledger(kind="settle")], counts)) == []
    assert counts.settlements_left_out == 1
    (found,) = compare([], [ledger(kind="settle")], Compared(), settlements=True)
    assert found.kind == "missing"
