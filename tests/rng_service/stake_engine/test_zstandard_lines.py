"""Compressed lines: read in pieces of bounded size, and refused when they were made to hurt."""

import io
import os
import tracemalloc

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from anchor.errors import MalformedError
from rng_service.stake_engine import zstandard_lines
from rng_service.stake_engine.zstandard_lines import read_lines


def read(data, longest_line=1_000):
    return b"".join(read_lines(io.BytesIO(data), name="b.zst", longest_line=longest_line))


def packed(text, **options):
    return zstandard.ZstdCompressor(**options).compress(text)


@given(st.lists(st.binary(max_size=200).map(lambda line: line.replace(b"\n", b"").replace(b"\r", b"")), max_size=50))
def test_all_lines_come_back(lines):
    text = b"".join(line + b"\n" for line in lines)
    assert read(packed(text)) == text


@given(st.binary(max_size=3_000), st.integers(0, 3_000))
def test_a_file_that_was_cut_anywhere_is_refused(text, cut):
    data = packed(text.replace(b"\r", b"") + b"\n", write_checksum=True)
    with pytest.raises(MalformedError, match=r"ends in the middle of a zstd frame|no zstd"):
        read(data[: 1 + cut % (len(data) - 1)], longest_line=10_000)


@given(st.integers(0, 5_000), st.integers(1, 255))
def test_a_flipped_byte_never_passes_unnoticed(place, flip):
    text = b"".join(b"line %d of many\n" % number for number in range(500))
    data = bytearray(packed(text, write_checksum=True))
    data[place % len(data)] ^= flip
    try:
        found = read(bytes(data))
    except MalformedError:
        return
    # Bits of the header that mean nothing for a reader, such as the unused one.
    assert found == text


def test_what_is_no_zstd_and_what_stands_behind_it_are_refused():
    with pytest.raises(MalformedError, match=r"b.zst: no zstd from byte 0 on"):
        read(b"id,weight\n")
    good = packed(b"a\n")
    with pytest.raises(MalformedError, match=f"no zstd from byte {len(good)} on"):
        read(good + b"something else")


def test_a_bomb_is_refused_after_a_small_part_of_it():
    bomb = packed(b"\n" * (1 << 28), level=1)
    assert len(bomb) < 1 << 18
    tracemalloc.start()
    with pytest.raises(MalformedError, match="no text is that repetitive"):
        for _ in read_lines(io.BytesIO(bomb), name="b.zst", longest_line=1_000):
            pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100 << 20


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory():
    with pytest.raises(MalformedError, match=r"b.zst, line 2: longer than 1000 bytes"):
        read(packed(b"a\n" + b"x" * (1 << 24)))
    with pytest.raises(MalformedError, match=r"b.zst, line 3: longer than 1000 bytes"):
        read(packed(b"a\nb\n" + b"x" * 1_001 + b"\nc\n"))


def test_a_window_that_needs_more_memory_than_is_given_is_refused():
    options = zstandard.ZstdCompressionParameters(window_log=30, write_content_size=False)
    data = zstandard.ZstdCompressor(compression_params=options).stream_writer(out := io.BytesIO(), closefd=False)
    data.write(os.urandom(100))
    data.close()
    with pytest.raises(MalformedError, match="no zstd"):
        read(out.getvalue())


def test_more_bytes_than_allowed_are_not_read(monkeypatch):
    monkeypatch.setattr(zstandard_lines, "MAX_COMPRESSED_BYTES", 1_000)
    monkeypatch.setattr(zstandard_lines, "_READ", 100)
    with pytest.raises(MalformedError, match="more than 1000 bytes"):
        read(packed(os.urandom(5_000).replace(b"\n", b"")), longest_line=10_000)
