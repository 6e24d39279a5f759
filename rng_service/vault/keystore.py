"""Keys on disk: a key-encryption key in a file of its own, every other key wrapped under it.

    kek/<epoch>.key     8 bytes magic || u64 epoch || u64 created_us || 32 bytes key
    pools/<pool>.key    a wrapped pool key; "/" of the pool_id is written "~"
    keys/<name>.key     the wrapped checkpoint key, and wrapped receipt keys
    wrapped             8 bytes magic || u64 kek epoch || u64 created_us || 12 bytes nonce || 48 bytes AES-256-GCM

``kek/`` may lie elsewhere, on other storage: then a copy of this directory alone opens nothing.

The associated data of a wrapped key is ``lp("sealdraw/v1/wrap") || lp(name) || u64 kek epoch || u64
created_us``, so a file copied to another name does not authenticate. All files are 0600 in directories 0700;
anything wider is refused.
"""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from rng_service.encoding import lp, u64
from rng_service.vault.durable import (
    erase_file,
    make_private_directory,
    read_private,
    remove_temporaries,
    write_atomically,
)
from rng_service.vault.errors import KeystoreError
from rng_service.vault.secret import KeyEncryptionKey, SecretBytes
from rng_service.vault.steps import OnStep

__all__ = [
    "CHECKPOINT_KEY",
    "Keystore",
    "StoredKey",
    "pool_key_name",
    "pools_with_keys",
    "receipt_key_name",
]

Secret = TypeVar("Secret", bound=SecretBytes)

CHECKPOINT_KEY: Final = "keys/checkpoint"

_WRAP_LABEL: Final = lp(b"sealdraw/v1/wrap")
_KEK_MAGIC: Final = b"SDKEK\x001\n"
_WRAP_MAGIC: Final = b"SDWRAP1\n"
_KEK_BYTES: Final = 8 + 8 + 8 + 32
_NONCE_BYTES: Final = 12
_WRAPPED_BYTES: Final = 8 + 8 + 8 + _NONCE_BYTES + 32 + 16
_SUFFIX: Final = ".key"


class StoredKey(NamedTuple):
    """When a wrapped key was made (microseconds UTC) and which key-encryption key protects it."""

    created_us: int
    kek_epoch: int


class _Kek(NamedTuple):
    key: KeyEncryptionKey
    created_us: int


def pool_key_name(pool_id: str) -> str:
    """Return the name under which the key of a pool is stored."""
    return "pools/" + pool_id.replace("/", "~")


def pools_with_keys(store: "Keystore") -> list[str]:
    """Return the pools whose keys are stored."""
    return [name.removeprefix("pools/").replace("~", "/") for name in store.names("pools/")]


def receipt_key_name(epoch: int) -> str:
    """Return the name under which a receipt key is stored."""
    return f"keys/receipt-{epoch:08d}"


class Keystore:
    """The wrapped keys below ``directory``; key-encryption keys are in ``kek_directory``, its ``kek/`` when None.

    Opening it finishes a rotation that a crash interrupted. All methods may be called from several threads.
    """

    def __init__(self, directory: Path, *, on_step: OnStep, kek_directory: Path | None = None) -> None:
        self._directory = directory
        self._kek_directory = kek_directory or directory / "kek"
        self._on_step = on_step
        self._lock = threading.Lock()
        self._rotating = threading.Lock()
        for part in (self._kek_directory, directory / "pools", directory / "keys"):
            make_private_directory(part)
            remove_temporaries(part)
        self._keks = dict(self._read_keks())
        self.damaged: tuple[str, ...] = ()
        if len(self._keks) > 1:
            self.damaged = self._finish_rotation()

    @classmethod
    def create(
        cls,
        directory: Path,
        first: KeyEncryptionKey,
        created_us: int,
        *,
        on_step: OnStep,
        kek_directory: Path | None = None,
    ) -> "Keystore":
        """Make a keystore with its first key-encryption key; an existing one is opened and kept."""
        store = cls(directory, on_step=on_step, kek_directory=kek_directory)
        if not store._keks:
            store._add_kek(1, first, created_us)
        return store

    @property
    def kek_epoch(self) -> int:
        """The epoch of the current key-encryption key."""
        if not self._keks:
            raise KeystoreError(f"{self._kek_directory}: no key-encryption key; restore it from its backup")
        return max(self._keks)

    @property
    def kek_created_us(self) -> int:
        """When the current key-encryption key was made, microseconds UTC."""
        return self._keks[self.kek_epoch].created_us

    def has(self, name: str) -> bool:
        """Whether a key is stored under ``name``."""
        return self._path(name).exists()

    def names(self, prefix: str) -> list[str]:
        """Return the sorted names of stored keys that begin with ``prefix``."""
        found = (str(path.relative_to(self._directory))[: -len(_SUFFIX)] for path in self._wrapped_files())
        return sorted(name for name in found if name.startswith(prefix))

    def store(self, name: str, secret: SecretBytes, created_us: int, *, step: str) -> None:
        """Wrap ``secret`` under the current key-encryption key and keep it durably; never replaces a key."""
        with self._lock:
            path = self._path(name)
            if path.exists():
                raise KeystoreError(f"{path}: exists; a key is never replaced")
            data = self._wrap(name, secret.reveal_secret(), created_us)
            write_atomically(path, data, on_step=self._on_step, step=step)

    def load(self, name: str, kind: Callable[[bytes], Secret]) -> tuple[Secret, StoredKey]:
        """Unwrap the key stored under ``name``; raises KeystoreError, naming the file, when it cannot be."""
        with self._lock:
            secret, stored = self._unwrap(name)
            return kind(secret), stored

    def erase(self, name: str, *, step: str) -> None:
        """Destroy the key stored under ``name``; does nothing when it is gone."""
        with self._lock:
            erase_file(self._path(name), on_step=self._on_step, step=step)

    def rotate_kek(self, new: KeyEncryptionKey, created_us: int) -> int:
        """Replace the key-encryption key and return its epoch.

        Raises KeystoreError when some wrapped key was damaged before: everything else is under the new key
        then, and the old one is kept until the named files are restored or removed and the vault restarted.
        """
        with self._rotating:
            epoch = self.kek_epoch + 1
            # Under the lock, so that no key is being stored under the old one while the files are listed. A crash
            # before the rename leaves the old key alone; after it two keys, which the next start reduces to the
            # new one by the same steps as below.
            with self._lock:
                self._add_kek(epoch, new, created_us)
            self.damaged = self._finish_rotation()
            if self.damaged:
                raise KeystoreError("; ".join(self.damaged))
            return epoch

    def _finish_rotation(self) -> tuple[str, ...]:
        damaged = []
        for path in self._wrapped_files():
            try:
                # The lock is let go between files, so that keys can be used while thousands are rewrapped.
                with self._lock:
                    self._rewrap(path)
            except KeystoreError as error:
                damaged.append(str(error))
        if not damaged:
            with self._lock:
                for epoch in sorted(self._keks)[:-1]:
                    erase_file(self._kek_path(epoch), on_step=self._on_step, step="kek")
                    self._keks.pop(epoch).key.wipe()
        return tuple(damaged)

    def _rewrap(self, path: Path) -> None:
        if not path.exists():
            return  # Erased since the files were listed.
        name = str(path.relative_to(self._directory))[: -len(_SUFFIX)]
        secret, stored = self._unwrap(name)
        if stored.kek_epoch != self.kek_epoch:
            # Between two of these each file is under one of two keys, and both keys still exist.
            data = self._wrap(name, secret, stored.created_us)
            write_atomically(path, data, on_step=self._on_step, step="rewrap")

    def _add_kek(self, epoch: int, key: KeyEncryptionKey, created_us: int) -> None:
        data = _KEK_MAGIC + u64(epoch) + u64(created_us) + key.reveal_secret()
        write_atomically(self._kek_path(epoch), data, on_step=self._on_step, step="kek")
        self._keks[epoch] = _Kek(key, created_us)

    def _read_keks(self) -> Iterator[tuple[int, _Kek]]:
        paths = sorted(self._kek_directory.glob(f"*{_SUFFIX}"))
        for path in paths:
            data = read_private(path, _KEK_BYTES)
            if data == bytes(_KEK_BYTES) and path != paths[-1]:
                # An erasure that a crash interrupted between overwriting and removing.
                path.unlink()
                continue
            epoch = int.from_bytes(data[8:16], "big")
            if len(data) != _KEK_BYTES or data[:8] != _KEK_MAGIC or path != self._kek_path(epoch):
                raise KeystoreError(f"{path}: not a key-encryption key of this epoch; restore it from its backup")
            yield epoch, _Kek(KeyEncryptionKey(data[24:]), int.from_bytes(data[16:24], "big"))

    def _wrap(self, name: str, secret: bytes, created_us: int) -> bytes:
        epoch = self.kek_epoch
        nonce = os.urandom(_NONCE_BYTES)
        cipher = AESGCM(self._keks[epoch].key.reveal_secret())
        sealed = cipher.encrypt(nonce, secret, _associated_data(name, epoch, created_us))
        return _WRAP_MAGIC + u64(epoch) + u64(created_us) + nonce + sealed

    def _unwrap(self, name: str) -> tuple[bytes, StoredKey]:
        path = self._path(name)
        data = read_private(path, _WRAPPED_BYTES)
        if len(data) != _WRAPPED_BYTES or data[:8] != _WRAP_MAGIC:
            raise KeystoreError(f"{path}: not a wrapped key; restore it from a backup")
        epoch, created_us = int.from_bytes(data[8:16], "big"), int.from_bytes(data[16:24], "big")
        kek = self._keks.get(epoch)
        if kek is None:
            raise KeystoreError(
                f"{path}: wrapped under key-encryption key {epoch}, which is not in {self._kek_directory}"
            )
        try:
            secret = AESGCM(kek.key.reveal_secret()).decrypt(
                data[24:36], data[36:], _associated_data(name, epoch, created_us)
            )
        except InvalidTag:
            raise KeystoreError(
                f"{path}: does not authenticate as {name}; it was damaged or belongs to another key"
            ) from None
        return secret, StoredKey(created_us, epoch)

    def _wrapped_files(self) -> list[Path]:
        return [path for name in ("keys", "pools") for path in sorted((self._directory / name).glob(f"*{_SUFFIX}"))]

    def _path(self, name: str) -> Path:
        return self._directory / (name + _SUFFIX)

    def _kek_path(self, epoch: int) -> Path:
        return self._kek_directory / f"{epoch:08d}{_SUFFIX}"


def _associated_data(name: str, kek_epoch: int, created_us: int) -> bytes:
    return _WRAP_LABEL + lp(name.encode("ascii")) + u64(kek_epoch) + u64(created_us)
