"""The sealed order of a deal: a permutation that only the pool key gives, in the last bytes of the secrets."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rng_service.pools.deals import PLACE_BYTES, deal_order, deal_secrets, place_of, with_places
from rng_service.pools.slots import slot_leaves, slot_root, slot_secrets

VECTORS = sorted((Path(__file__).parents[2] / "vectors" / "deals").glob("*.json"))
KEYS = st.binary(min_size=32, max_size=32)
SIZES = st.integers(1, 700)


def slow_order(key, size):
    """Shuffle with one byte of keystream after the other, in the words of PROTOCOL.md."""
    # Far more than any shuffle of this size rejects.
    stream = iter(slot_secrets(key, 2 * size + 64)[32 * size :])
    cards = list(range(size))
    for i in range(size - 1, 0, -1):
        bits = i.bit_length()
        j = i + 1
        while j > i:
            j = int.from_bytes(bytes(next(stream) for _ in range(-(-bits // 8))), "big") % 2**bits
        cards[i], cards[j] = cards[j], cards[i]
    return cards


@given(KEYS, SIZES)
def test_the_sealed_order_is_a_permutation_and_the_one_of_the_document(key, size):
    order = list(deal_order(key, size))
    assert sorted(order) == list(range(size))
    assert order == slow_order(key, size)


@given(KEYS, SIZES)
def test_a_secret_is_keystream_with_its_place_at_the_end(key, size):
    secrets, plain = deal_secrets(key, size), slot_secrets(key, size)
    assert len(secrets) == len(plain)
    for slot, place in enumerate(deal_order(key, size)):
        secret = secrets[32 * slot : 32 * slot + 32]
        assert secret[:-PLACE_BYTES] == plain[32 * slot : 32 * slot + 24]
        assert place_of(secret) == place


@given(KEYS, st.integers(2, 300), st.data())
def test_a_part_of_a_deal_is_opened_like_the_whole(key, size, data):
    first = data.draw(st.integers(0, size - 1))
    count = data.draw(st.integers(1, size - first))
    part = slot_secrets(key, size)[32 * first : 32 * (first + count)]
    whole = deal_secrets(key, size)
    assert with_places(part, deal_order(key, size), first) == whole[32 * first : 32 * (first + count)]


def test_a_deal_of_a_million_tickets_has_every_place_once():
    order = deal_order(b"K" * 32, 1_048_576)
    assert set(order) == set(range(1_048_576))
    # A shuffle leaves one neighbouring pair in its place on average.
    assert sum(after == before + 1 for before, after in pairwise(order)) < 20


def test_places_are_spread_over_all_slots():
    """Which slot stands at place 0 is uniform: chi-square with 7 degrees of freedom, far below its 99.99 % point."""
    counts = [0] * 8
    for number in range(800):
        counts[deal_order(number.to_bytes(32, "big"), 8).index(0)] += 1
    assert sum((count - 100) ** 2 / 100 for count in counts) < 29.9


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_the_frozen_deals_are_sealed_as_ever(path):
    vector = json.loads(path.read_text())
    key, size = bytes.fromhex(vector["pool_key"]), sum(vector["counts"])
    secrets = deal_secrets(key, size)
    assert list(deal_order(key, size)) == vector["order"]
    assert secrets.hex() == "".join(vector["secrets"])
    leaves = slot_leaves(vector["pool"], secrets)
    assert [leaf.hex() for leaf in leaves] == vector["leaves"]
    assert slot_root(leaves).hex() == vector["slot_root"]
