"""`sealdraw stats run`: its batteries, plans and reports, what it refuses, and Ctrl-C in a real process."""

import io
import json
import os
import signal
import subprocess
import sys
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from rng_service.cli.interrupts import undisturbed
from rng_service.cli.main import run
from rng_service.games import load_game
from rng_service.outcome.derivation import OutcomeStream
from rng_service.records.export import ExportHeader, draw_line, write_export
from rng_service.statistics.plans import PlannedLook, StatisticsPlan
from stats_tests.weakness import WEAKNESS

GAMES = Path(__file__).resolve().parents[3] / "games"
WHEEL = GAMES / "european-roulette.json"


def call(*arguments):
    errors = io.StringIO()
    return run(["stats", "run", *map(str, arguments)], errors=errors), errors.getvalue()


@pytest.fixture
def good(tmp_path):
    file = tmp_path / "good.bin"
    file.write_bytes(np.random.default_rng(2026).bytes(60_000))
    return file


@pytest.fixture
def wheel(tmp_path):
    program = load_game(WHEEL).program("base")
    file = tmp_path / "wheel.csv"
    drawn = (program.outcome.derive(OutcomeStream(sha256(b"draw %d" % number).digest())) for number in range(3_000))
    file.write_text("".join(f"{pocket}\n" for (pocket,) in drawn))
    return file


def plan_file(tmp_path, battery="nist", looks=(2, 4), **unit):
    spends = [Fraction(1, 20_000)] * len(looks)
    plan = StatisticsPlan(battery, looks=tuple(map(PlannedLook, looks, spends)), **unit)
    file = tmp_path / "plan.json"
    file.write_bytes(plan.to_bytes())
    return file, plan


def test_weakness_has_the_shape_of_the_contract(good, capsys):
    assert call(good, "--battery", "weakness", "--json") == (0, "")
    shown = json.loads(capsys.readouterr().out)
    (sequence,) = shown["sequences"]
    assert (sequence["index"], sequence["bits"]) == (0, 480_000)
    assert len(sequence["tests"]) == len(WEAKNESS) + 1
    assert all(set(test) == {"name", "p_values", "reason"} for test in sequence["tests"])
    assert shown["second_level"] == []
    assert shown["verdict"] == "pass"


def test_gaming_has_the_shape_of_the_contract_and_names_lists(wheel, capsys):
    assert call(wheel, "--game", WHEEL, "--json") == (0, "")
    shown = json.loads(capsys.readouterr().out)
    assert (shown["battery"], shown["game"], shown["program"]) == ("gaming", "european-roulette", "base")
    assert shown["outcomes"] == 3_000
    (sequence,) = shown["sequences"]
    assert sequence["bits"] == wheel.stat().st_size * 8
    assert len(sequence["tests"]) == len(shown["tests"])
    assert len({test["name"] for test in sequence["tests"]}) == len(sequence["tests"])
    assert all(test["lists"] for test in shown["tests"])
    named = {test["name"]: test["lists"] for test in shown["tests"]}
    assert named["gap"] == ["older fifteen-test list, e.g. 58 Pa. Code §810a.5(c)"]
    assert named["chi-square"] == [
        "GLI-11/GLI-19 §3.2.2 (2020)",
        "older fifteen-test list, e.g. 58 Pa. Code §810a.5(c)",
    ]


def test_all_over_bits_is_one_family_with_one_verdict(good, capsys):
    figures = {}
    for battery in ("nist", "weakness", "all"):
        assert call(good, "--battery", battery, "--bits", "100000", "--json") == (0, "")
        figures[battery] = json.loads(capsys.readouterr().out)
    together = figures["all"]
    assert len(together["sequences"]) == 4
    assert together["sequences"] == figures["nist"]["sequences"]
    assert together["second_level"] == figures["nist"]["second_level"]
    assert together["tests"] == figures["weakness"]["tests"]
    assert together["decision"]["hypotheses"] == sum(
        figures[battery]["decision"]["hypotheses"] for battery in ("nist", "weakness")
    )


def test_all_with_a_game_is_gaming(wheel, capsys):
    assert call(wheel, "--battery", "all", "--game", WHEEL) == (0, "")
    shown = capsys.readouterr().out
    assert shown.startswith("3,000 outcomes of european-roulette, program base, battery gaming\n")
    assert "GLI's seven, the fifteen" in shown


def test_a_stream_that_repeats_fails_for_weakness_although_nist_sees_nothing(tmp_path, capsys):
    file = tmp_path / "repeats.bin"
    file.write_bytes(np.random.default_rng(1).bytes(25_000) * 2)
    assert call(file, "--battery", "nist", "--bits", "200000")[0] == 0
    assert call(file, "--battery", "all", "--bits", "200000")[0] == 1
    assert "duplicates, whole stream" in capsys.readouterr().out


def test_a_wheel_without_a_pocket_fails(tmp_path, wheel, capsys):
    file = tmp_path / "off.csv"
    file.write_text(wheel.read_text().replace("\n36\n", "\n35\n"))
    assert call(file, "--game", WHEEL)[0] == 1
    assert "\nverdict: fail" in capsys.readouterr().out


def test_a_plan_that_is_passed_at_once_reads_no_further(good, tmp_path, capsys):
    file, plan = plan_file(tmp_path, bits=100_000)
    assert call(good, "--plan", file, "--json", "--report", tmp_path / "report") == (0, "")
    shown = json.loads(capsys.readouterr().out)
    assert len(shown["sequences"]) == 2
    assert [look["sequences"] for look in shown["looks"]] == [2]
    assert shown["plan"] == plan.digest.hex()
    document = json.loads((tmp_path / "report/statistics.json").read_bytes())
    assert document["plan"] == plan.digest.hex()
    assert document["source"]["bytes"] == 25_000
    assert document["source"]["sha256"] == sha256(good.read_bytes()[:25_000]).hexdigest()


def test_a_plan_that_outlasts_the_input_gives_no_verdict_and_status_2(good, tmp_path, capsys):
    file, _ = plan_file(tmp_path, looks=(10, 20), bits=100_000)
    status, errors = call(good, "--plan", file, "--json")
    assert status == 2
    assert "the plan first looks at 10 sequences, and the input ended after 4" in errors
    shown = json.loads(capsys.readouterr().out)
    assert (shown["verdict"], shown["looks"], len(shown["sequences"])) == ("suspicious", [], 4)


@pytest.mark.parametrize("battery", ["weakness", "all"])
def test_plans_are_for_every_battery_over_bits(good, tmp_path, battery, capsys):
    file, _ = plan_file(tmp_path, battery="bits" if battery == "all" else battery, bits=100_000)
    assert call(good, "--plan", file, "--battery", battery) == (0, "")
    assert "look at 2 sequences: pass" in capsys.readouterr().out


def test_plans_are_for_outcomes_too(wheel, tmp_path, capsys):
    file, plan = plan_file(tmp_path, battery="gaming", looks=(2, 3), outcomes=1_000)
    assert call(wheel, "--plan", file, "--game", WHEEL) == (0, "")
    shown = capsys.readouterr().out
    assert shown.startswith("2,000 outcomes")
    assert f"plan: SHA-256 {plan.digest.hex()}" in shown
    assert call(wheel, "--plan", "default", "--game", WHEEL)[0] == 2  # which looks at 100,000 first


def test_a_report_is_written_with_digests_printed(good, tmp_path, capsys):
    directory = tmp_path / "not/there/yet"
    assert call(good, "--report", directory) == (0, "")
    shown = capsys.readouterr().out
    for name in ("statistics.json", "statistics.html"):
        data = (directory / name).read_bytes()
        assert f"{directory / name}  SHA-256 {sha256(data).hexdigest()}\n" in shown
    document = json.loads((directory / "statistics.json").read_bytes())
    assert document["source"]["description"] == "good.bin"
    assert document["source"]["sha256"] == sha256(good.read_bytes()).hexdigest()
    assert {test["name"] for test in document["tests"] if test["reason"]} >= {"serial", "random_excursions"}
    assert str(tmp_path).encode() not in (directory / "statistics.html").read_bytes()


def test_the_same_input_gives_the_same_report(good, tmp_path, capsys):
    reports = []
    for name in ("one", "two"):
        assert call(good, "--report", tmp_path / name, "--battery", "all", "--json") == (0, "")
        reports.append(json.loads(capsys.readouterr().out)["report"])
    assert [file["sha256"] for file in reports[0].values()] == [file["sha256"] for file in reports[1].values()]
    assert set(reports[0]) == {"json", "html"}


def test_a_pdf_without_the_extra_names_it_before_the_run(good, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "fpdf", None)
    status, errors = call(good, "--report", tmp_path / "report", "--pdf")
    assert status == 2
    assert errors == "sealdraw: this command needs fpdf: pip install 'sealdraw[pdf]'\n"
    assert capsys.readouterr().out == ""


def test_a_pdf_is_written_when_asked_for(good, tmp_path, capsys):
    pytest.importorskip("fpdf", reason="the extra pdf is not installed")
    assert call(good, "--report", tmp_path, "--pdf", "--json") == (0, "")
    shown = json.loads(capsys.readouterr().out)["report"]["pdf"]
    assert sha256((tmp_path / "statistics.pdf").read_bytes()).hexdigest() == shown["sha256"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--battery", "gaming"), "needs --game FILE"),
        (("--beside", "x.json"), "--beside means nothing to the battery nist"),
        (("--outcomes", "5", "--battery", "all"), "--outcomes means nothing to the battery all"),
        (("--game", WHEEL, "--bits", "100"), "--bits means nothing to the battery gaming"),
        (("--battery", "weakness", "--game", WHEEL), "--game means nothing to the battery weakness"),
        (("--plan", "default", "--sequences", "5"), "leave out --sequences"),
        (("--pdf",), "--pdf needs --report DIR"),
    ],
)
def test_options_that_contradict_each_other_are_refused(good, capsys, arguments, said):
    status, errors = call(good, *arguments)
    assert status == 2
    assert said in errors
    assert errors.count("\n") == 1
    assert capsys.readouterr().out == ""


def test_a_plan_of_another_battery_or_length_is_refused(good, tmp_path):
    file, _ = plan_file(tmp_path, battery="weakness", bits=100_000)
    assert "a plan for the battery weakness, and this is a run of nist" in call(good, "--plan", file)[1]
    file, _ = plan_file(tmp_path, bits=100_000)
    assert "plans sequences of 100000 bits" in call(good, "--plan", file, "--bits", "5000")[1]
    file.write_bytes(file.read_bytes() + b"\n")
    status, errors = call(good, "--plan", file)
    assert status == 2
    assert str(file) in errors
    assert call(good, "--plan", tmp_path / "none.json")[0] == 2


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "there are no outcomes"),
        (b"1\n2\n37,NaN\n", "line 3: expected integers"),
        (b"\x00\x01\x02\xff\n", "line 1 is not text of integers"),
        (b"99\n99\n", "not one outcome is possible in this game"),
        (b"1,2\n3\n[4]\n", "line 3: expected integers"),
    ],
)
def test_outcomes_that_cannot_be_used_are_one_line(tmp_path, capsys, data, said):
    file = tmp_path / "outcomes"
    file.write_bytes(data)
    status, errors = call(file, "--game", WHEEL, "--json")
    assert status == 2
    assert said in errors
    assert errors.count("\n") == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("data", [b"", b"0101\n"])
@pytest.mark.parametrize("battery", ["weakness", "all"])
def test_bytes_that_cannot_be_used_are_one_line(tmp_path, capsys, data, battery):
    file = tmp_path / "bytes"
    file.write_bytes(data)
    status, errors = call(file, "--battery", battery)
    assert status == 2
    assert errors.count("\n") == 1
    assert str(file) in errors
    assert capsys.readouterr().out == ""


def test_too_few_bytes_for_anything_say_so(tmp_path):
    file = tmp_path / "short"
    file.write_bytes(b"\x80\x01\xff")
    assert "24 bits are too few for every test" in call(file)[1]
    status, errors = call(file, "--battery", "weakness")
    assert status == 2
    assert "no test was applicable" in errors


def test_games_that_cannot_be_used_are_one_line(tmp_path, wheel):
    assert call(wheel, "--game", tmp_path / "none.json")[0] == 2
    assert "program" in call(wheel, "--game", WHEEL, "--program", "nope")[1]
    assert "sealdraw verify" in call(wheel, "--game", GAMES / "pull-tab.json")[1]
    assert "only an export" in call(wheel, "--game", WHEEL, "--beside", GAMES / "dice-99.json")[1]
    bad = tmp_path / "bad.json"
    bad.write_bytes(b"{")
    status, errors = call(wheel, "--game", bad)
    assert (status, errors.count("\n")) == (2, 1)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_one_line(good):
    good.chmod(0)
    status, errors = call(good)
    assert (status, errors.count("\n")) == (2, 1)


def test_a_report_that_cannot_be_written_is_refused_before_the_run(good, tmp_path, capsys):
    status, errors = call(good, "--report", good)
    assert (status, errors.count("\n")) == (2, 1)
    assert str(good) in errors
    assert capsys.readouterr().out == ""


def test_only_so_many_outcomes_are_read(wheel, capsys):
    assert call(wheel, "--game", WHEEL, "--outcomes", "1500") == (0, "")
    assert "note: only the first 1,500 outcomes were looked at; the input goes on" in capsys.readouterr().out


def test_an_export_is_asked_about_pools_and_other_games_beside_it(tmp_path, capsys):
    """Two games whose slots share their secrets: each is perfect, and together they fail."""
    games = {
        name: load_game(GAMES / f"{name}.json").program("base") for name in ("european-roulette", "american-roulette")
    }
    lines = []
    for slot in range(1_500):
        secret = sha256(b"shared %d" % slot).digest()
        for name, program in games.items():
            binding = {"bind_time": slot, "caller": "a", "pool": f"dev/{name}/1/base/real/0/1", "slot": slot}
            record = json.dumps({"binding": binding}, separators=(",", ":")).encode()
            lines.append(draw_line(0, record, program.outcome.derive(OutcomeStream(secret)), None))
    file = tmp_path / "export.jsonl"
    with file.open("wb") as stream:
        write_export(stream, ExportHeader(origin="example.org/dev", from_digest=0, to_digest=0, complete=True), lines)
    assert call(file, "--game", WHEEL) == (0, "")
    assert "1,500 outcomes of european-roulette" in capsys.readouterr().out
    beside = f"{GAMES / 'american-roulette.json'}:base"
    status, errors = call(file, "--game", WHEEL, "--beside", beside, "--report", tmp_path / "report")
    assert (status, errors) == (1, "")
    assert "interplay between records, beside american-roulette, program base (real)" in capsys.readouterr().out
    facts = json.loads((tmp_path / "report/statistics.json").read_bytes())["source"]["facts"]
    assert {"name": "beside", "value": "american-roulette version 1, program base"} in facts


def started(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "rng_service.cli.main", "stats", "run", *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize(("jobs", "batches"), [(1, 1), (2, 4)])
def test_ctrl_c_prints_and_reports_what_is_finished(tmp_path, jobs, batches):
    """The process waits for more input when it is interrupted; a batch of eight sequences is done, and said to be."""
    with started("-", "--json", "--jobs", jobs, "--report", tmp_path) as process:
        # Results come when each worker has two batches; of the next batch there is one byte.
        process.stdin.write(np.random.default_rng(1).bytes(8 * 125_000 * batches + 1))
        process.stdin.flush()
        head = process.stdout.readline()
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, errors = process.stdout.read(), process.stderr.read()
        process.stdin.close()
        assert process.wait() == 130, errors
    shown = json.loads(head + first + rest)
    assert shown["interrupted"] is True
    done = len(shown["sequences"])
    assert done >= 1
    assert shown["notes"] == [f"interrupted after {done:,} sequences; the verdict is about these alone"]
    assert errors == b""
    document = json.loads((tmp_path / "statistics.json").read_bytes())
    assert document["verdict"] == "interrupted"
    assert document["sequences"] == done
    assert document["looks"] == []
    assert b"Verdict: Interrupted" in (tmp_path / "statistics.html").read_bytes()


def test_a_pipe_that_ends_inside_a_sequence_is_tested_as_far_as_it_goes():
    with started("-", "--json", "--bits", "100000", "--sequences", "4") as process:
        out, errors = process.communicate(np.random.default_rng(1).bytes(30_001))
    assert process.returncode == 2
    assert b"the input ended after 2 of 4 sequences" in errors
    assert len(json.loads(out)["sequences"]) == 2


def test_what_must_not_be_left_half_done_is_finished_first():
    done = []

    def work():
        with undisturbed():
            signal.raise_signal(signal.SIGINT)
            done.append("all of it")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["all of it"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
