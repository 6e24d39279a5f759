"""A signer in memory that keeps to the contract of `anchor.writer.Signer`, and what tests build on it."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anchor.checkpoint import Checkpoint
from anchor.errors import RefusedError
from anchor.merkle import EMPTY_ROOT, verify_consistency
from anchor.note import VerifierKey, sign_note
from anchor.writer import LogWriter

ORIGIN = "example.org/log"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
VERIFIER = VerifierKey.of(ORIGIN, KEY)


class MemorySigner:
    """Keeps one history; `notes` holds every note that it ever signed."""

    def __init__(self, mark=None):
        self.current = mark
        self.notes = []

    def mark(self):
        return self.current

    def sign(self, size, root, consistency_proof, old_size):
        old = self.current or Checkpoint(ORIGIN, 0, EMPTY_ROOT)
        if old_size != old.size:
            raise RefusedError(f"the mark is at {old.size}, not at {old_size}")
        verify_consistency(old_size=old_size, size=size, old_root=old.root, root=root, path=list(consistency_proof))
        self.current = Checkpoint(ORIGIN, size, root)
        self.notes.append(sign_note(self.current.text(), ORIGIN, KEY))
        return self.notes[-1]


def entries_of(count, start=0):
    return [b"entry %d" % index for index in range(start, start + count)]


def write_log(directory: Path, *batches: int) -> MemorySigner:
    """Publish a log that grew by these batches of `entries_of`, and return its signer."""
    signer = MemorySigner()
    with LogWriter(directory, signer) as writer:
        for batch in batches:
            writer.append_and_publish(entries_of(batch, writer.size))
    return signer


def snapshot(directory: Path) -> dict[str, bytes]:
    """Return the public files by path."""
    return {
        str(file.relative_to(directory)): file.read_bytes()
        for file in sorted(directory.rglob("*"))
        if file.is_file() and not file.name.startswith(".")
    }
