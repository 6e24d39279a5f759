r"""Checkpoints (C2SP tlog-checkpoint v1.0.0): the signed statement that a log has this size and this root.

    text    origin "\n" size "\n" base64(root[32]) "\n" [extension "\n"]*       no line is empty

A log never signs two checkpoints of which neither extends the other; who signs sees to that.
"""

from dataclasses import dataclass

from anchor.encoding import base64_text, parse_hash, parse_number
from anchor.errors import MalformedError, VerificationError
from anchor.merkle import EMPTY_ROOT, HASH_SIZE, MAX_SIZE
from anchor.note import MAX_NOTE, VerifierKey, open_note


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One state of a log. Our logs write no extension lines; those of others are kept as opaque text."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what the text form could not carry."""
        for line in (self.origin, *self.extensions):
            if not line or any(c < " " for c in line):
                raise MalformedError("checkpoint: origin and extensions are lines, neither empty nor with controls")
        if not 0 <= self.size <= MAX_SIZE or len(self.root) != HASH_SIZE:
            raise MalformedError("checkpoint: the size lies below 2^63 and the root has 32 bytes")

    def text(self) -> str:
        """Return the text that is signed."""
        lines = (self.origin, str(self.size), base64_text(self.root), *self.extensions)
        return "".join(line + "\n" for line in lines)


def parse_checkpoint(text: str) -> Checkpoint:
    """Parse the text of a checkpoint's note; raises MalformedError unless it is canonical."""
    if len(text) > MAX_NOTE:
        raise MalformedError(f"checkpoint: {len(text)} characters, at most {MAX_NOTE} are accepted")
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1]:
        raise MalformedError("checkpoint: expected the lines origin, size and root, each with its newline")
    origin, size, root, *extensions = lines[:-1]
    return Checkpoint(
        origin,
        parse_number(size, what="checkpoint size"),
        parse_hash(root, what="checkpoint root"),
        tuple(extensions),
    )


def open_checkpoint(data: bytes, vkey: VerifierKey, origin: str | None = None) -> Checkpoint:
    """Verify the note ``data`` with the log's key and return the checkpoint in it.

    ``origin`` is what the first line must be, the key's name when not given. Raises MalformedError, or
    VerificationError ``note-unsigned``, ``note-signature``, ``origin``, or ``root-mismatch`` for an empty
    log whose root is not SHA-256 of nothing.
    """
    checkpoint = parse_checkpoint(open_note(data, [vkey]).text)
    expected = vkey.name if origin is None else origin
    if checkpoint.origin != expected:
        raise VerificationError("origin", f"expected a checkpoint of {expected!r}, found {checkpoint.origin!r}")
    if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
        raise VerificationError("root-mismatch", "checkpoint: size 0 has the root SHA-256 of nothing")
    return checkpoint
