"""The transparency log: writing it, reading it, and proving what stands in it; no games and no randomness.

The names in ``__all__`` are the public surface. They are imported when they are first used, so that whoever
needs only a parser loads neither an HTTP client nor a cryptographic library.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anchor.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
    from anchor.errors import AnchorError, MalformedError, MissingError, RefusedError, VerificationError
    from anchor.merkle import CompactTree, leaf_hash, verify_consistency, verify_inclusion
    from anchor.note import Note, VerifierKey, open_note, sign_note
    from anchor.proof import LogProof, parse_proof, verify_proof
    from anchor.reader import LogReader
    from anchor.source import Source, open_source
    from anchor.static import serve_directory
    from anchor.writer import LogWriter, Signer

__all__ = [
    "AnchorError",
    "Checkpoint",
    "CompactTree",
    "LogProof",
    "LogReader",
    "LogWriter",
    "MalformedError",
    "MissingError",
    "Note",
    "RefusedError",
    "Signer",
    "Source",
    "VerificationError",
    "VerifierKey",
    "leaf_hash",
    "open_checkpoint",
    "open_note",
    "open_source",
    "parse_checkpoint",
    "parse_proof",
    "serve_directory",
    "sign_note",
    "verify_consistency",
    "verify_inclusion",
    "verify_proof",
]

_HOMES = {
    "checkpoint": ("Checkpoint", "open_checkpoint", "parse_checkpoint"),
    "errors": ("AnchorError", "MalformedError", "MissingError", "RefusedError", "VerificationError"),
    "merkle": ("CompactTree", "leaf_hash", "verify_consistency", "verify_inclusion"),
    "note": ("Note", "VerifierKey", "open_note", "sign_note"),
    "proof": ("LogProof", "parse_proof", "verify_proof"),
    "reader": ("LogReader",),
    "source": ("Source", "open_source"),
    "static": ("serve_directory",),
    "writer": ("LogWriter", "Signer"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'anchor' has no attribute {name!r}")
    return getattr(import_module(f"anchor.{_HOME_OF[name]}"), name)
