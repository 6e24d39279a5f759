"""Reports that a runner really writes are those that the auditor takes, and no others."""

import json
from fractions import Fraction
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor.errors import MalformedError, VerificationError
from rng_service.log_entries import StatsBegin, StatsReport
from rng_service.statistics.plans import PlannedLook, StatisticsPlan
from rng_service.statistics.report import report_bytes, report_document
from rng_service.statistics.runner_protocol import Job
from rng_service.statistics.runner_shapes import outcome_row, shape_document
from rng_service.statistics.runner_work import examine
from rng_service.verify.statistics_report import check_report
from stats_tests import gaming

HEAD = {"origin": "example.org/dev", "time_us": 1_700_000_000_000_000, "run": 4}
LOOKS = (PlannedLook(2, Fraction(1, 20_000)), PlannedLook(4, Fraction(1, 20_000)))
BITS = StatisticsPlan("nist", bits=20_000, looks=LOOKS)
OUTCOMES = StatisticsPlan("gaming", outcomes=1_000, looks=(PlannedLook(1, Fraction(1, 10_000)),))
RANDOM = np.random.Generator(np.random.PCG64DXSM(20261121))
GOOD = RANDOM.bytes(10_000)


def dice():
    return b"".join(outcome_row(0, 0, 0, [int(value)]) for value in RANDOM.integers(0, 37, 1_000))


CASES = {
    "good": (BITS, "test-stream", GOOD, "pass"),
    "zeros": (BITS, "test-stream", bytes(10_000), "fail"),
    "outcomes": (OUTCOMES, "opened", dice(), "pass"),
}


MEMBERS = ["p_value", "sequences", "verdict", "hypotheses", "smallest_adjusted_p", "suspicious_below", "fail_below"]
TAKEN = report_bytes(
    report_document(examine(Job(4, "test-stream", BITS.to_bytes(), "made up", (), None), BytesIO(GOOD)))
)


def begun(plan, subject):
    opened = {"game_digest": bytes(32), "program": "base", "from_digest": 0, "to_digest": 9}
    which = opened if subject == "opened" else {}
    return StatsBegin(**HEAD, purpose="test", subject=subject, plan=plan.digest, **which)


def reported(verdict):
    return StatsReport(**HEAD, verdict=verdict, report=bytes(32), page=bytes(32))


@pytest.mark.parametrize("name", CASES)
def test_a_report_of_the_runner_is_taken_with_its_own_verdict_only(name):
    plan, subject, data, verdict = CASES[name]
    shape = shape_document(gaming.OutcomeShape((gaming.Uniform(37, 1),))) if subject == "opened" else None
    report = examine(Job(4, subject, plan.to_bytes(), "made up", (), shape), BytesIO(data))
    document = report_bytes(report_document(report))
    assert report.verdict == verdict
    check_report(document, begun(plan, subject), plan, reported(verdict))
    for other in {"pass", "suspicious", "fail"} - {verdict}:
        with pytest.raises(VerificationError, match="verdict"):
            check_report(document, begun(plan, subject), plan, reported(other))
        changed = document.replace(f'"verdict":"{verdict}"'.encode(), f'"verdict":"{other}"'.encode())
        with pytest.raises(VerificationError, match=r"verdict|look"):
            check_report(changed, begun(plan, subject), plan, reported(other))


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(["pass", "nist", "4"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=4)),
    max_leaves=12,
)


@given(st.sampled_from(["run", "plan", "verdict", "looks", "decision", "hypotheses"]), VALUES)
def test_a_report_with_anything_in_a_place_is_refused_in_words(name, value):
    document = json.loads(TAKEN)
    if document[name] == value and type(document[name]) is type(value):
        return
    with pytest.raises((VerificationError, MalformedError)):
        check_report(json.dumps(document | {name: value}).encode(), begun(BITS, "test-stream"), BITS, reported("pass"))


@pytest.mark.parametrize("depth", [100, 900, 950, 980, 990, 100_000])
@pytest.mark.parametrize("name", ["run", "looks", "hypotheses"])
def test_what_is_nested_without_end_is_refused_in_words(name, depth):
    nested = b"[" * depth + b"]" * depth
    document = TAKEN.replace(b"{", b'{"%s":%s,' % (name.encode(), nested), 1)
    for data in (document, b'{"format":"sealdraw/statistics@v1","run":%s}' % nested):
        with pytest.raises((VerificationError, MalformedError)):
            check_report(data, begun(BITS, "test-stream"), BITS, reported("pass"))
