"""The vault's directory: its lock, its origin, its first keys.

lock            held with flock while a vault runs
origin          the log's origin, one line
drbg.json       how often a generator was instantiated
history.json    the single-history guard's mark
kek/ keys/ pools/ journal/      (kek/ wherever `--kek-directory` says)
"""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anchor import canonical
from anchor.errors import MalformedError
from anchor.note import VerifierKey
from rng_service.vault.durable import (
    make_private_directory,
    read_private,
    remove_temporaries,
    sync_directory,
    write_atomically,
)
from rng_service.vault.entropy import EntropySource, VaultDrbg, system_entropy
from rng_service.vault.errors import KeystoreError, VaultBusyError
from rng_service.vault.history import HistoryGuard
from rng_service.vault.keystore import CHECKPOINT_KEY, Keystore
from rng_service.vault.receipt_keys import ReceiptKeys
from rng_service.vault.secret import SigningSeed
from rng_service.vault.selftest import run_self_test
from rng_service.vault.steps import OnStep, no_step

__all__ = [
    "HISTORY_FILE",
    "JOURNAL_DIRECTORY",
    "check_origin",
    "initialise_vault",
    "instantiate_drbg",
    "load_checkpoint_key",
    "lock_directory",
]

HISTORY_FILE: Final = "history.json"
JOURNAL_DIRECTORY: Final = "journal"
_ORIGIN_FILE: Final = "origin"
_DRBG_FILE: Final = "drbg.json"
_LOCK_FILE: Final = "lock"
_MAX_BYTES: Final = 4096


def initialise_vault(
    directory: Path,
    origin: str,
    *,
    clock_us: Callable[[], int],
    entropy: EntropySource = system_entropy,
    on_step: OnStep = no_step,
    kek_directory: Path | None = None,
) -> str:
    """Make the vault's directory and first keys, and return the log's verifier key (one line).

    ``kek_directory`` is that of `Keystore`; the directory in which it is made exists.

    An initialisation that a crash interrupted is finished by repeating it; on a finished one nothing changes.
    Raises KeystoreError when the directory belongs to another origin, VaultBusyError when a vault runs on it.
    """
    run_self_test()
    # The name must fit a verifier key before it is written anywhere.
    VerifierKey(origin, 1, bytes(32))
    make_private_directory(directory)
    lock = lock_directory(directory)
    try:
        if not (directory / _ORIGIN_FILE).exists():
            _create_parts(directory, origin, clock_us(), entropy, on_step, kek_directory)
        check_origin(directory, origin)
        store = Keystore(directory, on_step=on_step, kek_directory=kek_directory)
        return load_checkpoint_key(store, origin)[1].vkey()
    finally:
        os.close(lock)


def load_checkpoint_key(store: Keystore, origin: str) -> tuple[Ed25519PrivateKey, VerifierKey]:
    """Return the log's signing key and the verifier key that belongs to it."""
    seed, _ = store.load(CHECKPOINT_KEY, SigningSeed)
    key = Ed25519PrivateKey.from_private_bytes(seed.reveal_secret())
    return key, VerifierKey.of(origin, key)


def _create_parts(
    directory: Path,
    origin: str,
    now_us: int,
    entropy: EntropySource,
    on_step: OnStep,
    kek_directory: Path | None,
) -> None:
    remove_temporaries(directory)
    drbg = instantiate_drbg(directory, origin, now_us, entropy=entropy, on_step=on_step)
    first = drbg.new_key_encryption_key()
    store = Keystore.create(directory, first, now_us, on_step=on_step, kek_directory=kek_directory)
    if not store.has(CHECKPOINT_KEY):
        store.store(CHECKPOINT_KEY, drbg.new_signing_seed("checkpoint"), now_us, step="checkpoint-key")
    ReceiptKeys.first(store, drbg.new_signing_seed("receipt"), now_us)
    make_private_directory(directory / JOURNAL_DIRECTORY)
    HistoryGuard.initialise(directory / HISTORY_FILE, on_step=on_step)
    # Last: a directory with an origin is complete, and nothing of it is ever made a second time. A missing
    # mark or key in it is a loss to be repaired from a backup, not something to start afresh.
    path = directory / _ORIGIN_FILE
    write_atomically(path, origin.encode("ascii") + b"\n", on_step=on_step, step="origin")


def lock_directory(directory: Path) -> int:
    """Take the directory's lock and return the descriptor that holds it; the kernel lets go when it is closed.

    Raises VaultBusyError when another vault holds it.
    """
    descriptor = os.open(directory / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise VaultBusyError(f"{directory}: another vault runs on this directory; stop it first") from None
    return descriptor


def check_origin(directory: Path, origin: str) -> None:
    """Raise KeystoreError unless ``directory`` was initialised for ``origin``."""
    data = read_private(directory / _ORIGIN_FILE, _MAX_BYTES)
    found = data.decode("ascii", errors="replace").rstrip("\n")
    if found != origin:
        raise KeystoreError(f"{directory}: belongs to origin {found!r}, not to {origin!r}")


def instantiate_drbg(
    directory: Path, origin: str, now_us: int, *, entropy: EntropySource, on_step: OnStep
) -> VaultDrbg:
    """Instantiate a generator under the next epoch; epochs are never used twice."""
    path = directory / _DRBG_FILE
    try:
        fields = canonical.decode_object(read_private(path, _MAX_BYTES)) if path.exists() else {"epoch": 0}
        epoch = int(fields["epoch"]) + 1
    except (MalformedError, KeyError, ValueError, TypeError) as error:
        raise KeystoreError(f"{path}: not the generator's epoch ({error})") from error
    drbg = VaultDrbg(origin, epoch, now_us, entropy=entropy)
    fields = {"created_us": now_us, "epoch": epoch, "instance": drbg.instance, "v": 1}
    # A crash before this is durable forgets an instance that made nothing yet.
    write_atomically(path, canonical.encode(fields), on_step=on_step, step="drbg")
    sync_directory(directory)
    return drbg
