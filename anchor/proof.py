r"""Offline proofs (C2SP tlog-proof): an index, its inclusion path and the checkpoint, in one text file.

    c2sp.org/tlog-proof@v1 "\n" ["extra " base64 "\n"] "index " number "\n"
    (base64(hash[32]) "\n")* "\n" checkpoint

The hashes run from the leaf's sibling up to the root's child; the checkpoint is a note with all its
signature lines. ``extra`` is not authenticated by the proof: whoever uses it must bind it, for example by
computing the leaf from it.
"""

from dataclasses import dataclass

from anchor.checkpoint import Checkpoint, open_checkpoint
from anchor.encoding import base64_text, parse_base64, parse_hash, parse_number
from anchor.errors import MalformedError
from anchor.merkle import MAX_PATH, verify_inclusion
from anchor.note import MAX_NOTE, VerifierKey

MAX_EXTRA = 65_535
MAX_PROOF = 2 * MAX_EXTRA + 4096 + MAX_NOTE

_HEADER = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class LogProof:
    """The proof that some leaf stands at ``index`` under the checkpoint in the note ``checkpoint``."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def render(self) -> bytes:
        """Return the file's bytes."""
        lines = [_HEADER]
        if self.extra is not None:
            lines.append(f"extra {base64_text(self.extra)}")
        lines.append(f"index {self.index}")
        lines.extend(base64_text(item) for item in self.path)
        return ("\n".join(lines) + "\n\n").encode("ascii") + self.checkpoint


def parse_proof(data: bytes) -> LogProof:
    """Parse a proof file; raises MalformedError unless it is canonical. The checkpoint is not opened here."""
    if len(data) > MAX_PROOF:
        raise MalformedError(f"proof: {len(data)} bytes, at most {MAX_PROOF} are accepted")
    head, separator, checkpoint = data.partition(b"\n\n")
    if not separator:
        raise MalformedError("proof: no empty line before the checkpoint")
    try:
        header, *lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise MalformedError("proof: only ASCII stands before the checkpoint") from None
    if header != _HEADER:
        raise MalformedError(f"proof: expected the first line {_HEADER!r}")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = parse_base64(lines.pop(0).removeprefix("extra "), what="proof, extra line")
        if len(extra) > MAX_EXTRA:
            raise MalformedError(f"proof: at most {MAX_EXTRA} bytes of extra data are accepted")
    if not lines or not lines[0].startswith("index "):
        raise MalformedError("proof: expected the index line")
    index = parse_number(lines[0].removeprefix("index "), what="proof index")
    if len(lines) > 1 + MAX_PATH:
        raise MalformedError(f"proof: at most {MAX_PATH} hashes are accepted")
    path = tuple(parse_hash(line, what="proof hash") for line in lines[1:])
    return LogProof(index, path, checkpoint, extra)


def verify_proof(proof: LogProof, leaf: bytes, vkey: VerifierKey, origin: str | None = None) -> Checkpoint:
    """Check that leaf hash ``leaf`` stands where the proof says, and return the checkpoint that covers it.

    Cosignatures are left to the caller's policy (`open_note` with the witnesses' keys). Raises what
    `open_checkpoint` raises, and VerificationError ``inclusion``.
    """
    checkpoint = open_checkpoint(proof.checkpoint, vkey, origin)
    verify_inclusion(index=proof.index, size=checkpoint.size, leaf=leaf, path=proof.path, root=checkpoint.root)
    return checkpoint
