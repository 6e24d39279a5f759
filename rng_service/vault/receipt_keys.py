"""Receipt keys: the newest signs, all are listed for ever, each with the log key's word that it was made here.

keys/receipt-<epoch>.key     the wrapped seed; destroyed a week after it was replaced, but never the newest two
keys/receipt-<epoch>.json    canonical JSON {"created_us", "epoch", "public_key", "v"}
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anchor import canonical
from anchor.errors import AnchorError
from rng_service.vault.durable import read_private, write_atomically
from rng_service.vault.errors import KeystoreError, VaultRefusedError
from rng_service.vault.keystore import Keystore, receipt_key_name
from rng_service.vault.secret import SigningSeed
from rng_service.vault.steps import OnStep

__all__ = ["PublicReceiptKey", "ReceiptKeys"]

_MAX_BYTES: Final = 1024
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
        return sha256(self.public_key).hexdigest()[:16]


class ReceiptKeys:
    """The receipt keys of one vault.

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
    ) -> None:
        self._directory = directory / "keys"
        self._store = store
        self._on_step = on_step
        self._attest = attest
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
        """Let a new key sign from now on, list it, destroy private keys that were replaced long ago."""
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
        self._signers: dict[str, Ed25519PrivateKey] = {}
        replaced_us: int | None = None
        for age, name in enumerate(reversed(names)):
            if age >= _KEPT and replaced_us is not None and now_us - replaced_us >= _RETENTION_US:
                self._store.erase(name, step="receipt-key")
                continue
            seed, stored = self._store.load(name, SigningSeed)
            replaced_us = stored.created_us
            signer = Ed25519PrivateKey.from_private_bytes(seed.reveal_secret())
            public = signer.public_key().public_bytes_raw()
            key = self._listing(public, int(name.rpartition("-")[2]), stored.created_us)
            self._publish(key)
            self._signers[key.key_id] = signer
        self.listed = [self._read(path) for path in sorted(self._directory.glob("receipt-*.json"))]

    def _publish(self, key: PublicReceiptKey) -> None:
        path = self._directory / f"receipt-{key.epoch:08d}.json"
        if not path.exists():
            fields = {"created_us": key.created_us, "epoch": key.epoch, "public_key": key.public_key.hex(), "v": 1}
            # A crash before the rename leaves the private key alone; the next start derives this file from
            # it.
            write_atomically(path, canonical.encode(fields), on_step=self._on_step, step="receipt-public")

    def _listing(self, public_key: bytes, epoch: int, created_us: int) -> PublicReceiptKey:
        return PublicReceiptKey(public_key, epoch, created_us, self._attest(public_key, epoch))

    def _read(self, path: Path) -> PublicReceiptKey:
        try:
            fields = canonical.decode_object(read_private(path, _MAX_BYTES), what=str(path))
            return self._listing(bytes.fromhex(fields["public_key"]), int(fields["epoch"]), int(fields["created_us"]))
        except (AnchorError, KeyError, ValueError, TypeError) as error:
            raise KeystoreError(f"{path}: not a public receipt key ({error})") from error
