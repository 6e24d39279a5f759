"""Proofs for the vault that an entry is public history."""

from sealdraw.vault.v1 import vault_pb2

from anchor.reader import LogReader
from anchor.source import DirectorySource
from rng_service.sequencer.context import Context

__all__ = ["PublishedLog"]


class PublishedLog:
    """The log as it is published at this moment; every proof is against its newest checkpoint."""

    def __init__(self, context: Context) -> None:
        self._reader = LogReader(DirectorySource(context.config.public_dir), context.log_key)

    def prove(self, entry: bytes, index: int) -> vault_pb2.LoggedEntry:
        """Return ``entry`` with the proof that it stands at ``index``.

        Raises what `anchor.reader.LogReader` raises; whether the proof fits the entry is for the vault to find.
        """
        return vault_pb2.LoggedEntry(
            entry=entry,
            index=index,
            checkpoint=self._reader.checkpoint_note(),
            inclusion_proof=self._reader.inclusion_proof(index),
        )
