from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from hypothesis import given
from hypothesis import strategies as st

from rng_service.pools import slots
from rng_service.records import record
from rng_service.vault.keystream import SecretStream
from rng_service.vault.secret import PoolKey

KEY = bytes(range(32))
POOL = "test/roulette/1/main/real/0/1"


def test_secrets_are_the_cipher_of_a_counter_from_zero() -> None:
    encrypt = Cipher(AES(KEY), ECB()).encryptor().update
    expected = b"".join(encrypt(counter.to_bytes(16, "big")) for counter in range(10))
    assert slots.slot_secrets(KEY, 5) == expected


def test_a_leaf_has_the_documented_bytes() -> None:
    secret = bytes(range(32))
    preimage = (
        b"\x00"
        b"\x00\x00\x00\x10sealdraw/v1/slot"
        + len(POOL).to_bytes(4, "big")
        + POOL.encode()
        + (7).to_bytes(8, "big")
        + secret
    )
    assert slots.slot_leaf(POOL, 7, secret) == sha256(preimage).digest()
    with pytest.raises(ValueError, match="32 bytes"):
        slots.slot_leaf(POOL, 7, secret[:31])


@pytest.mark.parametrize("size", [1, 2, 3, 4095, 4096, 4097, 9000])
def test_all_leaves_at_once_equal_the_leaves_one_by_one(size: int) -> None:
    secrets = slots.slot_secrets(KEY, size)
    leaves = slots.slot_leaves(POOL, secrets)
    assert len(leaves) == size
    for slot in {0, 1, size // 2, min(4095, size - 1), min(4096, size - 1), size - 1} & set(range(size)):
        assert leaves[slot] == slots.slot_leaf(POOL, slot, secrets[32 * slot : 32 * slot + 32])
    assert slots.slot_leaves(POOL, secrets[32 * (size - 1) :], size - 1) == leaves[-1:]
    with pytest.raises(ValueError, match="32 bytes a slot"):
        slots.slot_leaves(POOL, secrets + b"x")


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 700)), max_size=12))
def test_a_stream_gives_the_same_secrets_in_any_order(accesses: list[tuple[int, int]]) -> None:
    whole = slots.slot_secrets(KEY, 4000)
    stream = SecretStream(PoolKey(KEY))
    for slot, count in accesses:
        assert stream.secrets(slot, count) == whole[32 * slot : 32 * (slot + count)]


def test_records_have_the_documented_bytes() -> None:
    binding = b'{"v":1}'
    assert record.draw_record(binding, b"\xab" * 64) == (
        b'{"binding":{"v":1},"kind":"draw","secrets":"' + b"ab" * 64 + b'","v":1}'
    )
    assert record.ticket_record(binding) == b'{"binding":{"v":1},"kind":"ticket","v":1}'
    assert record.settle_record(binding) == b'{"binding":{"v":1},"kind":"settle","v":1}'
    opened = sha256(b"\xab" * 32).hexdigest().encode()
    expected = b'{"binding":{"v":1},"kind":"void","opened":"' + opened + b'","v":1}'
    assert record.void_record(binding, b"\xab" * 32) == expected
    assert record.record_digest(expected) == sha256(b"\x00" + expected).digest()
    assert record.binding_hash(binding) == sha256(b"\x00\x00\x00\x13sealdraw/v1/binding" + binding).digest()
