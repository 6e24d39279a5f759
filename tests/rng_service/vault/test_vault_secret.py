import copy
import pickle

import pytest

from rng_service.vault.keystream import SecretStream
from rng_service.vault.secret import KeyEncryptionKey, PoolKey, SigningSeed

VALUE = bytes(range(32))


@pytest.mark.parametrize("kind", [PoolKey, KeyEncryptionKey, SigningSeed])
def test_a_secret_has_no_text_and_no_copies(kind: type[PoolKey]) -> None:
    secret = kind(VALUE)
    assert repr(secret) == f"<{kind.__name__} withheld>"
    for attempt in (str, bytes, pickle.dumps, copy.copy, copy.deepcopy, lambda value: f"{value}", hash):
        with pytest.raises(TypeError):
            attempt(secret)
    assert secret.reveal_secret() == VALUE


def test_secrets_compare_by_value_and_with_nothing_else() -> None:
    assert PoolKey(VALUE) == PoolKey(VALUE)
    assert PoolKey(VALUE) != PoolKey(bytes(32))
    assert PoolKey(VALUE) != VALUE


def test_a_wiped_secret_holds_zeros() -> None:
    secret = PoolKey(VALUE)
    secret.wipe()
    assert secret.reveal_secret() == bytes(32)


def test_a_secret_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes, not 31"):
        PoolKey(VALUE[:31])


def test_a_secret_stream_does_not_print_its_key() -> None:
    assert repr(SecretStream(PoolKey(VALUE))) == "<SecretStream withheld>"
