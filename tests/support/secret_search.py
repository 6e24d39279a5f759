"""Looks for thousands of secrets at once in whatever was written: raw, as hex, as base64, as Python prints bytes."""

import base64
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

_PREFIX = 8
_TABLE_BITS = 24
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def forms_of(secret: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield how ``secret`` may be spelled; of base64 the part that stays the same wherever it stands in a longer text."""
    yield "raw", secret
    yield "hex", secret.hex().encode()
    yield "HEX", secret.hex().upper().encode()
    for before in range(3):
        text = base64.b64encode(bytes(before) + secret)
        # The characters that hold bits of what stands before or after it are not its own.
        start, end = -(-8 * before // 6), 8 * (before + len(secret)) // 6
        yield "base64", text[start:end]
        yield "base64url", text[start:end].translate(bytes.maketrans(b"+/", b"-_"))
    printed = repr(secret)[2:-1].encode()
    if len(printed) >= _PREFIX:
        yield "repr", printed


class SecretSearch:
    """A search for ``secrets``, by name; each at least eight bytes long."""

    def __init__(self, secrets: Mapping[str, bytes]) -> None:
        self._forms: dict[bytes, list[tuple[str, str, bytes]]] = {}
        for name, secret in secrets.items():
            for form, spelled in forms_of(secret):
                self._forms.setdefault(spelled[:_PREFIX], []).append((name, form, spelled))
        prefixes = np.frombuffer(b"".join(self._forms), dtype="<u8")
        # Of all places one in hundreds passes this table, which is what keeps the search fast.
        self._table = np.zeros(1 << _TABLE_BITS, dtype=bool)
        self._table[_hashed(prefixes)] = True

    def find(self, data: bytes) -> set[tuple[str, str]]:
        """Return (name, form) of every secret in ``data``."""
        found = set()
        for shift in range(_PREFIX):
            words = np.frombuffer(data, dtype="<u8", offset=shift, count=max(0, (len(data) - shift) // _PREFIX))
            for index in np.flatnonzero(self._table[_hashed(words)]):
                at = shift + _PREFIX * int(index)
                for name, form, spelled in self._forms.get(data[at : at + _PREFIX], ()):
                    if data.startswith(spelled, at):
                        found.add((name, form))
        return found

    def find_in(self, paths: Iterable[Path]) -> list[tuple[str, str, str]]:
        """Return (file, name, form) for every secret in the files, names of files included."""
        return [
            (str(path), *hit)
            for path in paths
            for hit in sorted(self.find(str(path).encode() + b"\n" + path.read_bytes()))
        ]


def _hashed(words: "np.ndarray[tuple[int], np.dtype[np.uint64]]") -> "np.ndarray[tuple[int], np.dtype[np.uint64]]":
    """Return a place in the table for each word (Fibonacci hashing, which wraps around on purpose)."""
    return (words * _MULTIPLIER) >> np.uint64(64 - _TABLE_BITS)
