"""Proportion, uniformity and the smallest P-value over many sequences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stats_tests.kolmogorov_smirnov import kolmogorov_smirnov_tail
from stats_tests.multiple import Verdict, decide
from stats_tests.results import SequenceResult, TestResult, not_applicable
from stats_tests.second_level import (
    SecondLevel,
    nist_least_passes,
    nist_uniformity,
    smallest_of,
    uniformity,
)
from stats_tests.special import binomial_at_least, binomial_at_most


def level_of(p_values, bits=1_000_000, **options):
    level = SecondLevel(**options)
    level.add(SequenceResult(i, bits, (TestResult("t", (float(p),)),)) for i, p in enumerate(p_values))
    return level


def test_the_bounds_of_the_text_and_of_the_program_differ_at_a_hundred():
    assert nist_least_passes(100, as_program=False) == 97
    assert nist_least_passes(100, as_program=True) == 96
    assert nist_least_passes(1_000, as_program=False) == 981
    assert nist_least_passes(1_000, as_program=True) == 980
    assert nist_least_passes(0, as_program=False) == 0


def test_uniformity_as_nist_computes_it():
    p_values = np.concatenate([np.full(14, 0.05), np.full(6, 0.15), np.linspace(0.2, 0.999, 80)])
    counts = np.histogram(p_values, bins=10, range=(0, 1))[0]
    expected = stats.chi2.sf(((counts - 10) ** 2 / 10).sum(), 9)
    assert nist_uniformity(p_values, as_program=False) == pytest.approx(expected)
    assert nist_uniformity(p_values, as_program=True) == pytest.approx(expected)
    # 59 sequences: the program expects 5 in a bin, not 5.9.
    fewer = nist_uniformity(p_values[:59], as_program=True)
    assert fewer != pytest.approx(nist_uniformity(p_values[:59], as_program=False))
    assert nist_uniformity(np.ones(60), as_program=False) < 1e-100


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_exact_uniformity_is_the_test_of_kolmogorov_and_smirnov(p_values):
    expected = stats.kstest(p_values, "uniform", method="exact").pvalue
    assert uniformity(np.array(p_values)) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@given(st.integers(1, 140), st.floats(0, 1.1))
def test_the_distribution_of_the_distance_is_exact(samples, distance):
    # scipy changes over to an approximation beyond 140 samples.
    expected = float(stats.kstwo.sf(distance, samples))
    assert kolmogorov_smirnov_tail(distance, samples) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_the_distribution_of_the_distance_for_many_samples():
    for scaled in (0.3, 0.7, 1.2, 1.79, 1.81, 3.0):
        expected = float(stats.kstwo.sf(scaled / np.sqrt(1_000), 1_000))
        assert kolmogorov_smirnov_tail(scaled / np.sqrt(1_000), 1_000) == pytest.approx(expected, rel=1e-5)


@given(st.integers(0, 200), st.integers(1, 200))
def test_binomial_tails_are_exact(successes, trials):
    assert binomial_at_most(successes, trials, 0.99) == pytest.approx(stats.binom.cdf(successes, trials, 0.99))
    assert binomial_at_least(successes, trials, 0.99) == pytest.approx(stats.binom.sf(successes - 1, trials, 0.99))


def test_the_smallest_of_many_is_corrected():
    assert smallest_of(0.01, 100) == pytest.approx(1 - 0.99**100)
    assert smallest_of(1e-20, 100) == pytest.approx(1e-18)
    assert smallest_of(0.0, 5) == 0.0
    assert smallest_of(1.0, 5) == 1.0


def test_a_column_counts_what_passed():
    column = level_of([0.5, 0.009, 0.01, 1.0]).columns()[0]
    assert (column.sequences, column.passed, column.smallest) == (4, 3, 0.009)
    assert column.nist_uniformity is column.proportion_p is column.uniformity_p is None
    assert [hypothesis.label for hypothesis in column.hypotheses()] == ["t[0] smallest"]


def test_enough_long_sequences_are_asked_three_questions():
    level = level_of(np.random.default_rng(1).random(100))
    assert [hypothesis.label for hypothesis in level.hypotheses()] == [
        "t[0] proportion", "t[0] uniformity", "t[0] smallest"
    ]  # fmt: skip
    assert decide(level.hypotheses()).verdict is Verdict.PASS


def test_short_sequences_are_not_judged_by_the_shape_of_their_p_values():
    level = level_of(np.random.default_rng(1).random(100), bits=1_000)
    assert [hypothesis.label for hypothesis in level.hypotheses()] == ["t[0] smallest"]


@pytest.mark.parametrize(
    ("p_values", "what"),
    [
        (np.linspace(0, 1, 101)[1:] ** 2, "t[0] proportion"),
        (np.linspace(0.3, 0.9, 100), "t[0] uniformity"),
        ([*np.linspace(0.02, 1, 99), 1e-12], "t[0] smallest"),
    ],
)
def test_each_question_finds_its_fault(p_values, what):
    decision = decide(level_of(p_values).hypotheses())
    assert decision.verdict is Verdict.FAIL
    assert what in decision.rejected


def test_what_was_not_applicable_is_left_out():
    level = SecondLevel()
    level.add([SequenceResult(0, 1_000_000, (not_applicable("t", 2, "no"),))])
    level.add([SequenceResult(1, 1_000_000, (TestResult("t", (0.4, 0.6)),))])
    assert [(column.index, column.sequences) for column in level.columns()] == [(0, 1), (1, 1)]
    assert level.sequences == 2


def test_a_column_without_any_p_value_asks_nothing():
    level = SecondLevel()
    level.add([SequenceResult(0, 1_000_000, (not_applicable("t", 1, "no"),))])
    column = level.columns()[0]
    assert column.hypotheses() == []
    assert column.nist_flags == ()
    assert column.as_json()["proportion"] is None


def test_long_runs_are_judged_in_groups():
    level = level_of(np.random.default_rng(2).random(250), group_sequences=100)
    assert [(column.first_sequence, column.sequences) for column in level.columns()] == [
        (0, 100),
        (100, 100),
        (200, 50),
    ]
    assert level.columns()[1].label == "t[0] from sequence 100"
    assert [(column.first_sequence) for column in level_of([0.5] * 100, group_sequences=100).columns()] == [0]


def test_nists_flags_are_information():
    column = level_of([*np.linspace(0.02, 1, 94), *[0.009] * 6]).columns()[0]
    assert column.nist_flags == ("proportion",)
    assert level_of(np.full(60, 0.5)).columns()[0].nist_flags == ("uniformity",)
    assert column.as_json()["nist"]["least_passes"] == 97
