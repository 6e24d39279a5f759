"""How many pools failed, against how many may: an exact bound, and an alarm that may be looked at at any time."""

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rng_service.pools.rejections import ALARM_LEVEL, RejectionRate, rejection_rate


def binomial_tail(tests, bits, failed):
    """P(X >= failed) for X binomial with probability 2^-bits, without rounding."""
    p = Fraction(1, 2**bits)
    return 1 - sum((comb(tests, k) * p**k * (1 - p) ** (tests - k) for k in range(failed)), Fraction())


def test_without_a_failure_there_is_nothing_to_explain():
    found = rejection_rate({40: 1_000_000}, 0)
    assert (found.passed, found.failed, found.p_value, found.log2_p_value, found.alarm) == (1_000_000, 0, 1, 0, False)


def test_a_service_without_tests_has_no_rate():
    assert rejection_rate({}, 0) == RejectionRate(0, 0, Fraction())


def test_one_failure_among_few_tests_is_an_alarm():
    found = rejection_rate({40: 1_000}, 1)
    assert found.p_value == Fraction(1_000, 2**40)
    assert found.alarm


def test_one_failure_among_as_many_tests_as_make_it_likely_is_none():
    assert rejection_rate({20: 52}, 1).alarm
    assert not rejection_rate({20: 53}, 1).alarm
    assert rejection_rate({20: 53}, 2).alarm


def test_tests_under_different_plans_count_with_their_own_rates():
    found = rejection_rate({20: 3, 40: 5}, 1)
    assert found.expected == Fraction(3, 2**20) + Fraction(5, 2**40)


def test_the_bound_is_never_beyond_one():
    assert rejection_rate({20: 2**30}, 1).p_value == 1


def test_more_failures_than_tests_are_refused():
    with pytest.raises(ValueError, match="2 of 1"):
        rejection_rate({40: 1}, 2)


@given(tests=st.integers(1, 60), bits=st.integers(1, 8), data=st.data())
def test_the_bound_is_above_the_exact_probability(tests, bits, data):
    failed = data.draw(st.integers(1, tests))
    assert rejection_rate({bits: tests}, failed).p_value >= binomial_tail(tests, bits, failed)


@given(bits=st.integers(20, 60), failed=st.integers(1, 12), tests=st.integers(1, 2**62))
def test_an_alarm_of_so_many_failures_stays_below_its_share_of_the_level(bits, failed, tests):
    found = rejection_rate({bits: max(tests, failed)}, failed)
    if found.alarm:
        assert found.p_value <= ALARM_LEVEL / 2**failed


@given(bits=st.integers(20, 60), failed=st.integers(0, 12), tests=st.integers(12, 2**62), more=st.integers(1, 2**20))
def test_more_good_pools_never_raise_an_alarm(bits, failed, tests, more):
    before, after = rejection_rate({bits: tests}, failed), rejection_rate({bits: tests + more}, failed)
    assert before.alarm or not after.alarm


def test_every_time_together_the_level_holds():
    """The chance that the alarm ever sounds within so many tests, computed without rounding by going through them."""
    p, level = Fraction(1, 64), ALARM_LEVEL
    # Chances of k failures so far without an alarm.
    reached, sounded = {0: Fraction(1)}, Fraction()
    for test in range(1, 120):
        now = {}
        for failed, chance in reached.items():
            for more, step in ((0, 1 - p), (1, p)):
                found = RejectionRate(test - failed - more, failed + more, test * p)
                if found.alarm:
                    sounded += chance * step
                else:
                    now[failed + more] = now.get(failed + more, 0) + chance * step
        reached = now
    assert 0 < sounded <= level
