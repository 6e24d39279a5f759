"""Looks by a plan: suspicious takes more data, pass and fail end it, and data that end early decide nothing."""

from fractions import Fraction

import pytest

from rng_service.statistics.examination import Details
from rng_service.statistics.looks import look_by_plan, look_once
from rng_service.statistics.plans import PlannedLook, StatisticsPlan
from stats_tests.errors import StatsError
from stats_tests.multiple import Hypothesis, Verdict

PLAN = StatisticsPlan(
    "nist",
    bits=1_000,
    looks=(
        PlannedLook(10, Fraction(1, 20_000)),
        PlannedLook(20, Fraction(1, 40_000)),
        PlannedLook(40, Fraction(1, 40_000)),
    ),
)


class Scripted:
    """Data of so many sequences, with the P-value that each look finds."""

    def __init__(self, available, p_values, interrupt_at=-1):
        self.available = available
        self.p_values = list(p_values)
        self.interrupt_at = interrupt_at
        self.sequences = 0
        self.asked = []

    def extend(self, sequences):
        self.asked.append(sequences)
        if sequences == self.interrupt_at:
            self.sequences += 1
            raise KeyboardInterrupt
        self.sequences = self.available if sequences is None else min(self.available, sequences)
        return self.sequences

    def hypotheses(self):
        return [Hypothesis("question", self.p_values[len(self.asked) - 1])] if self.p_values and self.sequences else []

    def tests(self):
        return ()

    def details(self):
        return Details()

    @property
    def finished(self):
        return f"{self.sequences} sequences"


def test_a_pass_ends_the_plan_and_reads_no_further():
    data = Scripted(1_000, [0.5])
    conclusion = look_by_plan([data], PLAN)
    assert conclusion.verdict is Verdict.PASS
    assert data.asked == [10]
    assert [look.sequences for look in conclusion.looks] == [10]
    assert conclusion.looks[0].decision.thresholds.fail == 1 / 20_000


def test_a_suspicious_look_takes_more_data_until_it_is_decided():
    data = Scripted(1_000, [0.005, 0.001, 0.2])
    conclusion = look_by_plan([data], PLAN)
    assert data.asked == [10, 20, 40]
    assert [str(look.decision.verdict) for look in conclusion.looks] == ["suspicious", "suspicious", "pass"]
    assert conclusion.reported == "pass"
    assert conclusion.shortfall is None


def test_what_stays_suspicious_to_the_end_says_so():
    conclusion = look_by_plan([Scripted(1_000, [0.005, 0.005, 0.005])], PLAN)
    assert conclusion.verdict is Verdict.SUSPICIOUS
    assert len(conclusion.looks) == 3
    assert conclusion.shortfall is None


def test_each_look_has_its_own_bound():
    # Below the first look's 1/20,000, not below the second one's 1/40,000.
    conclusion = look_by_plan([Scripted(1_000, [0.005, 4e-5, 0.5])], PLAN)
    assert [str(look.decision.verdict) for look in conclusion.looks] == ["suspicious", "suspicious", "pass"]
    assert look_by_plan([Scripted(1_000, [4e-5])], PLAN).verdict is Verdict.FAIL


def test_data_that_end_before_the_first_look_give_no_verdict_even_when_they_look_good():
    conclusion = look_by_plan([Scripted(9, [0.5])], PLAN)
    assert conclusion.verdict is Verdict.SUSPICIOUS
    assert conclusion.looks == []
    assert conclusion.decision.smallest == 0.5
    assert conclusion.shortfall == (
        "the plan first looks at 10 sequences, and the input ended after 9: there is no verdict, bring more data"
    )


def test_suspicious_data_that_end_before_the_next_look_stay_suspicious():
    conclusion = look_by_plan([Scripted(15, [0.005, 0.9])], PLAN)
    assert conclusion.verdict is Verdict.SUSPICIOUS
    assert [look.sequences for look in conclusion.looks] == [10]
    assert "the look at 10 sequences was suspicious; the plan looks next at 20 sequences" in conclusion.shortfall


def test_an_interrupted_look_is_not_taken():
    conclusion = look_by_plan([Scripted(1_000, [0.005, 1e-9], interrupt_at=20)], PLAN)
    assert conclusion.interrupted
    assert conclusion.reported == "interrupted"
    assert [look.sequences for look in conclusion.looks] == [10]
    assert conclusion.decision.smallest == 1e-9


def test_an_interruption_before_anything_is_finished_decides_nothing():
    conclusion = look_once([Scripted(1_000, [], interrupt_at=5)], 5)
    assert conclusion.interrupted
    assert conclusion.decision is None


def test_several_examinations_are_one_family():
    conclusion = look_once([Scripted(3, [0.006]), Scripted(3, [0.9])])
    assert conclusion.verdict is Verdict.PASS  # 0.006 twice is no longer suspicious
    assert conclusion.decision.hypotheses == 2
    assert look_once([Scripted(3, [0.006])]).verdict is Verdict.SUSPICIOUS


def test_nothing_applicable_is_no_pass():
    with pytest.raises(StatsError, match="nothing to decide on"):
        look_once([Scripted(3, [])])
    with pytest.raises(StatsError, match="nothing to decide on"):
        look_by_plan([Scripted(30, [])], PLAN)


def test_fewer_sequences_than_asked_for_are_said_to_be():
    conclusion = look_once([Scripted(2, [0.5])], 5)
    assert conclusion.shortfall == "the input ended after 2 of 5 sequences; the verdict is about these alone"
    assert conclusion.verdict is Verdict.PASS
