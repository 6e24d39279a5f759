"""The runner's process: what it is given, what it can reach, and what it says."""

import json
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import pytest

from anchor.errors import MalformedError
from rng_service.statistics.built_in import BIT_PLANS, LEAST_OUTCOMES, MOST_OUTCOMES, outcome_plan
from rng_service.statistics.plans import PlannedLook, StatisticsPlan
from rng_service.statistics.runner_process import RunnerFailedError, RunnerProcess
from rng_service.statistics.runner_protocol import (
    ERROR,
    MAX_JOB_BYTES,
    MAX_PAYLOAD_BYTES,
    REPORT,
    Job,
    read_job,
    read_message,
    read_verdict,
    write_job,
    write_message,
)
from rng_service.statistics.runner_shapes import outcome_row, parse_shape, row_type, shape_document
from rng_service.statistics.runner_work import examine
from stats_tests import gaming

LINUX = sys.platform == "linux"
PLAN = StatisticsPlan(
    "bits", bits=1 << 17, looks=(PlannedLook(2, Fraction(1, 10_000)), PlannedLook(4, Fraction(1, 20_000)))
)
JOB = Job(3, "test-stream", PLAN.to_bytes(), "noise", (("generator", "made up"),))


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


def parts(data, size=4_096):
    return (data[at : at + size] for at in range(0, len(data), size))


@pytest.fixture(scope="module")
def conducted(tmp_path_factory):
    """One run with everything around it that must not get in: variables, descriptors, a listening socket, a vault."""
    vault = tmp_path_factory.mktemp("vault")
    (vault / "kek").mkdir(mode=0o700)
    secret = vault / "kek" / "00000001.key"
    secret.write_bytes(b"key material of nobody else")
    os.environ["SEALDRAW_VAULT_DIR"] = str(vault)
    held = os.open(secret, os.O_RDONLY)
    os.set_inheritable(held, True)
    try:
        with socket.create_server(("127.0.0.1", 0)), RunnerProcess(deadline_s=120) as runner:
            environment = Path(f"/proc/{runner.pid}/environ").read_bytes() if LINUX else b""
            isolation = runner.ready()
            files = [str(path.readlink()) for path in Path(f"/proc/{runner.pid}/fd").iterdir()] if LINUX else []
            answer = runner.conduct(JOB, parts(noise(1 << 20)))
    finally:
        os.close(held)
        del os.environ["SEALDRAW_VAULT_DIR"]
    return environment, isolation, files, answer, vault


def test_nothing_of_its_parents_environment_reaches_a_runner(conducted):
    environment, isolation, _, _, _ = conducted
    assert environment in {b"", b"\0"}
    assert (isolation["environment_empty"], isolation["environment"]) == ("yes", "")


def test_a_runner_has_three_descriptors_and_none_that_was_open_where_it_was_started(conducted):
    _, isolation, files, _, vault = conducted
    assert (isolation["descriptors_closed"], isolation["descriptors"]) == ("yes", "0 1 2")
    assert not [name for name in files if str(vault) in name]
    assert len(files) == 3 or not LINUX


@pytest.mark.skipif(not LINUX, reason="namespaces, seccomp and Landlock are Linux's")
def test_a_runner_reaches_no_network_and_no_file_wherever_one_measure_held(conducted):
    _, isolation, _, _, _ = conducted
    if "yes" in {isolation["network_namespace"], isolation["system_calls_filtered"]}:
        assert isolation["network_reachable"] == "no"
    if "yes" in {isolation["empty_root"], isolation["landlock"]}:
        assert isolation["files_readable"] == "no"
    assert isolation["no_new_privileges"] == isolation["no_core_dumps"] == "yes"


def test_nothing_of_a_vault_stands_in_what_a_runner_is_told_or_says(conducted):
    _, isolation, _, answer, vault = conducted
    for said in (JOB.to_bytes(), json.dumps(isolation).encode(), answer.report, answer.page):
        assert str(vault).encode() not in said
        assert b"key material" not in said


def test_a_runner_reports_its_run_with_what_isolated_it_and_takes_no_more_than_its_looks_need(conducted):
    _, isolation, _, answer, _ = conducted
    report = json.loads(answer.report)
    assert (report["run"], report["subject"], report["verdict"]) == (3, "test-stream", "pass")
    assert report["isolation"] == isolation
    assert report["plan"] == PLAN.digest.hex()
    assert report["source"]["bytes"] == 2 * (1 << 17) // 8
    # What filled the pipe on the way is all that came on top.
    assert answer.taken_bytes < 1 << 20
    assert answer.page.startswith(b"<!doctype html>")


def test_a_runner_that_nobody_started_by_the_rules_says_what_it_inherited(tmp_path):
    code = (
        "import os, json; os.environ['LEFT'] = 'x'; fd = os.open('/dev/null', 0);"
        "from rng_service.statistics.runner_isolation import give_up; print(json.dumps(give_up()))"
    )
    command = [sys.executable, "-I", "-B", "-c", code]
    done = subprocess.run(command, capture_output=True, check=True, cwd=tmp_path, env={}, timeout=60)
    found = json.loads(done.stdout)
    assert found["environment_empty"] == "1 variables were inherited"
    assert found["descriptors_closed"] == "1 were inherited"


def test_a_job_is_read_as_it_was_written():
    stream = BytesIO()
    opened = Job(9, "opened", PLAN.to_bytes(), "words", (("a", "b"),), [{"part": "shuffle", "n": "5"}])
    for job in (JOB, opened):
        stream = BytesIO()
        write_job(stream, job)
        stream.seek(0)
        assert read_job(stream) == job
        assert stream.read() == b""


@pytest.mark.parametrize(
    "change",
    [
        {"format": "another"},
        {"run": 0},
        {"run": "1"},
        {"subject": "vault"},
        {"shape": []},
        {"plan": 7},
        {"plan": "x" * 5_000},
        {"facts": [["one"]]},
        {"more": 1},
    ],
)
def test_a_job_that_is_none_is_refused(change):
    document = json.dumps({**json.loads(JOB.to_bytes()), **change}, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(MalformedError, match="job"):
        read_job(BytesIO(struct.pack(">I", len(document)) + document))


def test_a_job_that_is_too_long_is_refused_before_it_is_read():
    with pytest.raises(MalformedError, match="at most"):
        read_job(BytesIO(struct.pack(">I", MAX_JOB_BYTES + 1)))


def test_messages_are_bounded_and_errors_are_told_and_cut():
    stream = BytesIO()
    write_message(stream, ERROR, b"x" * 10_000)
    assert len(stream.getvalue()) == 5 + MAX_PAYLOAD_BYTES[ERROR]
    stream.seek(0)
    with pytest.raises(MalformedError, match="xxx"):
        read_message(stream, REPORT)
    with pytest.raises(ValueError, match="at most"):
        write_message(BytesIO(), REPORT, bytes(MAX_PAYLOAD_BYTES[REPORT] + 1))


@pytest.mark.parametrize(
    "data", [b"", b"R", b"R\0\0", b"R\0\0\0\5abcd", b"Z\0\0\0\0", b"P\0\0\0\0", b"R\xff\xff\xff\xff"]
)
def test_a_message_that_is_cut_short_unknown_or_another_one_is_refused(data):
    with pytest.raises(MalformedError, match="message of the runner"):
        read_message(BytesIO(data), REPORT)


@pytest.mark.parametrize(
    "report", [b"", b"[]", b"{}", b'{"verdict":"interrupted"}', b'{"verdict":1}', b"\xff", b"[" * 100_000]
)
def test_a_report_without_the_verdict_of_a_finished_run_is_refused(report):
    with pytest.raises(MalformedError, match="report of the runner"):
        read_verdict(report)


@pytest.mark.parametrize(
    "shape",
    [
        (gaming.Uniform(2**64, 3),),
        (gaming.Weighted((1, 2**63, 0), 2), gaming.WithoutReplacement(90, 6)),
        (gaming.Permutation(52), gaming.Stops((3, 4)), gaming.Stops((2, 2), ((1, 5), (2, 3)))),
    ],
)
def test_a_shape_is_read_as_it_was_written(shape):
    found = parse_shape(shape_document(gaming.OutcomeShape(shape)))
    assert shape_document(found) == shape_document(gaming.OutcomeShape(shape))
    assert found.width == gaming.OutcomeShape(shape).width


@pytest.mark.parametrize(
    "document",
    [[], [1], [{"part": "magic"}], [{"part": "shuffle", "n": 5}], [{"part": "uniform", "n": "0", "count": "1"}]],
)
def test_a_shape_that_is_none_is_refused(document):
    with pytest.raises(MalformedError, match="shape of outcomes"):
        parse_shape(document)


def opened_job(outcomes):
    shape = gaming.OutcomeShape((gaming.Uniform(6),))
    plan = StatisticsPlan("gaming", outcomes=outcomes, looks=(PlannedLook(1, Fraction(1, 10_000)),))
    return Job(1, "opened", plan.to_bytes(), "dice", shape=shape_document(shape))


def rolls(count, value=None):
    dice = random.Random(7)
    return b"".join(
        outcome_row(place % 3, place // 400, place % 2, [dice.randrange(6) if value is None else value])
        for place in range(count)
    )


def test_opened_outcomes_are_examined_by_caller_hour_and_pool():
    report = examine(opened_job(1_000), BytesIO(rolls(2_500)))
    assert (report.verdict, report.outcomes, report.source.size_bytes) == ("pass", 1_000, 1_000 * row_type(1).itemsize)
    assert {f"subsequences by {name}" for name in ("caller", "hour", "pool")} <= {test.name for test in report.tests}


def test_dice_that_always_show_the_same_fail():
    assert examine(opened_job(1_000), BytesIO(rolls(1_000, value=4))).verdict == "fail"


def test_data_that_end_before_the_first_look_or_inside_an_outcome_come_to_no_verdict():
    with pytest.raises(MalformedError, match="first looks"):
        examine(opened_job(1_000), BytesIO(rolls(999)))
    with pytest.raises(MalformedError, match="cut short"):
        examine(opened_job(1_000), BytesIO(rolls(1_000)[:-1]))


@pytest.mark.parametrize(("seed", "second"), [(75, "pass"), (25, "suspicious")])
def test_a_suspicious_look_takes_more_of_the_same_stream_as_the_plan_says(seed, second):
    # Perfect noise, a plan that is suspicious of every tenth source, and two of those.
    looks = (PlannedLook(2, Fraction(1, 10_000)), PlannedLook(4, Fraction(1, 20_000)))
    plan = StatisticsPlan("nist", bits=1 << 14, looks=looks, suspicious=Fraction(1, 10))
    report = examine(Job(1, "test-stream", plan.to_bytes(), "noise"), BytesIO(noise(1 << 14, seed)))
    found = [(look.sequences, str(look.decision.verdict)) for look in report.looks]
    assert found == [(2, "suspicious"), (4, second)]
    assert (report.verdict, report.source.size_bytes) == (second, 4 * (1 << 14) // 8)


def test_a_plan_about_something_else_than_the_data_is_refused():
    gaming_plan = outcome_plan(LEAST_OUTCOMES)
    assert gaming_plan is not None
    with pytest.raises(MalformedError, match="not about bits"):
        examine(Job(1, "test-stream", gaming_plan.to_bytes(), "x"), BytesIO())
    with pytest.raises(MalformedError, match="not about outcomes"):
        examine(Job(1, "opened", PLAN.to_bytes(), "x", shape=[{"part": "shuffle", "n": "5"}]), BytesIO())


def test_built_in_plans_fail_perfect_sources_at_most_once_in_ten_thousand_runs():
    for plan in (*BIT_PLANS.values(), outcome_plan(5_000)):
        assert plan is not None
        assert plan.error_rate <= Fraction(1, 10_000)
    assert outcome_plan(LEAST_OUTCOMES - 1) is None
    assert [plan.outcomes for plan in map(outcome_plan, (1_000, 1_999, 2_000, 10**9)) if plan] == [
        1_000,
        1_000,
        2_000,
        MOST_OUTCOMES,
    ]


def test_a_runner_that_cannot_be_started_is_a_failure_in_words():
    with pytest.raises(RunnerFailedError, match="could not be started"):
        RunnerProcess(deadline_s=1, command=("/nonexistent/python",))


def test_stopping_a_runner_ends_whoever_waits_for_it():
    with RunnerProcess(deadline_s=60, command=(sys.executable, "-I", "-c", "import time; time.sleep(60)")) as runner:
        runner.stop()
        with pytest.raises(RunnerFailedError, match="too early"):
            runner.ready()


CONFINED = """
import json, os, socket, sys
from rng_service.statistics import runner_isolation as isolation
if {forbidden}:
    isolation._unshare = isolation._change_root = lambda: "Operation not permitted"
found = isolation.give_up()
found |= isolation.close_file_system()
found |= isolation.verify_isolation()
def tried(what):
    try:
        what()
    except OSError as error:
        return type(error).__name__
    return "done"
found["parent"] = tried(lambda: os.kill(os.getppid(), 0))
found["vault socket"] = tried(lambda: socket.socket(socket.AF_UNIX).connect({path!r}))
found["vault file"] = tried(lambda: os.open({key!r}, os.O_RDONLY))
found["vault directory"] = tried(lambda: os.listdir({directory!r}))
found["other program"] = tried(lambda: os.execv(sys.executable, [sys.executable, "-c", ""]))
found["new file"] = tried(lambda: os.open("left", os.O_CREAT | os.O_WRONLY))
print(json.dumps(found))
"""


@pytest.mark.skipif(not LINUX, reason="namespaces, seccomp and Landlock are Linux's")
@pytest.mark.parametrize("forbidden", [False, True], ids=["with namespaces", "where namespaces are forbidden"])
def test_a_confined_process_reaches_neither_the_vaults_socket_nor_its_files_even_as_the_same_user(forbidden):
    with tempfile.TemporaryDirectory(prefix="sd-") as root:
        vault, scratch = Path(root) / "vault", Path(root) / "scratch"
        (vault / "kek").mkdir(parents=True)
        scratch.mkdir()
        key, path = vault / "kek" / "00000001.key", vault / "vault.sock"
        key.write_bytes(b"key material")
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
            listening.listen()
            code = CONFINED.format(forbidden=forbidden, path=str(path), key=str(key), directory=str(vault))
            command = [sys.executable, "-I", "-B", "-c", code]
            done = subprocess.run(command, capture_output=True, check=True, cwd=scratch, env={}, timeout=60)
        found = json.loads(done.stdout)
        if found["system_calls_filtered"] == "yes":
            assert found["network_reachable"] == "no"
            assert found["vault socket"] == found["other program"] == "PermissionError"
            assert (found["parent_reachable"], found["parent"]) == ("no", "PermissionError")
        if found["landlock"] == "yes":
            assert found["files_readable"] == "no"
            assert {found["vault file"], found["vault directory"]} <= {"PermissionError", "FileNotFoundError"}
            assert found["new file"] == "PermissionError"
        if forbidden:
            assert found["network_namespace"] == found["empty_root"] == "Operation not permitted"
        assert list(scratch.iterdir()) == []
