"""Proof that a pool's commitment is public history, which the vault demands before it opens a slot."""

from collections.abc import Sequence

from anchor import canonical
from anchor.checkpoint import open_checkpoint
from anchor.errors import AnchorError, VerificationError
from anchor.merkle import leaf_hash, verify_inclusion
from anchor.note import VerifierKey
from rng_service.vault.errors import VaultRefusedError

__all__ = ["verify_commitment"]


def verify_commitment(
    *,
    entry: bytes,
    index: int,
    checkpoint: bytes,
    path: Sequence[bytes],
    log_key: VerifierKey,
    newest_size: int,
    pool_id: str,
    size: int,
    slot_root: bytes,
) -> None:
    """Check that ``entry`` commits to exactly this pool and stands in a checkpoint that this vault signed.

    ``newest_size`` is the size of the guard's mark: what claims to be larger was not signed here. Raises
    VaultRefusedError ``commit-mismatch`` or ``commit-unproven``.
    """
    try:
        fields = canonical.decode_object(entry, what="commit entry")
        expected = {
            "origin": log_key.name,
            "pool": pool_id,
            "size": size,
            "slot_root": slot_root.hex(),
            "type": "pool.commit",
            "v": 1,
        }
        for name, value in expected.items():
            if fields.get(name) != value or isinstance(fields.get(name), bool):
                raise VerificationError("commit", f"{name} is {fields.get(name)!r}, the pool has {value!r}")
    except AnchorError as error:
        raise VaultRefusedError("commit-mismatch", f"{pool_id}: {error}") from error
    try:
        signed = open_checkpoint(checkpoint, log_key)
        if signed.size > newest_size:
            raise VerificationError("checkpoint", f"size {signed.size} is beyond the newest, {newest_size}")
        verify_inclusion(index=index, size=signed.size, leaf=leaf_hash(entry), path=path, root=signed.root)
    except AnchorError as error:
        raise VaultRefusedError("commit-unproven", f"{pool_id}: {error}") from error
