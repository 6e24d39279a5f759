"""Bits as every battery takes them: packed bytes, the most significant bit of each first.

Nothing here keeps more than one batch of sequences in memory, so a file of any size can be read.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.errors import InputError

__all__ = [
    "DEFAULT_SEQUENCE_BITS",
    "MAX_SEQUENCE_BITS",
    "Batch",
    "SequenceReader",
    "batch_of_bits",
    "batch_of_bytes",
    "batch_of_text",
    "refuse_text",
]

# A sequence is tested in memory, at some thirty bytes a bit for the hungriest test.
MAX_SEQUENCE_BITS: Final = 1 << 26
DEFAULT_SEQUENCE_BITS: Final = 1_000_000
_SAMPLE_BYTES: Final = 4_096
_TEXT: Final = frozenset(b"01 \t\r\n")


@dataclass(frozen=True)
class Batch:
    """Sequences of equal length, one a row.

    ``packed`` has the shape (sequences, ceil(bits / 8)) and is never written to; the bits behind the last one are 0.
    ``memo`` belongs to the tests: what two of them need (pattern counts, the random walk) is computed once.
    """

    packed: NDArray[np.uint8]
    bits: int
    memo: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.packed.dtype != np.uint8 or self.packed.ndim != 2:
            raise ValueError("packed bits are a two-dimensional array of bytes")
        if not 1 <= self.bits <= MAX_SEQUENCE_BITS or self.packed.shape[1] != (self.bits + 7) // 8:
            raise ValueError(f"{self.packed.shape[1]} bytes a row do not hold {self.bits} bits")
        if self.bits % 8 and (self.packed[:, -1] & (0xFF >> self.bits % 8)).any():
            raise ValueError("the bits behind the last one of a sequence must be 0")

    @property
    def sequences(self) -> int:
        """How many sequences there are."""
        return len(self.packed)

    @cached_property
    def unpacked(self) -> NDArray[np.uint8]:
        """The bits as 0 and 1, shape (sequences, bits). Eight times the memory: for what has no packed way."""
        return np.unpackbits(self.packed, axis=1, count=self.bits)


def batch_of_bytes(data: bytes, bits: int | None = None) -> Batch:
    """Return one sequence: the first ``bits`` bits of ``data``, or all of them. Raises InputError if there are not."""
    wanted = len(data) * 8 if bits is None else bits
    if not 1 <= wanted <= len(data) * 8:
        raise InputError(f"{wanted} bits were asked for, and {len(data) * 8} are there")
    return batch_of_bits(np.unpackbits(np.frombuffer(data, dtype=np.uint8), count=wanted)[np.newaxis])


def batch_of_text(text: str) -> Batch:
    """Return one sequence from digits 0 and 1, as the examples of the publication print them; blanks are skipped."""
    digits = "".join(text.split())
    if not digits or set(digits) - {"0", "1"}:
        raise InputError("expected the digits 0 and 1")
    return batch_of_bits(np.array([[int(digit) for digit in digits]], dtype=np.uint8))


def batch_of_bits(unpacked: NDArray[np.uint8]) -> Batch:
    """Return the rows of ``unpacked``, shape (sequences, bits) of 0 and 1, as a batch."""
    return Batch(np.packbits(unpacked, axis=1), unpacked.shape[1])


class SequenceReader:
    """Cuts a byte stream into sequences of ``bits`` bits, which follow each other without a gap.

    ``align`` rounds the distance between the beginnings of two sequences up to a multiple of so many bits: NIST's
    program reads words of 32 bits and drops what is left of a word behind each sequence.

    Without ``bits`` a sequence has a million, or as many as there are in a shorter stream.

    After `read` returned less than it was asked for, ``left_over_bits`` says how many bits at the end were too few for
    one more sequence.

    Raises InputError when the stream is empty, shorter than one sequence, or looks like digits written as text.
    """

    def __init__(self, stream: BinaryIO, *, bits: int | None = None, align: int = 1) -> None:
        wanted = DEFAULT_SEQUENCE_BITS if bits is None else bits
        if not 1 <= wanted <= MAX_SEQUENCE_BITS:
            raise InputError(f"a sequence has from 1 to {MAX_SEQUENCE_BITS:,} bits, not {wanted:,}")
        self._stream = stream
        self._ahead = _read_fully(stream, -(-wanted // 8))
        refuse_text(self._ahead[:_SAMPLE_BYTES])
        found = len(self._ahead) * 8
        if found < wanted and bits is not None:
            raise InputError(
                f"the input ends after {found:,} bits, and one sequence has {wanted:,}: ask for fewer bits"
            )
        self.bits = min(wanted, found)
        self._stride = -(-self.bits // align) * align
        self._pending = np.empty(0, dtype=np.uint8)  # up to a byte's worth of bits between two sequences, unpacked
        self.left_over_bits = 0

    def read(self, sequences: int) -> Batch | None:
        """Return up to ``sequences`` more sequences, or None when there is not one more."""
        if self._stride % 8:
            return self._read_bits(sequences)
        size = self._stride // 8
        data = np.frombuffer(self._take(sequences * size), dtype=np.uint8)
        found = len(data) // size
        if found < sequences and (len(data) - found * size) * 8 >= self.bits:
            # The last sequence is whole; only the filling up to the next word is missing.
            data = np.concatenate([data, np.zeros((found + 1) * size - len(data), dtype=np.uint8)])
            found += 1
        self.left_over_bits += max(0, len(data) - found * size) * 8
        if found == 0:
            return None
        rows = data[: found * size].reshape(found, size)[:, : (self.bits + 7) // 8]
        if self.bits % 8:
            rows = rows.copy()
            rows[:, -1] &= 0xFF << (8 - self.bits % 8) & 0xFF
        return Batch(np.ascontiguousarray(rows), self.bits)

    def _read_bits(self, sequences: int) -> Batch | None:
        """Read sequences that begin inside bytes."""
        wanted = sequences * self._stride - len(self._pending)
        data = np.frombuffer(self._take(-(-wanted // 8)), dtype=np.uint8)
        flat = np.concatenate([self._pending, np.unpackbits(data)])
        if 0 < self._stride - len(flat) % self._stride <= self._stride - self.bits:
            # The last sequence is whole; only the filling up to the next one is missing.
            flat = np.concatenate([flat, np.zeros(-len(flat) % self._stride, dtype=np.uint8)])
        found = min(sequences, len(flat) // self._stride)
        self._pending = flat[found * self._stride :].copy()
        self.left_over_bits = len(self._pending)
        if found == 0:
            return None
        return batch_of_bits(flat[: found * self._stride].reshape(found, self._stride)[:, : self.bits])

    def _take(self, size: int) -> bytes:
        ahead, self._ahead = self._ahead[:size], self._ahead[size:]
        return ahead if len(ahead) == size else ahead + _read_fully(self._stream, size - len(ahead))


def refuse_text(sample: bytes) -> None:
    """Raise InputError if ``sample``, the beginning of what should be raw bytes, is empty or text of 0 and 1."""
    if not sample:
        raise InputError("the input is empty: expected raw bytes, the most significant bit of each first")
    if _TEXT.issuperset(sample) and (b"0" in sample or b"1" in sample):
        raise InputError(
            "the input is text, the digits 0 and 1: expected raw bytes, eight bits in each; pack the digits first,"
            " for instance: tr -dc 01 < FILE | perl -e 'print pack q(B*), join q(), <>' > FILE.bin"
        )


def _read_fully(stream: BinaryIO, size: int) -> bytes:
    """Read ``size`` bytes, or what there is: a pipe gives less than asked for long before its end."""
    parts: list[bytes] = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
