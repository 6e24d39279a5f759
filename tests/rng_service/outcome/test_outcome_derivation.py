"""The draw key, its byte stream, and unbiased integers."""

import hmac
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor.errors import MalformedError
from rng_service.encoding import DRAW_LABEL, lp, u32, u64
from rng_service.outcome import (
    DrawKeyDeriver,
    OutcomeStream,
    Reels,
    Sample,
    Shuffle,
    Uniform,
    Weighted,
    compile_program,
    draw_key,
)
from rng_service.outcome.derivation import uniform_constants

TESTS = Path(__file__).resolve().parents[2]
VECTORS = sorted((TESTS / "vectors" / "outcome").glob("*.json"))
THIRTY_TWO = st.binary(min_size=32, max_size=32)
SEEDS = st.one_of(st.just(b""), st.binary(min_size=16, max_size=64))


def plain_stream(key: bytes, size: int) -> bytes:
    return b"".join(hmac.digest(key, u32(j), "sha256") for j in range(size // 32 + 1))[:size]


def plain_uniform(data: bytearray, n: int) -> int:
    bits = (n - 1).bit_length()
    while True:
        taken = bytes(data[: -(-bits // 8)])
        del data[: len(taken)]
        value = int.from_bytes(taken, "big") & ((1 << bits) - 1)
        if value < n:
            return value


@given(THIRTY_TWO, THIRTY_TWO, st.integers(0, 2**64 - 1), st.one_of(st.just(b""), THIRTY_TWO), SEEDS)
def test_the_draw_key_is_hmac_over_the_documented_message(secret, commit_hash, slot, beacon, seed):
    message = DRAW_LABEL + commit_hash + u64(slot) + lp(beacon) + lp(b"base") + lp(seed)
    expected = hmac.digest(secret, message, "sha256")
    assert draw_key(secret, commit_hash, slot, beacon, "base", seed) == expected
    stream = DrawKeyDeriver(commit_hash, beacon, "base").outcome_stream(secret, slot, seed)
    assert stream.read(100) == plain_stream(expected, 100)


@given(THIRTY_TWO, st.lists(st.integers(0, 70), max_size=30))
def test_the_stream_is_contiguous_however_it_is_read(key, sizes):
    stream = OutcomeStream(key)
    assert b"".join(stream.read(size) for size in sizes) == plain_stream(key, sum(sizes))


@given(THIRTY_TWO)
def test_counters_past_the_prepared_ones_continue_the_stream(key):
    stream = OutcomeStream(key)
    stream.read(16 * 32 - 5)
    assert stream.read(80) == plain_stream(key, 16 * 32 + 75)[-80:]


@given(THIRTY_TWO, st.lists(st.integers(1, 2**64), max_size=40))
def test_uniform_follows_the_rejection_rule(key, bounds):
    stream = OutcomeStream(key)
    data = bytearray(plain_stream(key, 20_000))
    assert [stream.uniform(n) for n in bounds] == [plain_uniform(data, n) for n in bounds]


@pytest.mark.parametrize(
    ("n", "size", "mask"),
    [
        (1, 0, 0),
        (2, 1, 1),
        (37, 1, 63),
        (256, 1, 255),
        (257, 2, 511),
        (65536, 2, 65535),
        (2**64, 8, 2**64 - 1),
    ],
)
def test_the_bytes_and_mask_of_a_bound_are_minimal(n, size, mask):
    assert uniform_constants(n) == (n, size, mask)


def test_a_bound_of_one_consumes_nothing():
    stream = OutcomeStream(b"k" * 32)
    assert stream.uniform(1) == 0
    assert stream.read(5) == plain_stream(b"k" * 32, 5)


@pytest.mark.parametrize("n", [0, -1, 2**64 + 1, 2**80])
def test_a_bound_outside_one_to_two_to_the_64_is_refused(n):
    with pytest.raises(ValueError, match="uniform bound"):
        OutcomeStream(b"k" * 32).uniform(n)


@pytest.mark.parametrize("n", [2, 3, 5, 37, 128, 200, 255, 256])
def test_each_value_below_a_one_byte_bound_is_hit_by_equally_many_first_bytes(n):
    _, size, mask = uniform_constants(n)
    assert size == 1
    hits = Counter(byte & mask for byte in range(256) if byte & mask < n)
    assert set(hits) == set(range(n))
    assert len(set(hits.values())) == 1


@pytest.mark.parametrize("length", [0, 31, 33])
def test_keys_and_secrets_of_another_length_are_refused(length):
    with pytest.raises(MalformedError, match="draw key"):
        OutcomeStream(b"k" * length)
    with pytest.raises(MalformedError, match="slot secret"):
        draw_key(b"s" * length, b"D" * 32, 0, b"", "base", b"")
    with pytest.raises(MalformedError, match="commit hash"):
        draw_key(b"s" * 32, b"D" * length, 0, b"", "base", b"")


@pytest.mark.parametrize("length", [1, 15, 65, 1000])
def test_client_seeds_too_short_or_too_long_are_refused(length):
    with pytest.raises(MalformedError, match=f"client seed: {length} bytes, expected 0 or 16 to 64"):
        draw_key(b"s" * 32, b"D" * 32, 0, b"", "base", b"c" * length)


def test_a_beacon_of_another_length_and_a_program_id_beyond_ascii_are_refused():
    with pytest.raises(MalformedError, match="beacon"):
        DrawKeyDeriver(b"D" * 32, b"B" * 16, "base")
    with pytest.raises(MalformedError, match="program id"):
        DrawKeyDeriver(b"D" * 32, b"", "básé")


def step_of(described):
    match described["step"]:
        case "uniform":
            return Uniform(int(described["n"]), described["count"])
        case "weighted":
            return Weighted(tuple(int(weight) for weight in described["weights"]), described["count"])
        case "sample":
            return Sample(described["n"], described["m"])
        case "shuffle":
            return Shuffle(described["n"])
        case "reels":
            weights = described.get("weights")
            return Reels(
                tuple(tuple(strip) for strip in described["strips"]),
                weights and tuple(tuple(int(weight) for weight in stops) for stops in weights),
            )
    raise AssertionError(described)


@pytest.mark.parametrize("path", VECTORS, ids=[path.stem for path in VECTORS])
def test_the_frozen_vectors_are_reproduced(path):
    for vector in json.loads(path.read_text()):
        deriver = DrawKeyDeriver(
            bytes.fromhex(vector["commit_hash"]), bytes.fromhex(vector["beacon"]), vector["program_id"]
        )
        secret, slot = bytes.fromhex(vector["secret"]), int(vector["slot"])
        seed = bytes.fromhex(vector["client_seed"])
        key = bytes.fromhex(vector["draw_key"])
        assert deriver.draw_key(secret, slot, seed) == key
        assert hmac.digest(secret, bytes.fromhex(vector["message"]), "sha256") == key
        blocks = b"".join(bytes.fromhex(block) for block in vector["blocks"])
        assert blocks == plain_stream(key, len(blocks))
        stream = deriver.outcome_stream(secret, slot, seed)
        outcome = compile_program([step_of(step) for step in vector["steps"]]).derive(stream)
        assert [str(value) for value in outcome] == vector["outcome"]
        assert stream.read(32) == plain_stream(key, vector["consumed"] + 32)[vector["consumed"] :]


def test_the_vector_files_are_what_the_script_writes():
    script = TESTS / "tools" / "make_outcome_vectors.py"
    result = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert len(VECTORS) >= 13


def test_the_mapping_imports_nothing_of_the_server_side():
    code = (
        "import sys, rng_service.outcome, rng_service.games\n"
        "bad = {'grpc', 'sqlalchemy', 'numpy', 'google', 'cryptography'} & set(sys.modules)\n"
        "sys.exit(repr(bad) if bad else 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
