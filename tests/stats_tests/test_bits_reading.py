"""Bytes into sequences: nothing lost, nothing made up, and what cannot be bits is refused."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stats_tests.bits import (
    DEFAULT_SEQUENCE_BITS,
    MAX_SEQUENCE_BITS,
    Batch,
    SequenceReader,
    batch_of_bytes,
    batch_of_text,
    refuse_text,
)
from stats_tests.errors import InputError


class Trickle(io.RawIOBase):
    """A pipe: gives three bytes at most at a time."""

    def __init__(self, data):
        self._data = data

    def readable(self):
        return True

    def read(self, size=-1):
        part, self._data = self._data[: min(size, 3)], self._data[min(size, 3) :]
        return part


@given(st.binary(min_size=1, max_size=60), st.integers(1, 80), st.integers(1, 4), st.sampled_from([1, 8, 32]))
def test_sequences_are_the_bits_in_order(data, bits, at_once, align):
    data = b"\xff" + data  # never text
    everything = np.unpackbits(np.frombuffer(data, dtype=np.uint8))
    stride = -(-bits // align) * align
    starts = [start for start in range(0, len(everything), stride) if start + bits <= len(everything)]
    if not starts:
        with pytest.raises(InputError, match="ask for fewer bits"):
            SequenceReader(Trickle(data), bits=bits, align=align)
        return
    reader = SequenceReader(Trickle(data), bits=bits, align=align)
    found = []
    while (batch := reader.read(at_once)) is not None:
        found.extend(batch.unpacked.tolist())
    assert found == [everything[start : start + bits].tolist() for start in starts]
    assert reader.left_over_bits == max(0, len(everything) - len(starts) * stride)


def test_a_short_stream_is_one_sequence_when_no_length_was_asked_for():
    reader = SequenceReader(io.BytesIO(bytes([255]) * 125))
    assert reader.bits == 1_000
    assert reader.read(4).sequences == 1
    assert reader.read(4) is None
    assert reader.left_over_bits == 0


def test_a_long_stream_is_cut_into_a_million_bits():
    reader = SequenceReader(io.BytesIO(bytes([255]) * 250_001))
    assert reader.bits == DEFAULT_SEQUENCE_BITS
    assert reader.read(4).sequences == 2
    assert reader.left_over_bits == 8


def test_nists_words_leave_out_what_is_left_of_them():
    data = bytes([0b10000000, 0, 0, 0xFF, 0b11000000, 0, 0, 0xFF])
    batch = SequenceReader(io.BytesIO(data), bits=2, align=32).read(9)
    assert batch.unpacked.tolist() == [[1, 0], [1, 1]]


@pytest.mark.parametrize("text", [b"0", b"0101 1100\r\n", b"1" * 5_000 + b"\xff"])
def test_text_is_refused_with_the_way_out(text):
    with pytest.raises(InputError, match="is text"):
        SequenceReader(io.BytesIO(text))


@pytest.mark.parametrize("data", [b"\x30\x31\x02", b"   \n", b"ten per cent", bytes(100)])
def test_bytes_that_only_resemble_text_are_taken(data):
    refuse_text(data)


@pytest.mark.parametrize("bits", [None, 8])
def test_an_empty_stream_is_refused(bits):
    with pytest.raises(InputError, match="empty"):
        SequenceReader(io.BytesIO(b""), bits=bits)


@pytest.mark.parametrize("bits", [0, -1, MAX_SEQUENCE_BITS + 1])
def test_lengths_that_cannot_be_are_refused(bits):
    with pytest.raises(InputError, match="from 1 to"):
        SequenceReader(io.BytesIO(b"\xff"), bits=bits)


def test_bytes_and_text_make_the_same_batch():
    assert batch_of_bytes(b"\xa5\xff", 9).unpacked.tolist() == batch_of_text("1010 0101 1").unpacked.tolist()
    for refused in (lambda: batch_of_bytes(b"", None), lambda: batch_of_bytes(b"\0", 9), lambda: batch_of_text("012")):
        with pytest.raises(InputError):
            refused()


@pytest.mark.parametrize(
    ("packed", "bits"),
    [
        (np.zeros((1, 2), dtype=np.uint8), 17),
        (np.zeros((1, 2), dtype=np.uint8), 8),
        (np.zeros((1, 2), dtype=np.uint8), 0),
        (np.zeros(2, dtype=np.uint8), 16),
        (np.zeros((1, 2), dtype=np.int64), 16),
        (np.ones((1, 2), dtype=np.uint8), 15),
    ],
)
def test_a_batch_that_contradicts_itself_is_refused(packed, bits):
    with pytest.raises(ValueError, match=r"bits|bytes"):
        Batch(packed, bits)
