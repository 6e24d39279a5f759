"""The single-history guard: the checkpoint key signs only what continues the last checkpoint it signed.

The mark (size, root, signed note) is durable before a signature leaves, so neither a restored public
directory nor a second writer nor a paused old leader can obtain two checkpoints that contradict each other.
The mark also remembers the journal's newest frame, so that an older journal beside it is noticed at the next
start.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anchor import canonical
from anchor.checkpoint import Checkpoint, open_checkpoint
from anchor.errors import AnchorError, VerificationError
from anchor.merkle import EMPTY_ROOT, verify_consistency
from anchor.note import VerifierKey, sign_note
from rng_service.encoding import receipt_key_statement
from rng_service.vault.durable import read_private, write_atomically
from rng_service.vault.errors import KeystoreError, VaultRefusedError
from rng_service.vault.journal import GENESIS, Mark
from rng_service.vault.steps import OnStep

__all__ = ["HistoryGuard", "HistoryMark"]

_MAX_MARK_BYTES: Final = 65_535


@dataclass(frozen=True, slots=True)
class HistoryMark:
    """The newest checkpoint ever signed, and the journal's newest frame at that time."""

    size: int
    root: bytes
    note: bytes
    journal: Mark

    def encode(self) -> bytes:
        """Return the bytes of the mark's file: canonical JSON."""
        return canonical.encode(
            {
                "journal_head": self.journal.head.hex(),
                "journal_sequence": self.journal.sequence,
                "note": base64.b64encode(self.note).decode("ascii"),
                "root": self.root.hex(),
                "size": self.size,
                "v": 1,
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> "HistoryMark":
        """Return the mark that ``data`` encodes; raises ValueError, KeyError or MalformedError."""
        fields = canonical.decode_object(data, limit=_MAX_MARK_BYTES, what="history mark")
        return cls(
            int(fields["size"]),
            bytes.fromhex(fields["root"]),
            base64.b64decode(fields["note"], validate=True),
            Mark(int(fields["journal_sequence"]), bytes.fromhex(fields["journal_head"])),
        )


class HistoryGuard:
    """The checkpoint key of ``origin`` behind its durable mark at ``path``.

    Not thread-safe: the owner serialises. Raises KeystoreError when the mark is missing or is not by this
    key: a vault without its mark could sign a second history, so it does not start.
    """

    def __init__(self, path: Path, origin: str, key: Ed25519PrivateKey, *, on_step: OnStep) -> None:
        self._path = path
        self._origin = origin
        self._key = key
        self._on_step = on_step
        self.verifier_key = VerifierKey.of(origin, key)
        try:
            self.mark = HistoryMark.parse(read_private(path, _MAX_MARK_BYTES))
            if self.mark.size:
                signed = open_checkpoint(self.mark.note, self.verifier_key)
                if (signed.size, signed.root) != (self.mark.size, self.mark.root):
                    raise VerificationError("root-mismatch", "the note is not the one of this size and root")
        except (AnchorError, ValueError, KeyError, TypeError) as error:
            raise KeystoreError(f"{path}: not the history mark of {origin} ({error})") from error

    @staticmethod
    def initialise(path: Path, *, on_step: OnStep) -> None:
        """Write the mark of a log that has no checkpoint yet; an existing mark is kept."""
        if not path.exists():
            empty = HistoryMark(0, EMPTY_ROOT, b"", Mark(0, GENESIS))
            write_atomically(path, empty.encode(), on_step=on_step, step="mark")

    def attest_receipt_key(self, public_key: bytes, epoch: int) -> bytes:
        """Return the log key's signature on a receipt key: the word that this vault made it.

        The statement begins with a label of its own, so that it cannot be taken for a checkpoint.
        """
        return self._key.sign(receipt_key_statement(self._origin, public_key, epoch))

    def verify_receipt_key(self, public_key: bytes, epoch: int, attestation: bytes) -> None:
        """Raise VerificationError ``receipt-key-signature`` unless ``attestation`` is by `attest_receipt_key`."""
        try:
            self._key.public_key().verify(attestation, receipt_key_statement(self._origin, public_key, epoch))
        except InvalidSignature:
            raise VerificationError(
                "receipt-key-signature", f"the log's key did not sign {public_key.hex()} of epoch {epoch}"
            ) from None

    def sign(self, size: int, root: bytes, proof: Sequence[bytes], old_size: int, journal: Mark) -> bytes:
        """Return the signed note for (``size``, ``root``), which ``proof`` links to the mark.

        Asking again for the mark itself returns the same note. Raises VaultRefusedError ``history-smaller``,
        ``history-fork``, ``history-stale`` (``old_size`` is not the mark's) or ``history-inconsistent``.
        """
        mark = self.mark
        if size < mark.size:
            raise VaultRefusedError("history-smaller", f"size {size} was asked for, size {mark.size} is signed already")
        if size == mark.size and mark.note:
            if root != mark.root:
                raise VaultRefusedError(
                    "history-fork", f"size {size} is signed with root {mark.root.hex()}, not {root.hex()}"
                )
            return mark.note
        if old_size != mark.size:
            raise VaultRefusedError(
                "history-stale", f"the proof starts at size {old_size}, the newest checkpoint has {mark.size}"
            )
        try:
            verify_consistency(old_size=mark.size, size=size, old_root=mark.root, root=root, path=proof)
            text = Checkpoint(self._origin, size, root).text()
        except AnchorError as error:
            raise VaultRefusedError("history-inconsistent", str(error)) from error
        note = sign_note(text, self._origin, self._key)
        fresh = HistoryMark(size, root, note, journal)
        # A crash before the rename forgets a signature that nobody saw; after it the same note is given
        # again.
        write_atomically(self._path, fresh.encode(), on_step=self._on_step, step="mark")
        self.mark = fresh
        return note
