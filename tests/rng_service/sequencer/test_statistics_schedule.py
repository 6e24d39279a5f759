"""When a run is due, and which opened outcomes it is about: a function of what the log has, and of nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rng_service.sequencer.statistics_schedule import DigestOutcomes, LastRun, choose_opened, is_due
from rng_service.statistics.built_in import LEAST_OUTCOMES, MOST_OUTCOMES

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US


@pytest.mark.parametrize(
    ("last", "after_us", "due"),
    [
        (None, 0, True),
        (LastRun(0, "pass"), DAY_US - 1, False),
        (LastRun(0, "pass"), DAY_US, True),
        (LastRun(0, "fail"), DAY_US - 1, False),
        (LastRun(0, "suspicious"), HOUR_US, False),
        (LastRun(0, "interrupted"), HOUR_US - 1, False),
        (LastRun(0, "interrupted"), HOUR_US, True),
        (LastRun(0, None), DAY_US - 1, False),
    ],
)
def test_a_subject_is_due_an_interval_after_its_last_run_and_sooner_only_when_that_came_to_nothing(last, after_us, due):
    assert is_due(last, now_us=after_us, interval_us=DAY_US) is due


def test_an_interrupted_run_is_not_repeated_sooner_than_the_interval_when_that_is_short():
    assert is_due(LastRun(0, "interrupted"), now_us=HOUR_US // 2, interval_us=HOUR_US // 2)


def digests(*outcomes, first=0):
    return [DigestOutcomes(first + place, count) for place, count in enumerate(outcomes)]


def test_too_few_outcomes_wait_for_more():
    assert choose_opened(0, digests(LEAST_OUTCOMES - 1)) is None
    assert choose_opened(0, []) is None


def test_a_range_ends_where_its_plan_has_enough_and_the_rest_waits():
    choice = choose_opened(5, digests(600, 600, 600, 100, first=7))
    assert choice is not None
    assert (choice.plan.outcomes, choice.first, choice.last) == (1_000, 5, 8)


def test_of_too_many_outcomes_the_newest_are_tested():
    choice = choose_opened(0, digests(*[MOST_OUTCOMES] * 5))
    assert choice is not None
    assert (choice.plan.outcomes, choice.first, choice.last) == (MOST_OUTCOMES, 4, 4)


@given(st.lists(st.integers(0, 40_000), max_size=30), st.integers(0, 5))
def test_every_range_has_what_its_plan_looks_at_and_lies_within_what_is_new(counts, first):
    found = choose_opened(first, digests(*counts, first=first))
    if found is None:
        assert sum(counts) < LEAST_OUTCOMES
        return
    assert first <= found.first <= found.last < first + len(counts)
    assert found.plan.outcomes is not None
    assert sum(counts[found.first - first : found.last - first + 1]) >= found.plan.outcomes
