"""Who can write the vault's directory but has no key-encryption key gets no receipt key attested."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from vault_world import ORIGIN, activated, clock, draw, in_child, new_vault, open_vault

from anchor import canonical
from rng_service.encoding import receipt_key_statement
from rng_service.vault.core import Vault
from rng_service.vault.errors import KeystoreError
from rng_service.vault.layout import initialise_vault
from rng_service.vault.receipt_keys import ReceiptKeys

WEEK_US = 7 * 86_400_000_000
FOREIGN = Ed25519PrivateKey.from_private_bytes(b"f" * 32).public_key().public_bytes_raw()


def listing(directory: Path, epoch: int) -> Path:
    return directory / "keys" / f"receipt-{epoch:08d}.json"


def plant(path: Path, **fields: Any) -> None:
    """Write ``path`` as it is but for ``fields``; None removes."""
    found = canonical.decode_object(path.read_bytes()) if path.exists() else {"created_us": clock()}
    merged = found | fields
    path.write_bytes(canonical.encode({name: value for name, value in merged.items() if value is not None}))
    path.chmod(0o600)


def make_unattested(path: Path) -> None:
    """Make of a listing what version 1 of it was."""
    plant(path, attestation=None, v=1)


def destroyed_first_key(directory: Path) -> None:
    """Leave a vault of three receipt keys, of which the first is listed but has no private key any more."""
    weeks = 0
    initialise_vault(directory, ORIGIN, clock_us=clock)
    vault = Vault(directory, ORIGIN, clock_us=lambda: clock() + weeks * WEEK_US)
    for weeks in (1, 2):  # noqa: B007 (the vault's clock reads it)
        vault.rotate_receipt_key()
    vault.close()
    assert sorted(path.name for path in directory.glob("keys/receipt-*.key")) == [
        "receipt-00000002.key",
        "receipt-00000003.key",
    ]


def assert_attested(vault: Vault, epochs: list[int]) -> None:
    assert [key.epoch for key in vault.receipt_keys.listed] == epochs
    log_key = Ed25519PublicKey.from_public_bytes(vault.log_key.public_key)
    for key in vault.receipt_keys.listed:
        log_key.verify(key.attestation, receipt_key_statement(ORIGIN, key.public_key, key.epoch))


def test_a_destroyed_key_stays_listed_with_the_attestation_of_its_file(tmp_path: Path) -> None:
    destroyed_first_key(tmp_path / "vault")
    before = {epoch: listing(tmp_path / "vault", epoch).read_bytes() for epoch in (1, 2, 3)}
    vault = open_vault(tmp_path / "vault")
    assert_attested(vault, [1, 2, 3])
    for key in vault.receipt_keys.listed:
        assert canonical.decode_object(before[key.epoch]) == {
            "attestation": key.attestation.hex(),
            "created_us": key.created_us,
            "epoch": key.epoch,
            "public_key": key.public_key.hex(),
            "v": 2,
        }
        assert listing(tmp_path / "vault", key.epoch).read_bytes() == before[key.epoch]
    vault.close()


def test_opening_a_settled_vault_signs_nothing(tmp_path: Path) -> None:
    destroyed_first_key(tmp_path / "vault")
    vault = open_vault(tmp_path / "vault")

    def refuse(_public_key: bytes, _epoch: int) -> bytes:
        raise AssertionError("a listing reached the log key")

    keys = ReceiptKeys(
        tmp_path / "vault",
        vault.store,
        now_us=clock(),
        on_step=lambda _name: None,
        attest=refuse,
        verify=vault.guard.verify_receipt_key,
    )
    assert keys.listed == vault.receipt_keys.listed
    vault.close()


@pytest.mark.parametrize("attestation", [None, "00" * 64, "borrowed"], ids=["none", "zeros", "of-another-key"])
def test_a_planted_listing_is_refused(tmp_path: Path, attestation: str | None) -> None:
    vault = new_vault(tmp_path / "vault")
    borrowed = vault.receipt_keys.current.attestation.hex()
    vault.close()
    word = borrowed if attestation == "borrowed" else attestation
    planted = listing(tmp_path / "vault", 2)
    plant(planted, public_key=FOREIGN.hex(), epoch=2, attestation=word, v=2 if word else 1)
    with pytest.raises(KeystoreError, match=r"receipt-00000002\.json: (has no attestation|not a receipt key of this)"):
        open_vault(tmp_path / "vault")
    planted.unlink()
    vault = open_vault(tmp_path / "vault")
    assert_attested(vault, [1])
    vault.close()


def test_a_listing_under_another_epochs_name_is_refused(tmp_path: Path) -> None:
    new_vault(tmp_path / "vault").close()
    copy = listing(tmp_path / "vault", 9)
    copy.write_bytes(listing(tmp_path / "vault", 1).read_bytes())
    copy.chmod(0o600)
    with pytest.raises(KeystoreError, match=r"receipt-00000009\.json: lists the key of epoch 1"):
        open_vault(tmp_path / "vault")


CHANGES = {
    "public-key": {"public_key": FOREIGN.hex()},
    "epoch": {"epoch": 7},
    "attestation": {"attestation": "11" * 64},
    "unattested": {"public_key": FOREIGN.hex(), "attestation": None, "v": 1},
}


@pytest.mark.parametrize("epoch", [1, 3], ids=["destroyed", "current"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_a_changed_listing_is_refused(tmp_path: Path, change: dict[str, Any], epoch: int) -> None:
    destroyed_first_key(tmp_path / "vault")
    plant(listing(tmp_path / "vault", epoch), **change)
    with pytest.raises(KeystoreError, match=rf"receipt-{epoch:08d}\.json: "):
        open_vault(tmp_path / "vault")


def test_a_changed_date_is_refused_while_the_private_key_is_there(tmp_path: Path) -> None:
    new_vault(tmp_path / "vault").close()
    plant(listing(tmp_path / "vault", 1), created_us=clock() + 1)
    with pytest.raises(KeystoreError, match=r"receipt-00000001\.json: lists key .* then remove it"):
        open_vault(tmp_path / "vault")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"created_us":1,"epoch":2,"v":1}',
        b'{"created_us":1,"epoch":2,"public_key":"00","v":1}',
        b'{"created_us":1,"epoch":"2","public_key":"' + b"00" * 32 + b'","v":1}',
        b'{"created_us":1,"epoch":-2,"public_key":"' + b"00" * 32 + b'","v":1}',
        b'{"attestation":"","created_us":1,"epoch":2,"public_key":"' + b"00" * 32 + b'","v":2}',
        b'{"created_us":1,"epoch":2,"more":1,"public_key":"' + b"00" * 32 + b'","v":1}',
    ],
)
def test_a_listing_in_another_form_is_refused(tmp_path: Path, data: bytes) -> None:
    new_vault(tmp_path / "vault").close()
    listing(tmp_path / "vault", 2).write_bytes(data)
    listing(tmp_path / "vault", 2).chmod(0o600)
    with pytest.raises(KeystoreError, match=r"receipt-00000002\.json: not a public receipt key"):
        open_vault(tmp_path / "vault")


def test_a_listing_planted_before_a_rotation_stops_the_rotation_but_not_the_draws(tmp_path: Path) -> None:
    vault = new_vault(tmp_path / "vault")
    activated(vault)
    current = vault.receipt_keys.current
    planted = listing(tmp_path / "vault", 2)
    plant(planted, public_key=FOREIGN.hex(), epoch=2, v=1)
    for _ in range(2):
        with pytest.raises(KeystoreError, match=r"receipt-00000002\.json: has no attestation"):
            vault.rotate_receipt_key()
    assert not planted.with_suffix(".key").exists()
    assert vault.open_group([draw(0)], [], sign=True).key_id == current.key_id
    planted.unlink()
    assert vault.rotate_receipt_key().epoch == 2
    assert_attested(vault, [1, 2])
    vault.close()


def test_a_listing_planted_during_a_rotation_leaves_the_key_that_signed_before(tmp_path: Path) -> None:
    new_vault(tmp_path / "vault").close()
    planted = listing(tmp_path / "vault", 2)

    def plant_behind_the_seed(name: str) -> None:
        if name == "receipt-key.renamed":
            plant(planted, public_key=FOREIGN.hex(), epoch=2, v=1)

    vault = open_vault(tmp_path / "vault", plant_behind_the_seed)
    activated(vault)
    current = vault.receipt_keys.current
    with pytest.raises(KeystoreError, match=r"receipt-00000002\.json: lists key"):
        vault.rotate_receipt_key()
    assert vault.receipt_keys.listed == [current]
    assert vault.open_group([draw(0)], [], sign=True).key_id == current.key_id
    vault.close()
    planted.unlink()
    vault = open_vault(tmp_path / "vault")
    assert_attested(vault, [1, 2])
    vault.close()


def test_a_listing_without_attestation_gets_one_from_its_private_key(tmp_path: Path) -> None:
    vault = new_vault(tmp_path / "vault")
    vault.rotate_receipt_key()
    listed = vault.receipt_keys.listed
    vault.close()
    before = [listing(tmp_path / "vault", epoch).read_bytes() for epoch in (1, 2)]
    for epoch in (1, 2):
        make_unattested(listing(tmp_path / "vault", epoch))
    vault = open_vault(tmp_path / "vault")
    assert vault.receipt_keys.listed == listed
    assert_attested(vault, [1, 2])
    vault.close()
    assert [listing(tmp_path / "vault", epoch).read_bytes() for epoch in (1, 2)] == before


def test_a_listing_without_attestation_and_without_private_key_is_refused(tmp_path: Path) -> None:
    destroyed_first_key(tmp_path / "vault")
    make_unattested(listing(tmp_path / "vault", 1))
    with pytest.raises(KeystoreError, match=r"receipt-00000001\.json: has no attestation"):
        open_vault(tmp_path / "vault")


def long_replaced(directory: Path) -> None:
    """Leave a vault whose first receipt key is destroyed at the next start that is a week later."""
    vault = new_vault(directory)
    for _ in range(2):
        vault.rotate_receipt_key()
    vault.close()


def test_a_private_key_is_destroyed_only_when_its_listing_is_attested(tmp_path: Path) -> None:
    long_replaced(tmp_path / "vault")
    make_unattested(listing(tmp_path / "vault", 1))
    vault = Vault(tmp_path / "vault", ORIGIN, clock_us=lambda: clock() + WEEK_US)
    assert_attested(vault, [1, 2, 3])
    vault.close()
    assert not listing(tmp_path / "vault", 1).with_suffix(".key").exists()


def test_a_private_key_is_not_destroyed_beside_a_changed_listing(tmp_path: Path) -> None:
    long_replaced(tmp_path / "vault")
    plant(listing(tmp_path / "vault", 1), public_key=FOREIGN.hex())
    with pytest.raises(KeystoreError, match=r"receipt-00000001\.json: not a receipt key of this vault"):
        Vault(tmp_path / "vault", ORIGIN, clock_us=lambda: clock() + WEEK_US)
    listing(tmp_path / "vault", 1).unlink()
    vault = Vault(tmp_path / "vault", ORIGIN, clock_us=lambda: clock() + WEEK_US)
    assert_attested(vault, [1, 2, 3])
    vault.close()


@pytest.mark.parametrize("step", ["receipt-key.renamed", "receipt-public.written", "receipt-public.renamed"])
def test_a_crash_between_seed_and_listing_leaves_a_key_that_the_next_start_lists(tmp_path: Path, step: str) -> None:
    new_vault(tmp_path / "vault").close()

    def kill(name: str) -> None:
        if name == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def rotate_and_die() -> None:
        open_vault(tmp_path / "vault", kill).rotate_receipt_key()

    status = in_child(rotate_and_die)
    assert os.WTERMSIG(status) == signal.SIGKILL
    listed = step == "receipt-public.renamed"
    assert listing(tmp_path / "vault", 2).exists() == listed
    vault = open_vault(tmp_path / "vault")
    assert_attested(vault, [1, 2])
    vault.close()


def test_a_listing_planted_behind_such_a_crash_does_not_take_the_real_keys_place(tmp_path: Path) -> None:
    vault = new_vault(tmp_path / "vault")
    real = vault.rotate_receipt_key()
    vault.close()
    listing(tmp_path / "vault", 2).unlink()
    plant(listing(tmp_path / "vault", 2), public_key=FOREIGN.hex(), epoch=2, v=1)
    with pytest.raises(KeystoreError, match=rf"receipt-00000002\.json: lists .* epoch 2 is {real.key_id}"):
        open_vault(tmp_path / "vault")
    listing(tmp_path / "vault", 2).unlink()
    vault = open_vault(tmp_path / "vault")
    assert vault.receipt_keys.current == real
    vault.close()
