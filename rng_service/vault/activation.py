"""Proof that what the vault is asked for is public history: a pool's commitment, and its activation."""

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple, Protocol

from anchor.checkpoint import open_checkpoint
from anchor.errors import AnchorError, VerificationError
from anchor.merkle import leaf_hash, verify_inclusion
from anchor.note import VerifierKey
from rng_service.log_entries import PoolActivate, PoolCommit, parse_entry
from rng_service.vault.errors import VaultRefusedError
from rng_service.vault.pool_state import PoolState

__all__ = ["LoggedEntry", "SignedHistory", "verify_activation", "verify_commitment", "verify_logged"]


class LoggedEntry(Protocol):
    """A log entry with the proof that it stands in a checkpoint signed here; the proto's message fits."""

    @property
    def entry(self) -> bytes:
        """The entry's bytes."""

    @property
    def index(self) -> int:
        """Its place in the log."""

    @property
    def checkpoint(self) -> bytes:
        """A signed note that covers it."""

    @property
    def inclusion_proof(self) -> Sequence[bytes]:
        """The path from the entry to the checkpoint's root."""


class SignedHistory(NamedTuple):
    """The history that this vault has signed: its key, and the newest checkpoint, which is the guard's mark."""

    log_key: VerifierKey
    size: int
    root: bytes


def verify_commitment(logged: LoggedEntry, pool: PoolState, history: SignedHistory) -> PoolCommit:
    """Return the commitment to exactly ``pool``, which stands in the signed history.

    Raises VaultRefusedError ``commit-mismatch`` or ``commit-unproven``.
    """
    try:
        commit = parse_entry(logged.entry)
        if not isinstance(commit, PoolCommit):
            raise VerificationError("commit", f"the entry is a {commit.TYPE}")
        found = commit.origin, commit.pool, commit.size, commit.slot_root, commit.kind == "deal"
        if found != (history.log_key.name, pool.pool_id, pool.size, pool.slot_root, pool.deal):
            raise VerificationError("commit", "the entry commits to another pool, size, root, kind or log")
    except AnchorError as error:
        raise VaultRefusedError("commit-mismatch", f"{pool.pool_id}: {error}") from error
    verify_logged(logged, history, "commit-unproven", pool.pool_id)
    return commit


def verify_activation(
    logged: LoggedEntry, committed: LoggedEntry, commit: PoolCommit, pool: PoolState, history: SignedHistory
) -> PoolActivate:
    """Return the activation of exactly the commitment ``commit``, which stands in the log as ``committed``.

    Whether the beacon's signature is the round's is for everybody to check in the log; here it must be there if, and
    only if, the commitment waits for one. Raises VaultRefusedError ``activation-mismatch`` or ``activation-unproven``.
    """
    try:
        activation = parse_entry(logged.entry)
        if not isinstance(activation, PoolActivate):
            raise VerificationError("activation", f"the entry is a {activation.TYPE}")
        found = activation.origin, activation.pool, activation.commit_index, activation.commit
        if found != (history.log_key.name, pool.pool_id, committed.index, leaf_hash(committed.entry)):
            raise VerificationError("activation", "the entry activates another pool, commitment or log")
        if logged.index <= committed.index:
            raise VerificationError("activation", f"it stands at {logged.index}, the commitment at {committed.index}")
        _check_beacon(activation, commit)
    except AnchorError as error:
        raise VaultRefusedError("activation-mismatch", f"{pool.pool_id}: {error}") from error
    verify_logged(logged, history, "activation-unproven", pool.pool_id)
    return activation


def _check_beacon(activation: PoolActivate, commit: PoolCommit) -> None:
    signature, value = activation.beacon_signature, activation.beacon_value
    if (signature is None) != (commit.beacon is None):
        raise VerificationError("activation", "a round's signature stands where, and only where, a round is named")
    if signature is not None and value != sha256(signature).digest():
        raise VerificationError("activation", "beacon_value is not the hash of beacon_signature")


def verify_logged(logged: LoggedEntry, history: SignedHistory, reason: str, pool_id: str) -> None:
    """Check that ``logged`` stands in the signed history; raises VaultRefusedError with ``reason``.

    The proof is against the newest checkpoint and no other: a note that bears the log's signature and that the guard
    never gave, because somebody has the log's key, may tell of any history, however short.
    """
    try:
        signed = open_checkpoint(logged.checkpoint, history.log_key)
        if signed.size != history.size:
            raise VerificationError("checkpoint", f"it has size {signed.size}, the newest {history.size}")
        if signed.root != history.root:
            raise VerificationError("checkpoint", f"its root at size {signed.size} is not the one that was signed here")
        verify_inclusion(
            index=logged.index,
            size=signed.size,
            leaf=leaf_hash(logged.entry),
            path=list(logged.inclusion_proof),
            root=signed.root,
        )
    except AnchorError as error:
        raise VaultRefusedError(reason, f"{pool_id}: {error}") from error
