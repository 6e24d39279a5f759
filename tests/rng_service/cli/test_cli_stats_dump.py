"""`sealdraw stats dump` in every form, and what it does when a terminal, a Ctrl-C or a short answer comes between."""

import json
from hashlib import sha256

import pytest
from click.testing import CliRunner

from rng_service.cli import stats_dump, stats_status
from rng_service.cli.stats import stats

DATA = bytes(range(256)) * 4
SERVER = ("--server", "127.0.0.1:1")


@pytest.fixture
def served(monkeypatch):
    """Answer without a service: the data in parts that do not end where a number does."""

    def parts(_connection, bits):
        data = DATA[: bits // 8]
        for at in range(0, len(data), 10):
            yield (7, "test stream 1 of abc, epoch 2", data[at : at + 10]) if at == 0 else (0, "", data[at : at + 10])

    monkeypatch.setattr(stats_dump, "_parts", parts)


def run(*arguments):
    return CliRunner().invoke(stats, ["dump", *arguments, *SERVER], standalone_mode=False)


@pytest.mark.parametrize("name", ["raw", "practrand", "testu01"])
def test_binary_forms_are_the_bytes_as_they_come(served, tmp_path, name):
    path = tmp_path / "bits.bin"
    done = run("--bits", "8192", "--format", name, "-o", str(path))
    assert done.exception is None
    assert path.read_bytes() == DATA
    assert (
        f"dump 7: 1,024 bytes of test stream 1 of abc, epoch 2; SHA-256 of the raw bytes {sha256(DATA).hexdigest()}"
        in (done.stderr)
    )


def test_digits_are_bits_with_the_most_significant_of_each_byte_first(served, tmp_path):
    path = tmp_path / "bits.txt"
    run("--bits", "2048", "--format", "nist-ascii", "-o", str(path))
    digits = path.read_text().split()
    assert {len(line) for line in digits[:-1]} <= {64, 16}
    assert "".join(digits) == "".join(f"{value:08b}" for value in DATA[:256])


def test_the_form_of_dieharder_has_its_header_and_a_number_a_line(served, tmp_path):
    path = tmp_path / "words.txt"
    run("--bits", "4096", "--format", "dieharder", "-o", str(path))
    lines = path.read_text().splitlines()
    assert lines[3:6] == ["type: d", "count: 128", "numbit: 32"]
    assert all(line.startswith("#") for line in lines[:3])
    assert [int(line) for line in lines[6:]] == [int.from_bytes(DATA[at : at + 4], "little") for at in range(0, 512, 4)]


def test_standard_output_gets_the_bytes_and_nothing_else(served):
    done = run("--bits", "1024", "--format", "nist-ascii")
    assert set(done.stdout) <= set("01\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--bits", "0"), "0 is not in the range"),
        (("--bits", str((1 << 33) + 8)), "not in the range"),
        (("--bits", "12"), "8 bits each"),
        (("--bits", "48", "--format", "dieharder"), "32 bits each"),
        ((), "Missing option '--bits'"),
    ],
)
def test_sizes_that_cannot_be_are_refused_before_anything_is_asked_for(arguments, message):
    done = CliRunner().invoke(stats, ["dump", *arguments, *SERVER])
    assert done.exit_code == 2
    assert message in done.stderr


def test_binary_data_are_not_written_to_a_terminal(served, monkeypatch):
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _self: True, raising=False)
    done = CliRunner().invoke(stats, ["dump", "--bits", "64", *SERVER])
    assert done.exit_code == 2
    assert "help nobody" in done.stderr


def test_ctrl_c_leaves_no_file(monkeypatch, tmp_path):
    def parts(_connection, _bits):
        yield 7, "test stream", DATA
        raise KeyboardInterrupt

    monkeypatch.setattr(stats_dump, "_parts", parts)
    path = tmp_path / "bits.bin"
    done = run("--bits", "16384", "-o", str(path))
    assert done.return_value == 130
    assert list(tmp_path.iterdir()) == []


def test_an_answer_that_is_too_short_leaves_no_file_and_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(stats_dump, "_parts", lambda _connection, _bits: iter([(7, "test stream", DATA)]))
    done = CliRunner().invoke(stats, ["dump", "--bits", "16384", "-o", str(tmp_path / "bits.bin"), *SERVER])
    assert done.exit_code == 1
    assert "1024 bytes of 2048" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_older_file_stays_whole_while_a_dump_does_not_end(monkeypatch, tmp_path):
    path = tmp_path / "bits.bin"
    path.write_bytes(b"older")
    monkeypatch.setattr(stats_dump, "_parts", lambda _connection, _bits: iter([]))
    CliRunner().invoke(stats, ["dump", "--bits", "64", "-o", str(path), *SERVER])
    assert path.read_bytes() == b"older"


def listed(monkeypatch, *found):
    from contextlib import nullcontext

    from sealdraw.v1 import operator_pb2

    answer = operator_pb2.ListStatisticsRunsResponse(runs=[operator_pb2.StatisticsRun(**run) for run in found])
    monkeypatch.setattr(stats_status, "open_connection", lambda _connection: nullcontext(None))
    monkeypatch.setattr(stats_status, "call", lambda *_arguments: answer)
    monkeypatch.setattr("sealdraw.v1.operator_pb2_grpc.OperatorServiceStub", lambda _channel: Everything())


class Everything:
    ListStatisticsRuns = AcknowledgeStatistics = None


TESTED = {"run": 1, "purpose": "test", "subject": "test-stream", "begun_us": 1_790_000_000_000_000, "verdict": "pass"}
DUMPED = {"run": 2, "purpose": "dump", "subject": "test-stream", "begun_us": 1_790_000_000_000_000, "bits": 8_000}
FAILED = {**TESTED, "run": 3, "subject": "opened", "game_digest": bytes(32), "program": "base", "verdict": "fail"}


def test_runs_are_listed_with_what_they_were_about_and_came_to(monkeypatch):
    listed(monkeypatch, DUMPED, TESTED)
    done = CliRunner().invoke(stats, ["runs", *SERVER])
    assert done.exit_code == 0
    assert "dump of 8,000 bits" in done.stdout
    assert done.stdout.splitlines()[2].split() == ["1", "test", "stream", "2026-09-21", "14:13:20", "pass"]


def test_a_failure_that_nobody_has_seen_to_makes_the_status_one(monkeypatch):
    listed(monkeypatch, FAILED, TESTED)
    done = CliRunner().invoke(stats, ["runs", "--json", *SERVER], standalone_mode=False)
    assert done.return_value == 1
    assert json.loads(done.stdout)["unacknowledged"] == [3]
    listed(monkeypatch, {**FAILED, "acknowledged": True})
    done = CliRunner().invoke(stats, ["runs", *SERVER], standalone_mode=False)
    assert done.return_value is None
    assert "fail, acknowledged" in done.stdout


def test_an_acknowledgement_says_what_the_log_will(monkeypatch):
    listed(monkeypatch)
    done = CliRunner().invoke(stats, ["acknowledge", "3", "--reason", "memory-replaced", *SERVER])
    assert done.stdout == "run 3 is acknowledged: memory-replaced\n"
