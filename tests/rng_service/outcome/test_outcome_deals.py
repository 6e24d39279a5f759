"""From an opened slot of a deal to its ticket: a permutation that nobody knew when the slots were sealed."""

import hmac
import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor.errors import MalformedError
from rng_service.encoding import lp, u32, u64
from rng_service.outcome import (
    Deal,
    DealDeriver,
    DrawKeyDeriver,
    StepError,
    Uniform,
    compile_program,
    deriver_of,
)
from rng_service.outcome.deals import deal_permutation
from rng_service.pools.deals import deal_secrets

VECTORS = sorted((Path(__file__).parents[2] / "vectors" / "deals").glob("*.json"))
HASHES = st.binary(min_size=32, max_size=32)
COUNTS = st.lists(st.integers(1, 60), min_size=1, max_size=9)


def slow_permutation(commit_hash, beacon, size):
    """Shuffle in the words of PROTOCOL.md, over all blocks that could be needed."""
    key = hmac.digest(beacon, lp(b"sealdraw/v1/deal") + commit_hash, "sha256")
    stream = iter(b"".join(hmac.digest(key, u32(block), "sha256") for block in range(size // 2 + 8)))
    cards = list(range(size))
    for i in range(size - 1, 0, -1):
        bits = i.bit_length()
        j = i + 1
        while j > i:
            j = int.from_bytes(bytes(next(stream) for _ in range(-(-bits // 8))), "big") % 2**bits
        cards[i], cards[j] = cards[j], cards[i]
    return cards


def secret_of(place):
    return bytes(24) + u64(place)


@given(HASHES, HASHES, st.integers(1, 600))
def test_sigma_is_a_permutation_and_the_one_of_the_document(commit_hash, beacon, size):
    permutation = list(deal_permutation(commit_hash, beacon, size))
    assert sorted(permutation) == list(range(size))
    assert permutation == slow_permutation(commit_hash, beacon, size)


@given(HASHES, HASHES, HASHES, COUNTS)
def test_all_slots_of_a_deal_open_to_its_composition(key, commit_hash, beacon, counts):
    size = sum(counts)
    secrets, deriver = deal_secrets(key, size), DealDeriver(commit_hash, beacon, size)
    derive = compile_program([Deal(tuple(counts))]).derive
    tiers = Counter(
        derive(deriver.outcome_stream(secrets[32 * slot : 32 * slot + 32], slot, b""))[0] for slot in range(size)
    )
    assert tiers == dict(enumerate(counts))


def test_neither_the_commitment_nor_the_beacon_alone_says_where_the_winner_is():
    winners = {
        deal_permutation(bytes([one]) * 32, bytes([other]) * 32, 50).index(49) for one in range(8) for other in range(8)
    }
    assert len(winners) > 20
    assert len({deal_permutation(bytes(32), bytes([other]) * 32, 50).index(49) for other in range(20)}) > 10
    assert len({deal_permutation(bytes([one]) * 32, bytes(32), 50).index(49) for one in range(20)}) > 10


def test_the_tiers_lie_in_the_order_of_the_definition():
    deriver, program = DealDeriver(bytes(32), bytes(32), 12), compile_program([Deal((7, 3, 2))])
    for place, ticket in enumerate(deriver.permutation):
        (tier,) = program.derive(deriver.outcome_stream(secret_of(place), place, b""))
        assert tier == (0 if ticket < 7 else 1 if ticket < 10 else 2)


def test_what_no_deal_has_is_refused():
    deriver = DealDeriver(bytes(32), bytes(32), 12)
    with pytest.raises(MalformedError, match="takes no client seed"):
        deriver.outcome_stream(secret_of(3), 0, b"s" * 16)
    for place in (12, 2**32, 2**64 - 1):
        with pytest.raises(MalformedError, match="of a deal of 12"):
            deriver.outcome_stream(secret_of(place), 0, b"")
    for size in (0, 31, 33):
        with pytest.raises(MalformedError, match="expected 32"):
            deriver.outcome_stream(bytes(size), 0, b"")


def test_a_ticket_is_no_stream_and_a_stream_is_no_ticket():
    stream = DrawKeyDeriver(bytes(32), b"", "base").outcome_stream(bytes(32), 0, b"")
    with pytest.raises(TypeError, match="not drawn from a stream"):
        compile_program([Deal((1, 1))]).derive(stream)
    ticket = DealDeriver(bytes(32), bytes(32), 2).outcome_stream(secret_of(0), 0, b"")
    with pytest.raises(AttributeError):
        compile_program([Uniform(6)]).derive(ticket)


def test_a_deal_is_a_program_of_its_own_within_its_limits():
    assert compile_program([Deal((1_000_000, 48_576))]).deal_size == 1_048_576
    assert compile_program([Uniform(6)]).deal_size == 0
    with pytest.raises(StepError, match="the only step"):
        compile_program([Deal((1, 1)), Uniform(6)])
    for counts in ((), (0,), (5, 0), (1_048_577,), (1_048_576, 1)):
        with pytest.raises(StepError, match="counts"):
            Deal(counts)


def test_the_kind_of_a_pool_chooses_what_opens_its_slots():
    assert isinstance(deriver_of("deal", bytes(32), bytes(32), "base", 12), DealDeriver)
    assert isinstance(deriver_of("independent", bytes(32), b"", "base", 12), DrawKeyDeriver)


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_the_frozen_deals_open_as_ever(path):
    vector = json.loads(path.read_text())
    counts = tuple(vector["counts"])
    commit_hash, beacon = bytes.fromhex(vector["commit_hash"]), bytes.fromhex(vector["beacon"])
    deriver = deriver_of("deal", commit_hash, beacon, "base", sum(counts))
    assert list(deriver.permutation) == vector["permutation"]
    derive = compile_program([Deal(counts)]).derive
    opened = [
        derive(deriver.outcome_stream(bytes.fromhex(secret), slot, b""))[0]
        for slot, secret in enumerate(vector["secrets"])
    ]
    assert opened == vector["outcomes"]
    assert [deriver.permutation[place] for place in vector["order"]] == vector["tickets"]
