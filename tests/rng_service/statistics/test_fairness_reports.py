"""Reports of fairness tests: one value, three forms; the page can be drawn again from the JSON, byte for byte."""

import json
import re
import sys
from hashlib import sha256
from math import inf
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from rng_service.statistics.looks import look_by_plan, look_once
from rng_service.statistics.making import make_report
from rng_service.statistics.outcome_tests import OutcomeExamination
from rng_service.statistics.outcomes import RecordedOutcomes
from rng_service.statistics.plans import PlannedLook, StatisticsPlan
from rng_service.statistics.report import (
    BINS,
    OutcomeCounts,
    Report,
    ReportedTest,
    Source,
    report_bytes,
    report_document,
)
from rng_service.statistics.report_charts import counts_plot, histogram_plot, quantile_plot, residual_plot
from rng_service.statistics.report_files import prepare_directory, write_report
from rng_service.statistics.report_page import report_page
from stats_tests.gaming import OutcomeShape, Uniform
from stats_tests.multiple import Hypothesis, decide

FORBIDDEN = re.compile(r"certif|unhackable|provably random", re.IGNORECASE)


def a_report(p_values=(0.3, 0.7), **changes):
    questions = tuple(Hypothesis(f"question[{index}]", value) for index, value in enumerate(p_values))
    decision = decide(questions)
    tested = ReportedTest(
        battery="nist",
        name="frequency",
        subject="each sequence",
        lists=("NIST SP 800-22 Rev. 1a",),
        asked=2,
        skipped=1,
        reason="<too> few bits",
        p_values=2,
        smallest=0.3,
        histogram=(0,) * (BINS - 1) + (2,),
        statistics={"chi_squared": inf, "counts": (1, 2)},
    )
    facts = {
        "source": Source(description="<b>file", size_bytes=1_000, sha256=sha256(b"x").digest(), facts=(("z", "1"), ("a", "2"))),
        "battery": "nist",
        "verdict": str(decision.verdict),
        "tests": (tested,),
        "hypotheses": questions,
        "decision": decision,
        "mode": "exact",
        "bits": 100,
        "sequences": 2,
        "notes": ("a <note>",),
        "software": (("sealdraw", "1"), ("numpy", "2")),
    }  # fmt: skip
    return Report(**(facts | changes))


class Noise:
    """Outcomes of a wheel with 37 pockets."""

    def up_to(self, count):
        rows = np.random.default_rng(3).integers(0, 37, (4_000, 1)).astype(np.uint64)
        return RecordedOutcomes(rows[:count])

    def beside(self):
        return []


def outcome_report(plan=None):
    examination = OutcomeExamination(Noise(), OutcomeShape((Uniform(37),)))
    conclusion = look_once([examination]) if plan is None else look_by_plan([examination], plan)
    source = Source(description="wheel.csv", size_bytes=1, sha256=bytes(32))
    return make_report([examination], conclusion, source=source, battery="gaming", plan=plan, run=7, subject="opened")


def test_the_document_states_what_the_log_says_of_a_run():
    plan = StatisticsPlan(
        "gaming", outcomes=1_000, looks=(PlannedLook(4, StatisticsPlan("nist", bits=100).looks[0].spend),)
    )
    document = json.loads(report_bytes(report_document(outcome_report(plan))))
    assert document["format"] == "sealdraw/statistics@v1"
    assert (document["run"], document["subject"], document["verdict"]) == (7, "opened", "pass")
    assert document["plan"] == plan.digest.hex()
    assert document["plan_document"] == json.loads(plan.to_bytes())
    assert [look["sequences"] for look in document["looks"]] == [4]
    assert document["outcomes"] == 4_000
    assert sum(document["counts"][0]["observed"]) == 4_000


def test_what_json_has_no_number_for_is_text():
    document = json.loads(report_bytes(report_document(a_report())))
    assert document["tests"][0]["statistics"] == {"chi_squared": "inf", "counts": [1, 2]}


def test_members_that_do_not_apply_are_left_out():
    document = report_document(a_report())
    assert not {"run", "plan", "plan_document", "outcomes"} & document.keys()
    assert document["hypotheses"][0] == {"label": "question[0]", "p_value": 0.3, "holm": 0.6, "benjamini_hochberg": 0.6}


@pytest.mark.parametrize("made", [a_report, outcome_report])
def test_the_page_is_drawn_again_from_the_json_byte_for_byte(made):
    document = report_document(made())
    assert report_page(json.loads(report_bytes(document))) == report_page(document)
    assert report_bytes(document) == report_bytes(report_document(made()))


@pytest.mark.parametrize(
    "made",
    [
        a_report(),
        outcome_report(),
        a_report((1e-9, 0.5)),
        a_report((0.004, 0.5)),
        a_report((0.0, 1.0)),
        a_report(verdict="interrupted"),
        a_report(hypotheses=(), decision=None, tests=(), verdict="interrupted"),
        a_report(tuple(np.linspace(0, 1, 1_500))),
    ],
)
def test_every_page_is_well_formed_escaped_and_fetches_nothing(made):
    text = report_page(report_document(made)).decode()
    body = text[text.index("<main>") : text.index("</main>") + len("</main>")]
    ET.fromstring(body)
    assert "<b>" not in text
    assert "<script" not in text
    assert not re.findall(r"(?:src|href|url)\s*[=(]", text)
    assert "default-src 'none'" in text
    assert "prefers-color-scheme:dark" in text
    assert not FORBIDDEN.search(text)
    assert "What this verdict does not say" in text


@pytest.mark.parametrize(
    ("p_values", "kind", "title"),
    [((0.3, 0.7), "good", "Pass"), ((0.004, 0.5), "second", "Suspicious"), ((1e-9, 0.5), "bad", "Fail")],
)
def test_the_verdict_comes_first(p_values, kind, title):
    text = report_page(report_document(a_report(p_values))).decode()
    assert f'<div class="banner {kind}"><strong>Verdict: {title}</strong>' in text
    assert text.index('<div class="banner') < text.index("What was tested")


def test_an_interrupted_run_says_that_it_decides_nothing():
    text = report_page(report_document(a_report(verdict="interrupted"))).decode()
    assert "Verdict: Interrupted" in text
    assert "decides nothing" in text


def test_what_was_not_applicable_stands_with_its_reason():
    text = report_page(report_document(a_report())).decode()
    assert '<td class="left">&lt;too&gt; few bits</td>' in text
    assert "1 of 2" in text


@pytest.mark.parametrize(("bits", "said"), [(99_999, True), (100_000, False)])
def test_coarse_p_values_of_short_sequences_are_said_to_be(bits, said):
    text = report_page(report_document(a_report(bits=bits))).decode()
    assert ("take few different values" in text) == said


def test_lists_are_named_test_by_test():
    text = report_page(report_document(outcome_report())).decode()
    assert "58 Pa. Code § 810a.5(c)" in text
    assert re.search(r'chi-square</td><td class="left">column 0</td><td class="left">GLI, fifteen</td>', text)
    assert re.search(r'anderson-darling</td><td class="left">column 0</td><td class="left">additional</td>', text)


def test_files_are_written_with_their_digests(tmp_path):
    written = write_report(tmp_path / "deep/er", a_report())
    assert [file.path.name for file in written] == ["statistics.json", "statistics.html"]
    assert all(sha256(file.path.read_bytes()).digest() == file.sha256 for file in written)


def test_a_pdf_has_the_same_bytes_every_time(tmp_path):
    pytest.importorskip("fpdf", reason="the extra pdf is not installed")
    (*_, one), (*_, other) = (write_report(tmp_path, outcome_report(), pdf=True) for _ in range(2))
    assert one.path.name == "statistics.pdf"
    assert one.sha256 == other.sha256
    assert one.path.read_bytes().startswith(b"%PDF-")


def test_without_the_extra_a_pdf_is_refused_before_the_run(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fpdf", None)
    with pytest.raises(ModuleNotFoundError):
        prepare_directory(tmp_path, pdf=True)
    prepare_directory(tmp_path / "new")
    assert (tmp_path / "new").is_dir()


def bars(plot):
    return [element for element in ET.fromstring(plot.svg()).iter("rect") if "key" not in element.get("class")]


def test_histograms_have_a_bar_for_each_part_and_half_as_many_for_few_values():
    assert len(bars(histogram_plot("many", [10] * BINS))) == BINS
    assert len(bars(histogram_plot("few", [1] * BINS))) == BINS // 2


def test_the_quantile_plot_shows_every_small_value_and_few_of_many_large_ones():
    def dots(values):
        return ET.fromstring(quantile_plot(values).svg()).findall("circle")

    assert len(dots([0.5])) == 1
    assert len(dots([0.0, 1.0])) == 2
    many = dots(np.linspace(1e-6, 1, 50_000))
    assert 200 < len(many) <= 402
    assert many[0].find("title").text == "P = 1e-06, 1 of 50000"


def test_outcomes_far_from_their_expectation_are_marked():
    counts = {"subject": "wheel", "labels": ["0", "1", "2"], "observed": [100, 100, 400], "expected": [200.0] * 3}
    plot = ET.fromstring(residual_plot(counts).svg())
    assert [dot.get("class") for dot in plot.findall("circle")] == ["bad"] * 3
    assert [dot.find("title").text for dot in plot.findall("circle")][2] == "2: +17.32"
    assert len(bars(counts_plot(counts))) == 3


def test_a_value_that_cannot_or_must_occur_has_no_distance():
    counts = {"subject": "coin", "labels": ["0", "1"], "observed": [0, 5], "expected": [0.0, 5.0]}
    plot = ET.fromstring(residual_plot(counts).svg())
    assert [dot.find("title").text for dot in plot.findall("circle")] == ["0: +0.00", "1: +0.00"]


def test_counts_stand_in_the_document():
    counts = OutcomeCounts(subject="wheel", labels=("0", "1"), observed=(3, 4), expected=(3.5, 3.5))
    assert report_document(a_report(counts=(counts,)))["counts"] == [
        {"subject": "wheel", "labels": ["0", "1"], "observed": [3, 4], "expected": [3.5, 3.5]}
    ]
