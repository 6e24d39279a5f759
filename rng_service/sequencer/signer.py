"""The vault as the log's signer: its mark is the only memory of what the log's history is."""

from collections.abc import Sequence

from anchor.checkpoint import Checkpoint
from anchor.errors import RefusedError
from rng_service.vault.client import VaultClient
from rng_service.vault.errors import VaultRefusedError

__all__ = ["VaultSigner"]


class VaultSigner:
    """Implements `anchor.writer.Signer` over the vault's socket. VaultUnavailableError is passed on."""

    def __init__(self, vault: VaultClient) -> None:
        self._vault = vault

    def mark(self) -> Checkpoint | None:
        """Return the last tree head that the vault signed, None before the first."""
        state = self._vault.get_state()
        if not state.checkpoint_root:
            return None
        return Checkpoint(state.origin, state.checkpoint_size, state.checkpoint_root)

    def sign(self, size: int, root: bytes, consistency_proof: Sequence[bytes], old_size: int) -> bytes:
        """Return the vault's signed note; see `anchor.writer.Signer.sign`."""
        try:
            return self._vault.sign_checkpoint(size, root, consistency_proof, old_size)
        except VaultRefusedError as error:
            raise RefusedError(f"the vault does not sign size {size}: {error}") from error
