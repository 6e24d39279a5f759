from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from operator_simulator import SECOND, Operator, tell

from anchor.errors import VerificationError
from rng_service.beacon.chain import QUICKNET
from rng_service.log_entries import NO_DIGEST, Incident, StreamLanes
from rng_service.names import lane_of
from rng_service.records.digest import DigestItem, build_digests
from rng_service.verify import verify_export, verify_log, verify_pool, verify_receipt
from rng_service.verify.clock import LogClock
from rng_service.verify.digests import check_digest_form
from rng_service.verify.opened import OpenedRecord
from rng_service.verify.place import check_place
from rng_service.verify.receipt_digest import CLOCK_SKIPPED
from rng_service.verify.seeds import Seeds

DICE = "dice-99/1/base/real"
POOL = "dev/dice-99/1/base/real/0/{}"
UNDER = {"bet": "under", "threshold": 5000}
SEED = b"a seed of the caller's"


def started(directory, *, lanes=1, size=8):
    operator = Operator(directory / "public", beacon=False)
    operator.start()
    operator.register("dice-99")
    if lanes > 1:
        operator.append(StreamLanes(**operator.head(), stream=DICE, lanes=lanes))
    pools = [operator.commit(DICE, size, lane=lane) for lane in range(lanes)]
    operator.publish()
    for pool in pools:
        operator.activate(pool)
    operator.digest()
    operator.tick(1)
    return operator, pools


def reason_of(call, *arguments, **named):
    with pytest.raises(VerificationError) as caught:
        call(*arguments, **named)
    return caught.value.reason


# Places in digests.


@st.composite
def digest_items(draw):
    """Records as an honest operator has them: runs of draws, voids, tickets and batches, and settlements anywhere."""
    items = []
    for number in draw(st.lists(st.integers(1, 12), unique=True, max_size=3)):
        pool, slot = POOL.format(number), 0
        for kind, slots in draw(st.lists(st.tuples(st.sampled_from(["draw", "void", "gap"]), st.integers(1, 4)))):
            if kind != "gap":
                items.append((pool, slot, slots, kind))
            slot += slots
        for kind in ("ticket", "settle"):
            items.extend((pool, at, 1, kind) for at in draw(st.lists(st.integers(0, 12), unique=True, max_size=4)))
    return [DigestItem(*item, sha256(repr(item).encode()).digest()) for item in items]


def record_of(item):
    return OpenedRecord(item.kind, item.digest, {}, b"", item.pool, item.slot, item.slots, b"", b"")


@given(items=digest_items())
def test_every_record_of_an_honest_digest_stands_where_its_ranges_put_it(items):
    (built,) = build_digests(items, origin="example.org/dev", time_us=5, seq=0, prev=NO_DIGEST)
    check_digest_form(built.entry)
    for place, item in enumerate(built.items):
        check_place(built.entry, record_of(item), place)


@given(items=digest_items())
def test_no_record_may_stand_in_another_place_and_settlements_only_in_each_others(items):
    (built,) = build_digests(items, origin="example.org/dev", time_us=5, seq=0, prev=NO_DIGEST)
    for place, item in enumerate(built.items):
        for other, held in enumerate(built.items):
            if other == place or (item.kind == held.kind == "settle" and item.pool == held.pool):
                check_place(built.entry, record_of(item), other)
            else:
                assert reason_of(check_place, built.entry, record_of(item), other) == "digest-place"


def test_a_record_that_is_not_aligned_with_its_range_or_has_another_width_is_refused():
    items = [DigestItem(POOL.format(1), slot, 2, "draw", bytes([slot]) * 32) for slot in (0, 2, 4)]
    (built,) = build_digests(items, origin="example.org/dev", time_us=5, seq=0, prev=NO_DIGEST)
    record = record_of(items[1])
    check_place(built.entry, record, 1)
    for other in (record._replace(slot=1), record._replace(slot=3), record._replace(slots=1), record._replace(slots=4)):
        assert reason_of(check_place, built.entry, other, 1) == "digest-range"
    for other in (record._replace(slot=6), record._replace(slot=-2)):
        assert reason_of(check_place, built.entry, other, 1) == "digest-range"


def test_a_record_of_another_kind_or_slot_has_no_range():
    items = [DigestItem(POOL.format(1), slot, 1, "draw", bytes([slot]) * 32) for slot in (0, 1, 3)]
    (built,) = build_digests(items, origin="example.org/dev", time_us=5, seq=0, prev=NO_DIGEST)
    record = record_of(items[1])
    for other in (record._replace(kind="void"), record._replace(slot=2), record._replace(slots=2)):
        assert reason_of(check_place, built.entry, other, 1) == "digest-range"


def test_a_partial_export_may_have_settlements(tmp_path):
    operator, (pool,) = started(tmp_path)
    draws = [operator.draw(pool, count=2), operator.draw(pool)]
    operator.settle(draws[1], bet=UNDER)
    operator.settle(draws[0], bet=UNDER)
    operator.draw(pool, caller="arcade")
    operator.digest()
    operator.publish()
    path = operator.export(tmp_path / "export", only=lambda record: record.kind == "settle")
    assert verify_export(path, operator.source, operator.vkey).records["settle"] == 2


# Lanes that change.


def test_records_follow_the_number_of_lanes_before_for_a_merge_delay(tmp_path):
    operator, pools = started(tmp_path, lanes=2)
    session = next(text for text in map(str, range(50)) if lane_of("casino", text, 2) == 1)
    held = operator.reserve(pools[1], SEED, session=session, expires_s=3600)
    late = operator.draw(pools[1], session=session)
    operator.append(StreamLanes(**operator.head(), stream=DICE, lanes=1))
    operator.tick(10)
    operator.digest()
    operator.tick(30)
    # The ticket chose its lane when there were two.
    drawn = operator.draw(pools[1], seed=SEED, ticket=held)
    operator.digest()
    operator.publish()
    verify_log(operator.source, operator.vkey)
    verify_export(operator.export(tmp_path / "export"), operator.source, operator.vkey)
    for record in (held, late, drawn):
        verify_receipt(operator.receipt(record), operator.source, operator.vkey, now_us=operator.now_us)
    wrong = operator.draw(pools[1], session=session)
    operator.digest()
    operator.publish()
    assert reason_of(verify_log, operator.source, operator.vkey) == "lane-choice"
    assert reason_of(verify_receipt, operator.receipt(wrong), operator.source, operator.vkey) == "lane-choice"


def test_the_number_of_lanes_before_counts_longer_through_an_admitted_outage(tmp_path):
    operator, pools = started(tmp_path, lanes=2)
    late = operator.draw(pools[1])
    operator.append(StreamLanes(**operator.head(), stream=DICE, lanes=1))
    operator.tick(3000)
    operator.append(Incident(**operator.head(), kind="outage", reason="heartbeat-missed"))
    operator.digest()
    operator.publish()
    verify_log(operator.source, operator.vkey)
    assert verify_receipt(operator.receipt(late), operator.source, operator.vkey).outage is not None


# Deadlines through outages.


def test_voids_and_erasures_that_were_due_in_an_admitted_outage_count_from_its_end(tmp_path):
    operator, (pool,) = started(tmp_path)
    second = operator.commit(DICE, 2)
    operator.publish()
    operator.activate(second)
    operator.draw(pool)
    operator.quarantine(pool)
    operator.draw(second)
    operator.stop(second)
    operator.digest()
    operator.close(pool)
    operator.tick(3000)
    operator.append(Incident(**operator.head(), kind="outage", reason="heartbeat-missed"))
    operator.digest()
    operator.tick(59)
    operator.digest()
    operator.publish()
    verify_log(operator.source, operator.vkey)
    operator.tick(2)
    operator.digest()
    operator.publish()
    assert reason_of(verify_log, operator.source, operator.vkey) == "quarantine-unopened"


# What reports say.


def test_reports_name_the_chain_and_its_hash(tmp_path):
    operator = Operator(tmp_path / "public")
    tell(operator)
    name = f"development {operator.chain.chain_hash.hex()}, the operator's own, for development"
    assert verify_log(operator.source, operator.vkey).beacon_chains == (name,)
    assert verify_receipt(operator.receipt(operator.plain), operator.source, operator.vkey).beacon_chain == name
    assert verify_pool(operator.pools[0].pool_id, operator.source, operator.vkey).beacon_chain == name
    assert f"beacon: {name}" in verify_log(operator.source, operator.vkey).lines()
    assert not QUICKNET.development


def test_pools_with_unopened_slots_are_listed_by_age(tmp_path):
    operator, (pool,) = started(tmp_path)
    operator.draw(pool, count=3)
    operator.digest()
    operator.publish()
    (line,) = verify_log(operator.source, operator.vkey, now_us=operator.now_us + 7_199 * SECOND).unopened
    assert line == f"5 of 8 slots of {pool.pool_id}, activated 2.0 hours before"
    (line,) = verify_log(operator.source, operator.vkey).unopened
    assert line.endswith("activated 0.0 hours before")


def test_a_pending_record_without_a_clock_says_what_was_not_checked(tmp_path):
    operator, (pool,) = started(tmp_path)
    operator.publish()
    receipt = operator.receipt(operator.draw(pool))
    assert verify_receipt(receipt, operator.source, operator.vkey).skipped == (CLOCK_SKIPPED,)
    asked = verify_receipt(receipt, operator.source, operator.vkey, now_us=operator.now_us + 10 * SECOND)
    assert (asked.pending, asked.skipped) == (True, ())


def test_seeds_that_were_used_before_are_counted_for_each_caller(tmp_path):
    operator, (pool,) = started(tmp_path)
    for caller in ("casino", "casino", "arcade"):
        operator.draw(pool, seed=SEED, caller=caller)
    ticket = operator.reserve(pool, SEED)
    operator.digest()
    operator.draw(pool, seed=SEED, ticket=ticket)
    operator.digest()
    operator.publish()
    report = verify_export(operator.export(tmp_path / "export"), operator.source, operator.vkey)
    assert report.notes == ("client seeds of casino that were used before: 2",)


def test_seeds_are_kept_up_to_a_bound():
    seeds = Seeds(most=1)
    for seed in (b"one", b"two", b"one"):
        seeds.seed("casino", seed)
    seeds.seed_hash("casino", sha256(b"one").hexdigest())
    seeds.seed_hash("casino", sha256(b"two").hexdigest())
    assert seeds.notes() == [
        "client seeds of casino that were used before: 2",
        "client seeds behind the first 1 were not looked at",
    ]


def test_an_export_that_begins_in_the_middle_of_a_pool_says_nothing_of_its_bindings(tmp_path):
    operator = Operator(tmp_path / "public")
    tell(operator)
    assert verify_export(operator.export(tmp_path / "whole"), operator.source, operator.vkey).bindings == 2
    assert verify_export(operator.export(tmp_path / "part", first=2), operator.source, operator.vkey).bindings == 1


# The clock of the log.


def test_a_clock_reads_digests_from_their_bytes_as_from_their_members(tmp_path):
    operator = Operator(tmp_path / "public")
    tell(operator)
    clock = LogClock()
    read = [data for data in operator.entries if clock.digest_bytes(data)]
    assert len(read) == len(operator.digest_items)
    assert clock.at().newest_us == operator.now_us
    chain = "ab" * 32
    beacon = f'{{"beacon":{{"chain":"{chain}","round":77}},'.encode() + read[-1][1:]
    assert clock.digest_bytes(beacon)
    assert clock.at(bytes.fromhex(chain)).newest_round == 77
    assert clock.at(bytes(32)).newest_round == 0
