"""Receipt keys: the newest signs, all are listed for ever, each with the log key's word that it was made here.

keys/receipt-<epoch>.key     the wrapped seed; destroyed a week after it was replaced, but never the newest two
keys/receipt-<epoch>.json    canonical JSON {"attestation", "created_us", "epoch", "public_key", "v": 2}

The log key gives its word on the public half of a seed that was unwrapped just now, and on nothing else: who can
write this directory but has no key-encryption key must not get a key of his own attested. A listing is therefore
never signed, only verified. One of version 1 has no attestation; it gets one while its seed is here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anchor import canonical
from anchor.errors import AnchorError, MalformedError
from rng_service.vault.durable import read_private, write_atomically
from rng_service.vault.errors import KeystoreError, VaultRefusedError
from rng_service.vault.keystore import Keystore, receipt_key_name
from rng_service.vault.secret import SigningSeed
from rng_service.vault.steps import OnStep

__all__ = ["PublicReceiptKey", "ReceiptKeys"]

_MAX_BYTES: Final = 1024
_VERSION: Final = 2
_UNATTESTED_VERSION: Final = 1
_PUBLIC_KEY_BYTES: Final = 32
_EPOCHS: Final = 10**8
_KEPT: Final = 2
# What was bound under a key is signed with it again until it stands in a digest: normally a second later, after an
# outage when the sequencer is back. Keys may be rotated several times meanwhile.
_RETENTION_US: Final = 7 * 86_400_000_000


@dataclass(frozen=True, slots=True)
class PublicReceiptKey:
    """What the log announces of a receipt key; ``created_us`` is microseconds UTC.

    ``attestation`` is the log key's signature on it (PROTOCOL.md, section 5).
    """

    public_key: bytes
    epoch: int
    created_us: int
    attestation: bytes

    @property
    def key_id(self) -> str:
        """First 16 hex digits of SHA-256(public key)."""
        return _key_id(self.public_key)


class _Derived(NamedTuple):
    """A receipt key whose wrapped seed was opened; `_derive` alone makes one, and only one of these is attested."""

    signer: Ed25519PrivateKey
    public_key: bytes
    epoch: int
    created_us: int


class ReceiptKeys:
    """The receipt keys of one vault.

    ``attest`` gives the log key's signature on (public key, epoch); ``verify`` raises VerificationError for
    (public key, epoch, attestation) unless that is what it gave. Raises KeystoreError, naming the file, when a
    listed key is not by the log key, or is not the one that the seed of its epoch gives.

    Opening finishes a rotation that a crash interrupted: the newest private key signs, its public half is
    listed. Those before it are kept for a week, so that what was bound under one before the rotation is signed
    with it again when it is asked for again; then they are destroyed. Not thread-safe: the owner serialises.
    """

    def __init__(
        self,
        directory: Path,
        store: Keystore,
        *,
        now_us: int,
        on_step: OnStep,
        attest: Callable[[bytes, int], bytes],
        verify: Callable[[bytes, int, bytes], None],
    ) -> None:
        self._directory = directory / "keys"
        self._store = store
        self._on_step = on_step
        self._attest = attest
        self._verify = verify
        self._settle(now_us)

    @staticmethod
    def first(store: Keystore, seed: SigningSeed, created_us: int) -> None:
        """Store the first receipt key; does nothing when there is one."""
        if not store.names("keys/receipt-"):
            store.store(receipt_key_name(1), seed, created_us, step="receipt-key")

    @property
    def current(self) -> PublicReceiptKey:
        """The key that signs."""
        return self.listed[-1]

    def sign(self, message: bytes, key_id: str = "") -> bytes:
        """Return an Ed25519 signature by the key ``key_id``, the current one when it is empty.

        Raises VaultRefusedError ``receipt-key-gone`` for a key that this vault never had or has destroyed.
        """
        return self._signer(key_id).sign(message)

    def require(self, key_id: str) -> None:
        """Raise what `sign` would raise for ``key_id``, before anything was done that needs its signature."""
        self._signer(key_id)

    def rotate(self, seed: SigningSeed, created_us: int) -> PublicReceiptKey:
        """Let a new key sign from now on, list it, destroy private keys that were replaced long ago.

        Raises KeystoreError when a listing was changed or added meanwhile; the current key goes on signing.
        """
        # Before anything is stored: a listing that does not belong here must not cost an epoch.
        self._read_all()
        # A crash behind this line leaves two private keys; the next start settles on the newer, as below.
        name = receipt_key_name(self.current.epoch + 1)
        self._store.store(name, seed, created_us, step="receipt-key")
        self._settle(created_us)
        return self.current

    def _signer(self, key_id: str) -> Ed25519PrivateKey:
        signer = self._signers.get(key_id or self.current.key_id)
        if signer is None:
            raise VaultRefusedError("receipt-key-gone", f"receipt key {key_id[:16]} is destroyed or was never here")
        return signer

    def _settle(self, now_us: int) -> None:
        names = self._store.names("keys/receipt-")
        if not names:
            raise KeystoreError(f"{self._directory}: no receipt key; restore it from a backup")
        signers: dict[str, Ed25519PrivateKey] = {}
        replaced_us: int | None = None
        for age, name in enumerate(reversed(names)):
            if age >= _KEPT and replaced_us is not None and now_us - replaced_us >= _RETENTION_US:
                self._destroy(name)
                continue
            derived = self._derive(name)
            replaced_us = derived.created_us
            self._publish(derived)
            signers[_key_id(derived.public_key)] = derived.signer
        listed = self._read_all()
        # Together and last, so that a rotation that failed leaves the key that signed before.
        self._signers, self.listed = signers, listed

    def _derive(self, name: str) -> _Derived:
        seed, stored = self._store.load(name, SigningSeed)
        signer = Ed25519PrivateKey.from_private_bytes(seed.reveal_secret())
        return _Derived(signer, signer.public_key().public_bytes_raw(), _epoch_of(name), stored.created_us)

    def _destroy(self, name: str) -> None:
        path = self._path(_epoch_of(name))
        # The seed is the only thing that a missing attestation can be made from. One that an erasure overwrote
        # before a crash opens no more, but its listing was attested by then.
        if not path.exists() or not _parse(path).attestation:
            self._publish(self._derive(name))
        self._read(path)
        self._store.erase(name, step="receipt-key")

    def _publish(self, derived: _Derived) -> None:
        _, public_key, epoch, created_us = derived
        path = self._path(epoch)
        if path.exists():
            found = _parse(path)
            if (found.public_key, found.epoch, found.created_us) != (public_key, epoch, created_us):
                raise KeystoreError(
                    f"{path}: lists key {found.key_id} of {found.created_us}, the private key of epoch {epoch} is "
                    f"{_key_id(public_key)} of {created_us}; find out who wrote it, then remove it: it is derived anew"
                )
            if found.attestation:
                return
        key = PublicReceiptKey(public_key, epoch, created_us, self._attest(public_key, epoch))
        # A crash before the rename leaves the private key alone, or beside a listing of version 1; the next start
        # derives this file from it.
        write_atomically(path, _encode(key), on_step=self._on_step, step="receipt-public")

    def _read_all(self) -> list[PublicReceiptKey]:
        return [self._read(path) for path in sorted(self._directory.glob("receipt-*.json"))]

    def _read(self, path: Path) -> PublicReceiptKey:
        key = _parse(path)
        if path != self._path(key.epoch):
            raise KeystoreError(f"{path}: lists the key of epoch {key.epoch}; it was copied or renamed")
        if not key.attestation:
            raise KeystoreError(
                f"{path}: has no attestation, and no private key is here to make it from; remove it if this vault "
                "never made it, otherwise restore its private key from a backup"
            )
        try:
            self._verify(key.public_key, key.epoch, key.attestation)
        except AnchorError as error:
            raise KeystoreError(f"{path}: not a receipt key of this vault ({error})") from error
        return key

    def _path(self, epoch: int) -> Path:
        return self._directory / f"receipt-{epoch:08d}.json"


def _encode(key: PublicReceiptKey) -> bytes:
    fields = {"created_us": key.created_us, "epoch": key.epoch, "public_key": key.public_key.hex()}
    if key.attestation:
        return canonical.encode(fields | {"attestation": key.attestation.hex(), "v": _VERSION})
    return canonical.encode(fields | {"v": _UNATTESTED_VERSION})


def _parse(path: Path) -> PublicReceiptKey:
    """Return what ``path`` says, whoever wrote it; the attestation of a file of version 1 is empty."""
    data = read_private(path, _MAX_BYTES)
    try:
        fields = canonical.decode_object(data, what=str(path))
        key = PublicReceiptKey(
            bytes.fromhex(fields["public_key"]),
            int(fields["epoch"]),
            int(fields["created_us"]),
            bytes.fromhex(fields.get("attestation", "")),
        )
        if _encode(key) != data or len(key.public_key) != _PUBLIC_KEY_BYTES or not 0 < key.epoch < _EPOCHS:
            raise MalformedError(f"{path}: fields, form or sizes differ from those of a listing")
    except (AnchorError, KeyError, ValueError, TypeError) as error:
        raise KeystoreError(f"{path}: not a public receipt key ({error})") from error
    return key


def _epoch_of(name: str) -> int:
    return int(name.rpartition("-")[2])


def _key_id(public_key: bytes) -> str:
    return sha256(public_key).hexdigest()[:16]
