import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from rng_service.vault.errors import KeystoreError
from rng_service.vault.keystore import Keystore, pool_key_name
from rng_service.vault.secret import KeyEncryptionKey, PoolKey
from rng_service.vault.steps import no_step

POOL_A = pool_key_name("test/a/1/m/real/0/1")
POOL_B = pool_key_name("test/b/1/m/real/0/1")


class PowerCutError(Exception):
    pass


def cut_at(position: int) -> Callable[[str], None]:
    left = [position]

    def on_step(_name: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise PowerCutError

    return on_step


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    root = tmp_path / "vault"
    root.mkdir(mode=0o700)
    store = Keystore.create(root, KeyEncryptionKey(b"1" * 32), 5, on_step=no_step)
    store.store(POOL_A, PoolKey(b"a" * 32), 6, step="pool-key")
    store.store(POOL_B, PoolKey(b"b" * 32), 7, step="pool-key")
    return root


def load(store: Keystore, name: str) -> bytes:
    return store.load(name, PoolKey)[0].reveal_secret()


def test_a_stored_key_is_read_back_with_its_date(directory: Path) -> None:
    store = Keystore(directory, on_step=no_step)
    key, stored = store.load(POOL_A, PoolKey)
    assert key == PoolKey(b"a" * 32)
    assert (stored.created_us, stored.kek_epoch) == (6, 1)
    assert (store.kek_epoch, store.kek_created_us) == (1, 5)


def test_no_key_stands_on_disk_in_the_clear(directory: Path) -> None:
    for path in [*directory.glob("pools/*"), *directory.glob("keys/*")]:
        assert b"aaaa" not in path.read_bytes()
        assert b"bbbb" not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0


def test_a_key_is_never_replaced(directory: Path) -> None:
    with pytest.raises(KeystoreError, match="never replaced"):
        Keystore(directory, on_step=no_step).store(POOL_A, PoolKey(b"x" * 32), 1, step="pool-key")


def test_a_wrapped_key_copied_to_another_pool_is_refused(directory: Path) -> None:
    shutil.copy(directory / f"{POOL_A}.key", directory / f"{POOL_B}.key")
    store = Keystore(directory, on_step=no_step)
    with pytest.raises(KeystoreError, match=r"test~b~1.*does not authenticate"):
        load(store, POOL_B)
    assert load(store, POOL_A) == b"a" * 32


@pytest.mark.parametrize("position", range(0, 84, 7))
def test_a_flipped_bit_is_refused_by_name_and_other_keys_go_on(directory: Path, position: int) -> None:
    path = directory / f"{POOL_A}.key"
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)
    store = Keystore(directory, on_step=no_step)
    with pytest.raises(KeystoreError, match="test~a~1"):
        load(store, POOL_A)
    assert load(store, POOL_B) == b"b" * 32


@pytest.mark.parametrize("data", [b"", b"SDWRAP1\n", bytes(84), b"x" * 85, b"x" * 100_000])
def test_a_file_of_another_form_is_refused(directory: Path, data: bytes) -> None:
    (directory / f"{POOL_A}.key").write_bytes(data)
    with pytest.raises(KeystoreError, match="test~a~1"):
        load(Keystore(directory, on_step=no_step), POOL_A)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610])
def test_a_key_file_that_others_can_reach_is_refused(directory: Path, mode: int) -> None:
    path = directory / "kek" / "00000001.key"
    path.chmod(mode)
    with pytest.raises(KeystoreError, match=rf"00000001.key: mode {mode:04o}.*chmod"):
        Keystore(directory, on_step=no_step)
    path.chmod(0o600)
    (directory / f"{POOL_A}.key").chmod(mode)
    with pytest.raises(KeystoreError, match="chmod"):
        load(Keystore(directory, on_step=no_step), POOL_A)


def test_a_directory_that_others_can_enter_is_refused(directory: Path) -> None:
    (directory / "kek").chmod(0o755)
    with pytest.raises(KeystoreError, match="kek: mode 0755"):
        Keystore(directory, on_step=no_step)


def test_a_key_file_of_another_owner_is_refused(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 424_242)
    with pytest.raises(KeystoreError, match="owned by user"):
        Keystore(directory, on_step=no_step)


def test_a_link_in_place_of_a_key_is_refused(directory: Path) -> None:
    path = directory / f"{POOL_A}.key"
    path.rename(directory / "elsewhere")
    path.symlink_to(directory / "elsewhere")
    with pytest.raises(KeystoreError, match="cannot be opened"):
        load(Keystore(directory, on_step=no_step), POOL_A)


def test_rotation_rewraps_every_key_and_destroys_the_old_one(directory: Path) -> None:
    before = {path.name: path.read_bytes() for path in directory.glob("pools/*.key")}
    store = Keystore(directory, on_step=no_step)
    assert store.rotate_kek(KeyEncryptionKey(b"2" * 32), 9) == 2
    for reopened in (store, Keystore(directory, on_step=no_step)):
        assert load(reopened, POOL_A) == b"a" * 32
        assert reopened.load(POOL_B, PoolKey)[1] == (7, 2)
        assert reopened.kek_created_us == 9
    assert [path.name for path in directory.glob("kek/*")] == ["00000002.key"]
    # A remnant of the old file is worthless now.
    name = min(before)
    (directory / "pools" / name).write_bytes(before[name])
    with pytest.raises(KeystoreError, match="key-encryption key 1"):
        load(Keystore(directory, on_step=no_step), POOL_A)


def test_a_crash_at_any_step_of_a_rotation_loses_no_key(directory: Path) -> None:
    steps: list[str] = []
    probe = directory.with_name("probe")
    shutil.copytree(directory, probe)
    Keystore(probe, on_step=steps.append).rotate_kek(KeyEncryptionKey(b"2" * 32), 9)
    assert steps.count("rewrap.renamed") == 2
    for position in range(len(steps)):
        victim = directory.with_name(f"crash-{position}")
        shutil.copytree(directory, victim)
        store = Keystore(victim, on_step=cut_at(position))
        with pytest.raises(PowerCutError):
            store.rotate_kek(KeyEncryptionKey(b"2" * 32), 9)
        again = Keystore(victim, on_step=no_step)
        assert load(again, POOL_A) == b"a" * 32, steps[position]
        assert load(again, POOL_B) == b"b" * 32, steps[position]
        assert len(list(victim.glob("kek/*.key"))) == 1, steps[position]
        assert not list(victim.glob("*/*.tmp")), steps[position]
        again.rotate_kek(KeyEncryptionKey(b"3" * 32), 10)
        assert load(Keystore(victim, on_step=no_step), POOL_A) == b"a" * 32


def test_a_rotation_past_a_damaged_key_keeps_the_old_key_for_it(directory: Path) -> None:
    path = directory / f"{POOL_A}.key"
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    store = Keystore(directory, on_step=no_step)
    with pytest.raises(KeystoreError, match="test~a~1"):
        store.rotate_kek(KeyEncryptionKey(b"2" * 32), 9)
    assert store.load(POOL_B, PoolKey)[1].kek_epoch == 2
    # The operator restores the file; the next start finishes the rotation.
    path.write_bytes(good)
    healed = Keystore(directory, on_step=no_step)
    assert load(healed, POOL_A) == b"a" * 32
    assert [found.name for found in directory.glob("kek/*")] == ["00000002.key"]


def test_an_erased_key_is_gone(directory: Path) -> None:
    store = Keystore(directory, on_step=no_step)
    store.erase(POOL_A, step="pool-key")
    store.erase(POOL_A, step="pool-key")
    assert not store.has(POOL_A)
    assert store.names("pools/") == [POOL_B]
    with pytest.raises(KeystoreError, match="cannot be opened"):
        load(store, POOL_A)


def test_a_store_without_its_key_encryption_key_says_so(directory: Path) -> None:
    (directory / "kek" / "00000001.key").unlink()
    store = Keystore(directory, on_step=no_step)
    with pytest.raises(KeystoreError, match="restore it"):
        _ = store.kek_epoch
