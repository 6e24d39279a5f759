from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anchor.merkle import leaf_hash, root_of
from rng_service.log_entries import MAX_DIGEST_RECORDS, NO_DIGEST, RecordRange, parse_entry
from rng_service.names import parse_pool_id
from rng_service.records.digest import MAX_DIGEST_ENTRY, DigestItem, build_digests, ranges_of, sort_key
from rng_service.verify.digests import DigestChain
from rng_service.verify.registry import Registry

POOL = "dev/dice/1/base/real/0/{}"


def item(pool, slot, slots=1, kind="draw"):
    name = POOL.format(pool)
    return DigestItem(name, slot, slots, kind, sha256(f"{name} {slot} {kind}".encode()).digest())


def built(items, **named):
    arguments = {"origin": "example.org/dev", "time_us": 5, "seq": 0, "prev": NO_DIGEST} | named
    return build_digests(items, **arguments)


def test_a_second_without_records_is_a_heartbeat():
    (digest,) = built([], seq=1234)
    assert digest.entry.counts.total == 0
    assert (digest.entry.ranges, digest.file) == ((), b"")
    assert digest.entry.root == root_of([])
    assert digest.file_path == "digests/x001/234.bin"


def test_the_file_is_the_sorted_leaves_of_the_root():
    items = [item(2, 3), item(10, 0), item(2, 3, kind="ticket"), item(2, 1, 2, kind="void"), item(2, 3, kind="settle")]
    (digest,) = built(items)
    assert [entry.pool.rpartition("/")[2] for entry in digest.items] == ["10", "2", "2", "2", "2"]
    assert [entry.kind for entry in digest.items[1:]] == ["void", "draw", "ticket", "settle"]
    assert digest.file == b"".join(entry.digest for entry in sorted(items, key=sort_key))
    assert digest.entry.root == root_of([entry.digest for entry in digest.items])
    assert digest.leaf == leaf_hash(digest.data)
    assert parse_entry(digest.data) == digest.entry


def test_ranges_are_maximal_runs_of_equal_width():
    name = POOL.format(1)
    draws = [item(1, 0), item(1, 1), item(1, 2, 3), item(1, 5, 3), item(1, 8), item(1, 10)]
    found = ranges_of([*draws, item(1, 5, kind="ticket"), item(1, 5, kind="settle")])
    assert found == (
        RecordRange(kind="draw", pool=name, records=2, slot=0, slots=2),
        RecordRange(kind="draw", pool=name, records=2, slot=2, slots=6),
        RecordRange(kind="draw", pool=name, records=1, slot=8, slots=1),
        RecordRange(kind="draw", pool=name, records=1, slot=10, slots=1),
        RecordRange(kind="settle", pool=name, records=1),
        RecordRange(kind="ticket", pool=name, records=1, slot=5, slots=1),
    )


def test_a_large_second_is_split_into_a_chain_that_keeps_every_order():
    items = [item(pool, slot, kind=("draw", "void")[slot % 2]) for pool in (9, 10, 11) for slot in range(600)]
    parts = built(items, seq=7, prev=bytes([1]) * 32)
    assert len(parts) > 1
    assert sorted(entry for part in parts for entry in part.items) == sorted(items)
    previous, used = bytes([1]) * 32, []
    for number, part in enumerate(parts):
        assert (part.entry.seq, part.entry.prev) == (7 + number, previous)
        assert len(part.data) <= MAX_DIGEST_ENTRY
        previous = part.leaf
        used += sorted((parse_pool_id(entry.pool).number, entry.slot) for entry in part.items)
    assert used == sorted(used)


def test_more_records_than_a_digest_may_have_are_split():
    parts = built([item(1, slot) for slot in range(MAX_DIGEST_RECORDS + 2)])
    assert len(parts) == 2
    assert all(part.entry.counts.total <= MAX_DIGEST_RECORDS for part in parts)
    assert sum(part.entry.counts.total for part in parts) == MAX_DIGEST_RECORDS + 2


def test_slots_outside_a_pool_are_refused():
    with pytest.raises(ValueError, match="do not lie in a pool"):
        built([item(1, 1_048_576)])


class Files:
    """A source of the digest files that were built."""

    def __init__(self, digests):
        self.files = {digest.file_path: digest.file for digest in digests}

    def read(self, path, *, limit):
        assert len(self.files[path]) <= limit
        return self.files[path]


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(0, 40), st.sampled_from(["draw", "ticket", "void", "settle"])),
        max_size=60,
        unique=True,
    )
)
def test_whatever_is_built_the_auditor_accepts(places):
    class Config:
        time_us, heartbeat_s = 5, 60

    registry = Registry.__new__(Registry)
    registry.config = Config()
    digests = built([item(pool, slot, kind=kind) for pool, slot, kind in places])
    chain = DigestChain(registry, Files(digests))
    for digest in digests:
        assert chain.take(digest.leaf, len(digest.data), parse_entry(digest.data)) == digest.file
    assert sum(chain.records.values()) == len(places)
