import os

import pytest
from vault_world import in_child

from rng_service.vault import selftest
from rng_service.vault.entropy import VaultDrbg, system_entropy
from rng_service.vault.errors import DrbgError, ForkedError, SelfTestError


def test_every_pool_key_is_reseeded_from_fresh_entropy() -> None:
    asked: list[int] = []

    def entropy(n_bytes: int) -> bytes:
        asked.append(n_bytes)
        return system_entropy(n_bytes)

    drbg = VaultDrbg("acme/test", 1, 0, entropy=entropy)
    before = len(asked)
    keys = [drbg.new_pool_key("test/a/1/m/real/0/1") for _ in range(3)]
    assert asked[before:] == [48, 48, 48]
    assert len({key.reveal_secret() for key in keys}) == 3


def test_two_instances_with_the_same_entropy_differ_by_their_personalization() -> None:
    def counter() -> object:
        state = iter(range(1000))
        return lambda n_bytes: next(state).to_bytes(2, "big") * (n_bytes // 2)

    keys = [
        VaultDrbg(origin, epoch, 0, entropy=counter()).new_pool_key("p").reveal_secret()  # type: ignore[arg-type]
        for origin, epoch in [("acme/test", 1), ("acme/test", 2), ("acme/live", 1)]
    ]
    assert len(set(keys)) == 3


def test_a_stuck_entropy_source_is_noticed() -> None:
    drbg = VaultDrbg("acme/test", 1, 0, entropy=bytes)
    with pytest.raises(DrbgError, match="twice in a row"):
        drbg.new_pool_key("p")


def test_a_forked_child_cannot_use_the_parents_generator() -> None:
    drbg = VaultDrbg("acme/test", 1, 0)

    def child() -> None:
        with pytest.raises(ForkedError):
            drbg.new_pool_key("p")
        # The state itself is gone too, not only guarded by the process id.
        assert bytes(drbg._drbg._key) == bytes(32)
        drbg._process_id = os.getpid()
        with pytest.raises(DrbgError, match="uninstantiated"):
            drbg.new_pool_key("p")
        VaultDrbg("acme/test", 2, 0).new_pool_key("p")

    assert in_child(child) == 0
    assert len(drbg.new_pool_key("p").reveal_secret()) == 32


def test_a_retired_generator_refuses() -> None:
    drbg = VaultDrbg("acme/test", 1, 0)
    drbg.retire()
    with pytest.raises(DrbgError):
        drbg.new_pool_key("p")


def test_the_self_test_runs_every_algorithm_the_vault_uses() -> None:
    assert set(selftest.run_self_test()) == {
        "AES-256-CTR",
        "AES-256-GCM",
        "CTR_DRBG AES-256",
        "Ed25519",
        "HMAC-SHA-256",
        "SHA-256",
    }


@pytest.mark.parametrize("name", sorted(selftest._TESTS))
def test_a_wrong_known_answer_stops_the_start(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = selftest._TESTS[name][1]
    monkeypatch.setitem(selftest._TESTS, name, (lambda: bytes(len(expected) // 2), expected))
    with pytest.raises(SelfTestError, match=name):
        selftest.run_self_test()
