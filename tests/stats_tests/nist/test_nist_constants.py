"""The constants of the exact mode, against sums that must hold and values that others computed."""

import pytest

from stats_tests.nist.linear_complexity import _EXACT as LINEAR_COMPLEXITY
from stats_tests.nist.longest_run import class_probabilities
from stats_tests.nist.non_overlapping_template import aperiodic_words, templates
from stats_tests.nist.overlapping_template import approximate_probabilities, exact_probabilities
from stats_tests.nist.random_excursions import _NIST as EXCURSIONS
from stats_tests.nist.random_excursions import visit_probabilities
from stats_tests.nist.rank import rank_probabilities


@pytest.mark.parametrize(
    "law",
    [
        class_probabilities(8, 1, 4),
        class_probabilities(128, 4, 9),
        class_probabilities(10_000, 10, 16),
        exact_probabilities(9, 1032),
        approximate_probabilities(9, 1032),
        rank_probabilities(32, 32),
        rank_probabilities(3, 5),
        LINEAR_COMPLEXITY,
        *(visit_probabilities(distance) for distance in (1, 2, 3, 4)),
    ],
)
def test_probabilities_add_up_to_one(law):
    assert sum(law) == pytest.approx(1.0, abs=1e-12)
    assert all(0 < share < 1 for share in law)


def test_longest_runs_of_ten_thousand_bits():
    expected = (0.08663231, 0.20820065, 0.24841858, 0.19391279, 0.12145849, 0.06801109, 0.07336610)
    assert class_probabilities(10_000, 10, 16) == pytest.approx(expected, abs=1e-8)


def test_longest_runs_of_short_blocks_are_those_of_nists_program():
    assert class_probabilities(8, 1, 4) == pytest.approx((0.21484375, 0.3671875, 0.23046875, 0.1875), abs=1e-12)
    expected = (0.1174035788, 0.242955959, 0.249363483, 0.17517706, 0.102701071, 0.112398847)
    assert class_probabilities(128, 4, 9) == pytest.approx(expected, abs=1e-9)


def test_overlapping_templates_of_the_default_parameters():
    expected = (0.36409105, 0.18565890, 0.13938113, 0.10057114, 0.07043233, 0.13986545)
    assert exact_probabilities(9, 1032) == pytest.approx(expected, abs=1e-8)


def test_the_third_class_of_ranks_is_everything_below_not_exactly_two_below():
    assert rank_probabilities(32, 32) == pytest.approx((0.288788, 0.577576, 0.133636), abs=1e-6)


def test_visits_are_those_of_nists_program():
    for distance, law in enumerate(EXCURSIONS, start=1):
        assert visit_probabilities(distance) == pytest.approx(law, abs=1e-9)


def test_there_are_as_many_aperiodic_words_as_nists_program_has_in_its_table():
    counts = [len(aperiodic_words(bits)) for bits in range(2, 14)]
    assert counts == [2, 4, 6, 12, 20, 40, 74, 148, 284, 568, 1116, 2232]


def test_templates_are_thinned_to_148():
    assert templates(9)[:3] == (1, 3, 5)
    assert templates(10) == aperiodic_words(10)[:148]
    assert templates(11) == aperiodic_words(11)[::3][:148]
