r"""Signed notes (C2SP signed-note v1.0.0): a text with signature lines of named keys.

    note        text || "\n" || signature line, one or more       the text ends in "\n"
    line        U+2014 SP name SP base64(key id[4] || payload) "\n"
    key id      SHA-256(name || "\n" || type || public key)[:4]
    vkey        name "+" key id in hex "+" base64(type || public key)

The signature types that are understood stand in one table at the bottom: 0x01, Ed25519 over the text, and
0x04, a witness's timestamped cosignature (C2SP tlog-cosignature v1.0.0), whose payload is a big-endian u64
of POSIX seconds followed by an Ed25519 signature over "cosignature/v1\ntime <seconds>\n" and the text.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from anchor.encoding import base64_text, parse_base64
from anchor.errors import MalformedError, VerificationError

MAX_NOTE = 65_536
MAX_SIGNATURES = 100
ED25519: Final = 0x01
COSIGNATURE_V1: Final = 0x04

_MAX_VKEY = 4096
_DASH = "\N{EM DASH} "


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: who claims to have signed, and the bytes after the key id."""

    name: str
    key_id: bytes
    payload: bytes

    def line(self) -> str:
        """Return the line as it stands in a note, with its newline."""
        return f"{_DASH}{self.name} {base64_text(self.key_id + self.payload)}\n"

    def timestamp_s(self) -> int:
        """Return the POSIX seconds that a 0x04 cosignature states; meaningful only once it is verified."""
        return int.from_bytes(self.payload[:8], "big")


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note: its text with the final newline, its signatures by whether a given key verified them."""

    text: str
    verified: tuple[Signature, ...]
    unverified: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A named public key that verifies one type of signature."""

    name: str
    algorithm: int
    public_key: bytes

    def __post_init__(self) -> None:
        """Refuse names that a signature line could not carry, and types that are not in the table."""
        _check_name(self.name)
        if self.algorithm not in _ALGORITHMS:
            raise MalformedError(f"verifier key {self.name}: signature type {self.algorithm:#04x} is not supported")
        if len(self.public_key) != 32:
            raise MalformedError(f"verifier key {self.name}: an Ed25519 key has 32 bytes")

    @classmethod
    def parse(cls, vkey: str) -> "VerifierKey":
        """Parse a vkey line without its newline; raises MalformedError for all but the canonical text."""
        if len(vkey) > _MAX_VKEY:
            raise MalformedError(f"verifier key: at most {_MAX_VKEY} characters are accepted")
        # Base64 may itself contain "+", so only the first two separate.
        parts = vkey.split("+", 2)
        if len(parts) != 3:
            raise MalformedError("verifier key: expected name+keyid+base64")
        name, key_id, encoded = parts
        data = parse_base64(encoded, what=f"verifier key {name}")
        if not data:
            raise MalformedError(f"verifier key {name}: no key")
        key = cls(name, data[0], data[1:])
        if key.key_id.hex() != key_id:
            raise MalformedError(f"verifier key {name}: the key id should be {key.key_id.hex()}, found {key_id!r}")
        return key

    @classmethod
    def of(cls, name: str, private_key: Ed25519PrivateKey, algorithm: int = ED25519) -> "VerifierKey":
        """Return the verifier key that belongs to ``private_key`` under ``name``."""
        return cls(name, algorithm, private_key.public_key().public_bytes_raw())

    @property
    def key_id(self) -> bytes:
        """Return the four bytes that identify this key beside its name."""
        return sha256(self.name.encode() + b"\n" + bytes([self.algorithm]) + self.public_key).digest()[:4]

    def vkey(self) -> str:
        """Return the one-line text form that `parse` reads."""
        return f"{self.name}+{self.key_id.hex()}+{base64_text(bytes([self.algorithm]) + self.public_key)}"

    def verify(self, text: str, signature: Signature) -> None:
        """Check ``signature`` over ``text``; raises VerificationError ``note-signature``."""
        if (signature.name, signature.key_id) != (self.name, self.key_id):
            raise VerificationError("note-signature", f"a line of {signature.name} is not by key {self.vkey()}")
        try:
            message, raw = _ALGORITHMS[self.algorithm](text, signature.payload)
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(raw, message)
        except (InvalidSignature, ValueError):
            raise VerificationError(
                "note-signature", f"the signature of {self.name} ({self.key_id.hex()}) does not fit the text"
            ) from None


def sign_note(text: str, name: str, private_key: Ed25519PrivateKey) -> bytes:
    """Return the note of ``text`` (ending in a newline) with one Ed25519 signature by ``name``."""
    _check_text(text)
    key_id = VerifierKey.of(name, private_key).key_id
    signature = Signature(name, key_id, private_key.sign(text.encode()))
    return f"{text}\n{signature.line()}".encode()


def cosign(text: str, name: str, private_key: Ed25519PrivateKey, *, timestamp_s: int) -> Signature:
    """Return ``name``'s 0x04 cosignature over a checkpoint's text, as of ``timestamp_s`` POSIX seconds."""
    if not 0 <= timestamp_s < 2**63:
        raise ValueError("a cosignature's time lies between 0 and 2^63 - 1")
    key_id = VerifierKey.of(name, private_key, COSIGNATURE_V1).key_id
    time = timestamp_s.to_bytes(8, "big")
    message, _ = _cosignature_v1(text, time + bytes(64))
    return Signature(name, key_id, time + private_key.sign(message))


def parse_note(data: bytes) -> Note:
    """Parse a note without verifying anything: all its signatures are in ``unverified``, repeated lines once.

    Raises MalformedError for more than 64 KiB, more than 100 signature lines and everything that is not a
    note.
    """
    if len(data) > MAX_NOTE:
        raise MalformedError(f"note: {len(data)} bytes, at most {MAX_NOTE} are accepted")
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedError("note: not UTF-8") from None
    # Signature lines cannot be empty, so the last empty line is the one that separates them from the text.
    text, separator, lines = whole.rpartition("\n\n")
    if not separator:
        raise MalformedError("note: no empty line before the signatures")
    text += "\n"
    _check_text(text)
    return Note(text, (), parse_signatures(lines))


def parse_signatures(lines: str) -> tuple[Signature, ...]:
    """Parse one or more signature lines, each with its newline, dropping exact repetitions."""
    body, newline, rest = lines.rpartition("\n")
    if not newline or rest:
        raise MalformedError("note: the signatures do not end in a newline")
    found = body.split("\n")
    if len(found) > MAX_SIGNATURES:
        raise MalformedError(f"note: {len(found)} signature lines, at most {MAX_SIGNATURES} are accepted")
    return tuple(dict.fromkeys(_parse_line(line) for line in found))


def open_note(data: bytes, keys: Iterable[VerifierKey]) -> Note:
    """Parse a note and verify every line by one of ``keys``; other lines are kept as ``unverified``.

    A further line by a key that has already verified one is verified too, and left out of the result: each
    key counts once. Raises MalformedError, or VerificationError ``note-signature`` when a line by a known
    key is bad and ``note-unsigned`` when no known key signed.
    """
    note = parse_note(data)
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.key_id), key) != key:
            raise MalformedError(f"note: two different keys are called {key.name} {key.key_id.hex()}")
    verified: dict[tuple[str, bytes], Signature] = {}
    unverified = []
    for signature in note.unverified:
        identity = signature.name, signature.key_id
        verifier = known.get(identity)
        if verifier is None:
            unverified.append(signature)
        else:
            verifier.verify(note.text, signature)
            verified.setdefault(identity, signature)
    if not verified:
        wanted = ", ".join(sorted(name for name, _ in known)) or "nobody"
        raise VerificationError("note-unsigned", f"no signature by a known key (wanted: {wanted})")
    return Note(note.text, tuple(verified.values()), tuple(unverified))


def append_signatures(data: bytes, signatures: Iterable[Signature]) -> bytes:
    """Return the note with further signature lines behind its own."""
    return data + "".join(signature.line() for signature in signatures).encode()


def _parse_line(line: str) -> Signature:
    if not line.startswith(_DASH):
        raise MalformedError("note: a signature line begins with an em dash and a space")
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not space:
        raise MalformedError("note: a signature line holds a name and a signature")
    _check_name(name)
    data = parse_base64(encoded, what=f"signature line of {name}")
    if len(data) < 5:
        raise MalformedError(f"signature line of {name}: no signature behind the key id")
    return Signature(name, data[:4], data[4:])


def _check_name(name: str) -> None:
    if not name or "+" in name or any(c.isspace() or c < " " or "\ud800" <= c <= "\udfff" for c in name):
        raise MalformedError(f"key name {name[:64]!r}: must not be empty or contain spaces, controls or '+'")


def _check_text(text: str) -> None:
    if not text.endswith("\n"):
        raise MalformedError("note: the text does not end in a newline")
    if any(c < " " and c != "\n" for c in text):
        raise MalformedError("note: control characters other than newline are not allowed")


def _ed25519(text: str, payload: bytes) -> tuple[bytes, bytes]:
    return text.encode(), payload


def _cosignature_v1(text: str, payload: bytes) -> tuple[bytes, bytes]:
    if len(payload) != 72:
        raise ValueError("a cosignature has 8 bytes of time and 64 of signature")
    seconds = int.from_bytes(payload[:8], "big")
    if seconds >= 2**63:
        raise ValueError("a cosignature's time lies below 2^63")
    return f"cosignature/v1\ntime {seconds}\n{text}".encode(), payload[8:]


# For each signature type: (text, payload) -> (signed message, Ed25519 signature).
_ALGORITHMS: Final[dict[int, Callable[[str, bytes], tuple[bytes, bytes]]]] = {
    ED25519: _ed25519,
    COSIGNATURE_V1: _cosignature_v1,
}
