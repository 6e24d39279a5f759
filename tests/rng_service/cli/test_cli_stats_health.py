"""`sealdraw stats health`: verdicts as exit statuses, what it prints, and input that cannot be samples."""

import io
import json
import sys

import numpy as np
import pytest

from rng_service.cli import stats_health as module
from rng_service.cli.main import run


def call(*arguments):
    errors = io.StringIO()
    return run(["stats", "health", *map(str, arguments)], errors=errors), errors.getvalue()


def noise(size, symbols=256, seed=1):
    return np.random.Generator(np.random.PCG64(seed)).integers(0, symbols, size).astype(np.uint8).tobytes()


@pytest.fixture
def sample_file(tmp_path):
    def write(samples):
        file = tmp_path / "noise.bin"
        file.write_bytes(samples)
        return file

    return write


def test_a_good_source_passes_and_is_estimated(sample_file, capsys):
    assert call(sample_file(noise(20_000)), "--json") == (0, "")
    shown = json.loads(capsys.readouterr().out)
    assert shown["verdict"] == "pass"
    assert (shown["samples"], shown["symbol_bits"], shown["claimed_min_entropy"]) == (20_000, 8, 7.0)
    assert [(test["name"], test["cutoff"], test["window"], test["result"]) for test in shown["tests"]] == [
        ("start-up", None, 1024, "pass"),
        ("repetition-count", 6, None, "pass"),
        ("adaptive-proportion", 22, 512, "pass"),
    ]
    assert len(shown["estimates"]["bits"]) == 10
    assert 4 < shown["estimates"]["min_entropy"] < 8
    assert "the estimates rest on 20,000 samples; the publication asks for 1,000,000" in shown["notes"]


def test_it_says_that_a_generator_proves_nothing_about_its_seed(sample_file, capsys):
    assert call(sample_file(noise(2_000)))[0] == 0
    assert "they prove nothing about the seed" in capsys.readouterr().out


def test_a_source_that_sticks_fails_with_the_place(sample_file, capsys):
    stuck = noise(3_000) + bytes([7]) * 50 + noise(3_000)
    assert call(sample_file(stuck), "--json") == (1, "")
    shown = json.loads(capsys.readouterr().out)
    assert shown["failure"] == {
        "test": "repetition-count",
        "position": 3_005,
        "message": "the value 0x07 came 6 times in a row",
    }
    assert [test["result"] for test in shown["tests"]] == ["pass", "fail", "pass"]
    assert shown["estimates"]["samples"] == 6_050


def test_a_source_that_is_bad_from_the_beginning_fails_the_start_up_test(sample_file, capsys):
    assert call(sample_file(bytes(2_000)))[0] == 1
    shown = capsys.readouterr().out
    assert "start-up" in shown
    assert "verdict: fail" in shown
    assert "all samples are equal: there is no entropy" in shown


def test_cutoffs_follow_width_claim_and_rate(sample_file, capsys):
    file = sample_file(noise(3_000, 2))
    assert call(file, "--symbol-bits", 1, "--min-entropy", "1", "--alpha", "2^-20", "--json") == (0, "")
    tests = json.loads(capsys.readouterr().out)["tests"]
    assert [(test["cutoff"], test["window"]) for test in tests] == [(None, 1024), (21, None), (589, 1024)]


def test_an_estimate_below_the_claim_is_said(sample_file, capsys):
    samples = sample_file(noise(5_000, 4))
    assert call(samples, "--symbol-bits", 2, "--min-entropy", "1.999")[0] == 0
    assert "is below the claim" in capsys.readouterr().out
    assert call(samples, "--symbol-bits", 2)[0] == 0
    assert "is below the claim" not in capsys.readouterr().out


def test_only_the_first_million_samples_are_estimated_and_all_are_tested(sample_file, capsys, monkeypatch):
    monkeypatch.setattr(module, "_ESTIMATED_SAMPLES", 4_000)
    monkeypatch.setattr(module, "_BLOCK_BYTES", 1_500)
    assert call(sample_file(noise(50_000)), "--json") == (0, "")
    shown = json.loads(capsys.readouterr().out)
    assert shown["samples"] == 50_000
    assert shown["estimates"]["samples"] == 4_000


def test_samples_come_from_a_pipe_that_gives_them_slowly(monkeypatch, capsys):
    class Pipe(io.BytesIO):
        def read(self, size=-1, /):
            return super().read(min(size, 100))

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Pipe(noise(5_000))))
    assert call("-", "--json") == (0, "")
    assert json.loads(capsys.readouterr().out)["samples"] == 5_000


def test_ctrl_c_shows_what_is_finished(sample_file, capsys, monkeypatch):
    def interrupted(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("stats_tests.entropy.assess", interrupted)
    assert call(sample_file(noise(5_000)), "--json") == (130, "")
    shown = json.loads(capsys.readouterr().out)
    assert (shown["interrupted"], shown["estimates"], shown["samples"]) == (True, None, 5_000)


@pytest.mark.parametrize(
    ("samples", "options", "message"),
    [
        (b"", (), "is empty; the start-up test alone takes 1,024"),
        (noise(1_023), (), "has 1,023 samples; the start-up test alone takes 1,024"),
        (b"0110" * 2_000, (), "the input is text"),
        (b"7f 3a 00\n" * 2_000, (), "the input is text"),
        ("für jeden Wert eine Zeile\n".encode() * 400, ("--symbol-bits", "8"), "the input is text"),
        (noise(4_000, 16) + b"\x10", ("--symbol-bits", "4"), "sample 4,000 is 0x10, which has more than 4 bits"),
        (noise(4_000), ("--symbol-bits", "9"), "9 is not in the range 1<=x<=8"),
        (noise(4_000), ("--alpha", "2^-41"), "expected 2^-20 to 2^-40"),
        (noise(4_000), ("--alpha", "0.001"), "expected 2^-20 to 2^-40"),
        (noise(4_000), ("--min-entropy", "8.1"), "a sample has more than 0 and at most 8 bits"),
        (noise(4_000), ("--min-entropy", "0"), "--min-entropy 0: a sample has more than 0 and at most 8 bits"),
        (noise(4_000), ("--min-entropy", "nan"), "expected bits a sample with up to three decimals"),
        (noise(4_000, 2), ("--symbol-bits", "1", "--min-entropy", "1.001"), "more than 0 and at most 1 bits"),
    ],
)
def test_input_that_cannot_be_used_is_refused_in_one_line(sample_file, capsys, samples, options, message):
    status, errors = call(sample_file(samples), *options)
    assert status == 2
    assert message in errors
    assert errors.count("\n") == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("samples", [b"A" * 3_000, bytes(range(33, 127)) * 40])
def test_printable_samples_without_words_or_lines_are_samples(sample_file, samples, capsys):
    assert call(sample_file(samples))[0] in {0, 1}
    assert "verdict" in capsys.readouterr().out


def test_a_file_that_is_not_there_is_named(tmp_path):
    status, errors = call(tmp_path / "none.bin")
    assert (status, "none.bin: No such file" in errors) == (2, True)
