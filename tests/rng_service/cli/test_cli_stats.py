"""`sealdraw stats run`: verdicts as exit statuses, JSON by the contract, and input that cannot be used."""

import io
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from rng_service.cli import stats_run as module
from rng_service.cli.main import run
from rng_service.statistics import bits as examined
from stats_tests import nist
from stats_tests.nist import SUITE

VECTORS = Path(__file__).resolve().parents[2] / "vectors/sp800-22"


def call(*arguments):
    errors = io.StringIO()
    return run(["stats", "run", *map(str, arguments)], errors=errors), errors.getvalue()


@pytest.fixture
def good(tmp_path):
    file = tmp_path / "good.bin"
    file.write_bytes(np.random.default_rng(2026).integers(0, 256, 12_500, dtype=np.uint8).tobytes())
    return file


def test_json_has_the_shape_of_the_contract(capsys):
    assert call(VECTORS / "e.1e6.bin", "--json", "--mode", "nist-2.1.2") == (0, "")
    shown = json.loads(capsys.readouterr().out)
    assert set(shown) == {
        "battery", "mode", "bits", "sequences", "second_level", "tests", "looks", "verdict", "decision", "interrupted",
        "notes",
    }  # fmt: skip
    (sequence,) = shown["sequences"]
    assert (sequence["index"], sequence["bits"]) == (0, 1_000_000)
    assert [test["name"] for test in sequence["tests"]] == [test.name for test in SUITE]
    assert all(set(test) == {"name", "p_values", "reason"} for test in sequence["tests"])
    assert sequence["tests"][0]["p_values"] == [pytest.approx(0.953749, abs=1e-6)]
    assert sum(len(test["p_values"]) for test in sequence["tests"]) == 188
    assert len(shown["second_level"]) == 188
    assert shown["verdict"] == "pass"


def test_skipped_tests_are_null_with_a_reason(good, capsys):
    assert call(good, "--json") == (0, "")
    tests = {test["name"]: test for test in json.loads(capsys.readouterr().out)["sequences"][0]["tests"]}
    assert tests["universal"]["p_values"] == [None]
    assert tests["universal"]["reason"] == "needs at least 387840 bits, and there are 100000"
    assert tests["rank"]["reason"] is None


def test_several_sequences_share_one_object(good, capsys):
    assert call(good, "--json", "--bits", "20000") == (0, "")
    shown = json.loads(capsys.readouterr().out)
    assert [sequence["index"] for sequence in shown["sequences"]] == [0, 1, 2, 3, 4]


def test_the_table_names_every_test_and_what_was_skipped(good, capsys):
    assert call(good, "--bits", "30000") == (0, "")
    shown = capsys.readouterr().out
    assert shown.startswith("3 sequences, battery nist, mode exact, 30,000 bits a sequence\n")
    assert all(f"\n{test.name} " in shown for test in SUITE)
    assert "universal: not applicable to 3 of 3: needs at least 387840 bits, and there are 30000" in shown
    assert "note: the last 10,000 bits are too few for a sequence and were not tested" in shown
    assert "\nverdict: pass  (" in shown


def test_a_bad_source_fails_with_status_1(tmp_path, capsys):
    file = tmp_path / "bad.bin"
    file.write_bytes(bytes(range(256)) * 500)
    assert call(file) == (1, "")
    assert "\nverdict: fail  (" in capsys.readouterr().out


def test_standard_input_is_read(good, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(good.read_bytes())))
    assert call("-", "--json", "--jobs", "2", "--bits", "50000") == (0, "")
    assert len(json.loads(capsys.readouterr().out)["sequences"]) == 2


def test_a_stream_that_ends_early_keeps_what_was_tested_and_says_so(good, capsys):
    status, errors = call(good, "--json", "--bits", "40000", "--sequences", "5")
    assert status == 2
    assert "ended after 2 of 5 sequences" in errors
    shown = json.loads(capsys.readouterr().out)
    assert len(shown["sequences"]) == 2
    assert shown["notes"] == [
        "the input ended after 2 of 5 sequences; the verdict is about these alone",
        "the last 20,000 bits are too few for a sequence and were not tested",
    ]


@pytest.mark.parametrize(
    ("data", "options", "said"),
    [
        (b"", (), "the input is empty"),
        (b"01100101\n" * 40, (), "is text, the digits 0 and 1"),
        (b"\xff" * 10, (), "80 bits are too few for every test; the first needs at least 100 bits"),
        (b"\xff" * 100, ("--bits", "801"), "ends after 800 bits"),
        (b"\xff" * 100, ("--bits", "99999999999"), "from 1 to"),
    ],
)
@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_input_that_cannot_be_used_is_one_line_and_status_2(tmp_path, capsys, data, options, said, as_json):
    file = tmp_path / "input"
    file.write_bytes(data)
    status, errors = call(file, *options, *as_json)
    assert status == 2
    assert said in errors
    assert str(file) in errors
    assert errors.count("\n") == 1
    assert capsys.readouterr().out == ""


def test_a_missing_file_and_a_directory_are_named(tmp_path):
    assert call(tmp_path / "none")[0] == 2
    assert str(tmp_path) in call(tmp_path)[1]


def test_interrupting_prints_what_is_finished(good, capsys, monkeypatch):
    def interrupted(reader, **options):
        yield from nist.run_batch(reader.read(2))
        raise KeyboardInterrupt

    monkeypatch.setattr(examined, "run_stream", interrupted)
    assert call(good, "--json", "--bits", "20000") == (130, "")
    shown = json.loads(capsys.readouterr().out)
    assert len(shown["sequences"]) == 2
    assert shown["notes"] == ["interrupted after 2 sequences; the verdict is about these alone"]
    assert shown["interrupted"] is True


def test_interrupting_at_once_prints_no_verdict(good, capsys, monkeypatch):
    def interrupted(reader, **options):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(examined, "run_stream", interrupted)
    assert call(good) == (130, "")
    assert capsys.readouterr().out == ""


def test_progress_is_shown_with_and_without_a_known_total(good, monkeypatch, capsys):
    drawn = []

    class Bar:
        def __init__(self, label):
            self.label = label

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def update(self, done, total, note=""):
            drawn.append((done, total, note))

    monkeypatch.setattr(module, "ProgressBar", Bar)
    assert call(good, "--bits", "20000")[0] == 0
    assert drawn == [(0, 5, "sequences"), (5, 5, "sequences")]
    drawn.clear()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(good.read_bytes())))
    assert call("-", "--bits", "20000")[0] == 0
    assert drawn == [(0, 0, "0 sequences"), (5, 0, "5 sequences")]


def test_without_numpy_the_command_says_what_to_install(good):
    program = textwrap.dedent(f"""
        import io, sys

        class Blocked:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in ("numpy", "scipy"):
                    raise ModuleNotFoundError(f"blocked {{name}}", name=name)

        sys.meta_path.insert(0, Blocked())
        from rng_service.cli.main import run
        errors = io.StringIO()
        assert run(["stats", "--help"], errors=errors) == 0
        assert run(["stats", "run", {str(good)!r}], errors=errors) == 2
        assert "this command needs numpy: pip install 'sealdraw[stats]'" in errors.getvalue(), errors.getvalue()
    """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
