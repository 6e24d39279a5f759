"""Verdicts over many P-values, and plans that cannot be run until they pass."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stats_tests.errors import StatsError
from stats_tests.multiple import (
    DEFAULT_PLAN,
    Hypothesis,
    Look,
    SequentialPlan,
    SequentialTest,
    Thresholds,
    Verdict,
    benjamini_hochberg,
    benjamini_yekutieli,
    decide,
    holm,
)

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=40)


def hypotheses(*p_values):
    return [Hypothesis(f"test {place}", p_value) for place, p_value in enumerate(p_values)]


def test_holm_on_a_textbook_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(P_VALUES)
def test_holm_rejects_step_by_step(p_values):
    adjusted = holm(p_values)
    for alpha in (0.001, 0.05, 0.5):
        rejected = set()
        for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
            if p_values[place] * (len(p_values) - rank) >= alpha:
                break
            rejected.add(place)
        assert {place for place, value in enumerate(adjusted) if value < alpha} == rejected


@given(P_VALUES)
def test_false_discovery_rates_are_those_of_scipy(p_values):
    assert benjamini_hochberg(p_values) == pytest.approx(stats.false_discovery_control(p_values).tolist())
    expected = np.minimum(stats.false_discovery_control(p_values, method="by"), 1.0).tolist()
    assert benjamini_yekutieli(p_values) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("smallest", "verdict"),
    [(0.0, "fail"), (9e-7, "fail"), (1.1e-6, "suspicious"), (9e-5, "suspicious"), (1.1e-4, "pass"), (1.0, "pass")],
)
def test_the_verdict_follows_the_smallest_after_correction(smallest, verdict):
    decision = decide(hypotheses(smallest, *[0.5] * 99))
    assert decision.verdict == verdict
    assert decision.smallest == pytest.approx(min(1.0, smallest * 100))
    assert decision.rejected == (() if verdict == "pass" else ("test 0",))
    assert decision.as_json()["hypotheses"] == 100


def test_rejected_and_discovered_labels_come_most_extreme_first():
    decision = decide(hypotheses(1e-6, 0.9, 1e-9, 0.004))
    assert decision.rejected == ("test 2", "test 0", "test 3")
    assert decision.candidates == ("test 2", "test 0", "test 3")
    assert decision.discoveries == ("test 2", "test 0", "test 3")


def test_nothing_tested_is_no_pass():
    with pytest.raises(StatsError, match="nothing to decide"):
        decide([])


def test_a_perfect_source_is_called_suspicious_as_often_as_stated():
    random = np.random.default_rng(5)
    verdicts = [decide(hypotheses(*random.random(188))).verdict for _ in range(2_000)]
    suspicious = sum(verdict is not Verdict.PASS for verdict in verdicts)
    assert stats.binom.sf(suspicious - 1, 2_000, 0.01) > 1e-6
    assert Verdict.FAIL not in verdicts


def test_a_plan_spends_no_more_than_it_says():
    assert DEFAULT_PLAN.error_rate == pytest.approx(1e-4)
    assert DEFAULT_PLAN.as_json()["looks"][0] == {"sequences": 100, "fail_below": "5e-05"}


def test_suspicion_leads_to_the_next_look_and_a_pass_ends_it():
    test = SequentialTest(DEFAULT_PLAN)
    assert test.verdict is Verdict.SUSPICIOUS
    assert test.observe(hypotheses(0.005), sequences=100).verdict is Verdict.SUSPICIOUS
    assert test.next_look == DEFAULT_PLAN.looks[1]
    assert test.observe(hypotheses(0.5), sequences=200).verdict is Verdict.PASS
    assert test.next_look is None
    with pytest.raises(StatsError, match="final"):
        test.observe(hypotheses(0.5), sequences=400)


def test_a_failure_is_final():
    test = SequentialTest(DEFAULT_PLAN)
    test.observe(hypotheses(4e-5), sequences=100)
    assert test.verdict is Verdict.FAIL
    with pytest.raises(StatsError, match="final"):
        test.observe(hypotheses(1.0), sequences=200)


def test_later_looks_may_spend_less():
    test = SequentialTest(DEFAULT_PLAN)
    test.observe(hypotheses(0.005), sequences=100)
    assert test.observe(hypotheses(4e-5), sequences=200).verdict is Verdict.SUSPICIOUS


def test_suspicion_that_stays_to_the_end_stays():
    test = SequentialTest(DEFAULT_PLAN)
    for look in DEFAULT_PLAN.looks:
        test.observe(hypotheses(0.005), sequences=look.sequences)
    assert test.verdict is Verdict.SUSPICIOUS
    assert test.next_look is None


def test_another_number_of_sequences_than_planned_is_refused():
    with pytest.raises(StatsError, match="looks at 100 sequences"):
        SequentialTest(DEFAULT_PLAN).observe(hypotheses(0.5), sequences=99)


@pytest.mark.parametrize(
    "refused",
    [
        lambda: Thresholds(0.01, 0.02),
        lambda: Thresholds(0.01, 0.0),
        lambda: SequentialPlan(()),
        lambda: SequentialPlan((Look(100, 1e-5), Look(100, 1e-5))),
        lambda: SequentialPlan((Look(0, 1e-5),)),
        lambda: SequentialPlan((Look(100, 0.5),)),
        lambda: Hypothesis("x", float("nan")),
        lambda: Hypothesis("x", 1.5),
    ],
)
def test_plans_and_p_values_that_make_no_sense_are_refused(refused):
    with pytest.raises(ValueError, match=r"\w"):
        refused()
