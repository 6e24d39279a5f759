import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor import canonical
from anchor.errors import AnchorError, MalformedError, VerificationError
from rng_service import beacon
from rng_service.beacon import (
    QUICKNET,
    SCHEMES,
    BeaconLibraryMissing,
    ChainInfo,
    beacon_value,
    chain_entry,
    chain_from_entry,
    chain_from_information,
    chain_information,
    parse_chain_info,
    require_pool_chain,
    verify_round,
)
from rng_service.beacon.scheme import GROUP_ORDER

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "beacon" / "drand_rounds.json").read_text(encoding="ascii")
)
FIELD_MODULUS = int(
    "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab", 16
)


def chain_of(name: str) -> ChainInfo:
    facts = VECTORS[name]
    return ChainInfo(
        name=name,
        scheme=facts["scheme"],
        public_key=bytes.fromhex(facts["public_key"]),
        period_s=facts["period"],
        genesis_time=facts["genesis_time"],
        group_hash=bytes.fromhex(facts["group_hash"]),
        beacon_id=facts["beacon_id"],
    )


ROUNDS = [
    pytest.param(chain_of(name), vector, id=f"{name}-{vector['round']}")
    for name in ("quicknet", "default")
    for vector in VECTORS[name]["rounds"]
]
QUICKNET_ROUNDS = VECTORS["quicknet"]["rounds"]
SIGNATURE = bytes.fromhex(QUICKNET_ROUNDS[0]["signature"])


def refused(reason: str, chain: ChainInfo, number: int, signature: bytes, **rest: bytes) -> str:
    with pytest.raises(VerificationError) as caught:
        verify_round(chain, number, signature, **rest)
    assert caught.value.reason == reason
    return caught.value.message


def test_there_are_twenty_six_real_rounds():
    assert len(ROUNDS) == 26


@pytest.mark.parametrize(("chain", "vector"), ROUNDS)
def test_a_real_round_verifies_and_gives_its_published_value_and_time(chain, vector):
    signature = bytes.fromhex(vector["signature"])
    previous = bytes.fromhex(vector.get("previous_signature", ""))
    verify_round(chain, vector["round"], signature, previous_signature=previous)
    assert beacon_value(signature).hex() == vector["randomness"]
    assert chain.time_of(vector["round"]) == vector["time"] * 1_000_000


@pytest.mark.parametrize("name", ["quicknet", "default"])
def test_the_chain_hash_is_the_published_one(name):
    assert chain_of(name).chain_hash.hex() == VECTORS[name]["chain_hash"]


def test_the_built_in_quicknet_is_the_published_chain():
    assert chain_of("quicknet") == QUICKNET
    assert QUICKNET.chain_hash.hex() == "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971"
    assert not QUICKNET.development


@pytest.mark.parametrize("number", [41, 43, 1, 123])
def test_a_signature_of_another_round_is_refused(number):
    assert "does not fit" in refused("beacon-signature", QUICKNET, number, SIGNATURE)


@pytest.mark.parametrize("number", [0, -1, 2**53, 2**64])
def test_a_number_that_no_round_can_have_is_refused(number):
    assert "no round" in refused("beacon-signature", QUICKNET, number, SIGNATURE)


def test_the_signatures_of_two_rounds_cannot_be_swapped():
    first, second = QUICKNET_ROUNDS[:2]
    refused("beacon-signature", QUICKNET, first["round"], bytes.fromhex(second["signature"]))
    refused("beacon-signature", QUICKNET, second["round"], bytes.fromhex(first["signature"]))


@pytest.mark.parametrize(
    ("signature", "complaint"),
    [
        pytest.param(bytes(48), "no point", id="zero-bytes"),
        pytest.param(b"\xff" * 48, "no point", id="all-ones"),
        pytest.param(b"\xc0" + bytes(47), "infinity", id="infinity"),
        pytest.param(b"\xc0" + bytes(46) + b"\x01", "no point", id="untidy-infinity"),
        pytest.param(b"\x80" + bytes(46) + b"\x04", "no point", id="outside-the-subgroup"),
        pytest.param(b"", "48 bytes", id="empty"),
        pytest.param(SIGNATURE[:-1], "48 bytes", id="one-byte-short"),
        pytest.param(SIGNATURE + b"\x00", "48 bytes", id="one-byte-long"),
        pytest.param(bytes([SIGNATURE[0] ^ 0x20]) + SIGNATURE[1:], "does not fit", id="negated"),
        pytest.param(bytes([SIGNATURE[0] & 0x7F]) + SIGNATURE[1:], "no point", id="not-marked-compressed"),
    ],
)
def test_a_signature_that_is_no_proper_point_is_refused(signature, complaint):
    assert complaint in refused("beacon-signature", QUICKNET, 42, signature)


def test_a_second_encoding_of_a_true_signature_is_refused():
    tried = 0
    for vector in QUICKNET_ROUNDS:
        number = int(vector["signature"], 16)
        flags, x = number >> 381, number & (2**381 - 1)
        if x + FIELD_MODULUS < 2**381:
            tried += 1
            twin = (flags << 381 | (x + FIELD_MODULUS)).to_bytes(48, "big")
            assert "no point" in refused("beacon-signature", QUICKNET, vector["round"], twin)
    assert tried > 0


@given(st.sampled_from(QUICKNET_ROUNDS), st.integers(0, 48 * 8 - 1))
def test_a_signature_with_one_bit_flipped_is_refused(vector, bit):
    flipped = (int(vector["signature"], 16) ^ (1 << bit)).to_bytes(48, "big")
    refused("beacon-signature", QUICKNET, vector["round"], flipped)


def test_a_key_at_infinity_is_refused_even_with_a_signature_at_infinity():
    weak = replace(QUICKNET, public_key=b"\xc0" + bytes(95))
    refused("beacon-signature", weak, 42, b"\xc0" + bytes(47))
    assert "public key is the point at infinity" in refused("beacon-signature", weak, 42, SIGNATURE)


def test_another_key_refuses_the_signature():
    scheme = SCHEMES[QUICKNET.scheme]
    other = replace(QUICKNET, public_key=scheme.public_key(7))
    refused("beacon-signature", other, 42, SIGNATURE)
    verify_round(other, 42, scheme.sign(7, scheme.message(42, b"")))


def test_a_chained_round_needs_its_own_previous_signature():
    chain, vector = chain_of("default"), VECTORS["default"]["rounds"][1]
    signature, previous = bytes.fromhex(vector["signature"]), bytes.fromhex(vector["previous_signature"])
    assert "needs" in refused("beacon-signature", chain, vector["round"], signature)
    refused("beacon-signature", chain, vector["round"], signature, previous_signature=previous[:-1] + b"\x00")


def test_an_unchained_round_with_a_previous_signature_is_refused():
    assert "has no" in refused("beacon-signature", QUICKNET, 42, SIGNATURE, previous_signature=SIGNATURE)


def test_a_pool_may_name_an_unchained_chain_only():
    require_pool_chain(QUICKNET)
    with pytest.raises(VerificationError) as caught:
        require_pool_chain(chain_of("default"))
    assert caught.value.reason == "beacon-scheme"


@pytest.mark.parametrize("name", sorted(SCHEMES))
@pytest.mark.parametrize("secret", [0, -1, GROUP_ORDER, GROUP_ORDER + 1])
def test_a_secret_key_outside_its_range_is_refused(name, secret):
    with pytest.raises(ValueError, match="group order"):
        SCHEMES[name].sign(secret, bytes(32))
    with pytest.raises(ValueError, match="group order"):
        SCHEMES[name].public_key(secret)


@pytest.mark.parametrize("name", sorted(SCHEMES))
def test_what_a_scheme_signs_it_verifies(name):
    scheme = SCHEMES[name]
    signature = scheme.sign(GROUP_ORDER - 1, b"message")
    scheme.verify(scheme.public_key(GROUP_ORDER - 1), b"message", signature)
    with pytest.raises(VerificationError):
        scheme.verify(scheme.public_key(GROUP_ORDER - 1), b"massage", signature)


def test_without_the_pairing_library_the_round_is_neither_accepted_nor_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyblst", None)
    with pytest.raises(BeaconLibraryMissing, match=r"sealdraw\[beacon\]") as caught:
        verify_round(QUICKNET, 42, SIGNATURE)
    assert isinstance(caught.value, AnchorError)
    assert not isinstance(caught.value, VerificationError)


def test_the_round_at_a_time_is_the_newest_published_one():
    genesis = QUICKNET.genesis_time * 1_000_000
    assert QUICKNET.round_at(0) == 0
    assert QUICKNET.round_at(genesis - 1) == 0
    assert QUICKNET.round_at(genesis) == 1
    assert QUICKNET.round_at(genesis + 2_999_999) == 1
    assert QUICKNET.round_at(genesis + 3_000_000) == 2


@given(st.integers(0, 2**52))
def test_a_named_round_is_never_earlier_than_asked_and_never_a_period_late(time_us):
    number = QUICKNET.first_round_from(time_us)
    assert number >= 1
    assert QUICKNET.time_of(number) >= time_us
    assert number == 1 or QUICKNET.time_of(number - 1) < time_us


@given(st.integers(1, 2**40))
def test_the_round_at_its_own_time_is_itself(number):
    assert QUICKNET.round_at(QUICKNET.time_of(number)) == number
    assert QUICKNET.round_at(QUICKNET.time_of(number) - 1) == number - 1


def test_no_round_before_the_first_has_a_time():
    with pytest.raises(ValueError, match="from 1"):
        QUICKNET.time_of(0)


@pytest.mark.parametrize(
    "change",
    [
        {"scheme": "bls-unchained-on-g1"},
        {"public_key": bytes(48)},
        {"group_hash": bytes(31)},
        {"period_s": 0},
        {"period_s": 2**32},
        {"genesis_time": -1},
        {"genesis_time": 2**40},
        {"beacon_id": ""},
        {"beacon_id": "Quicknet"},
        {"beacon_id": "quicknet\n"},
        {"name": "quick net"},
    ],
)
def test_facts_that_no_chain_can_have_are_refused(change):
    with pytest.raises(MalformedError):
        replace(QUICKNET, **change)


@pytest.mark.parametrize("name", ["quicknet", "default"])
def test_a_chain_survives_both_written_forms(name):
    chain = chain_of(name)
    written = canonical.encode(chain_information(chain))
    assert parse_chain_info(written, pinned_hash=chain.chain_hash) == chain
    again = chain_from_entry(canonical.decode(canonical.encode(chain_entry(chain))))
    assert again == chain
    assert again.name == chain.name


def test_information_of_another_chain_than_the_pinned_one_is_refused():
    other = replace(QUICKNET, public_key=SCHEMES[QUICKNET.scheme].public_key(7))
    with pytest.raises(VerificationError) as caught:
        parse_chain_info(canonical.encode(chain_information(other)), pinned_hash=QUICKNET.chain_hash)
    assert caught.value.reason == "beacon-chain"


@pytest.mark.parametrize(
    "change",
    [
        {"hash": "00" * 32},
        {"hash": None},
        {"period": True},
        {"period": "3"},
        {"genesis_time": 1692803368},
        {"schemeID": None},
        {"public_key": QUICKNET.public_key.hex().upper()},
        {"public_key": QUICKNET.public_key.hex()[:-1]},
        {"public_key": "00" * 97},
        {"groupHash": 5},
        {"metadata": None},
        {"metadata": {}},
        {"metadata": {"beaconID": "fastnet"}},
    ],
)
def test_information_that_does_not_hold_together_is_malformed(change):
    with pytest.raises(MalformedError):
        chain_from_information(chain_information(QUICKNET) | change)


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b"[" * 8_000, b" " * 8_193])
def test_information_that_is_no_small_object_is_malformed(data):
    with pytest.raises(MalformedError):
        parse_chain_info(data, pinned_hash=QUICKNET.chain_hash)


@pytest.mark.parametrize(
    "change",
    [{"chain": "00" * 32}, {"development": True}, {"development": 0}, {"development": None}, {"period_s": 4}],
)
def test_an_entry_that_does_not_hold_together_is_malformed(change):
    with pytest.raises(MalformedError):
        chain_from_entry(chain_entry(QUICKNET) | change)


def test_a_chain_of_the_operator_must_be_marked_as_development():
    own = replace(QUICKNET, beacon_id=beacon.DEVELOPMENT_BEACON_ID)
    assert chain_entry(own)["development"] is True
    with pytest.raises(MalformedError, match="development"):
        chain_from_entry(chain_entry(own) | {"development": False})


def test_the_public_names_are_sorted_and_exist():
    upper, lower = (
        [n for n in beacon.__all__ if n[0].isupper()],
        [n for n in beacon.__all__ if n[0].islower()],
    )
    constants = [name for name in upper if name.isupper()]
    classes = [name for name in upper if not name.isupper()]
    assert beacon.__all__ == sorted(constants) + sorted(classes) + sorted(lower)
    assert all(hasattr(beacon, name) for name in beacon.__all__)
