"""Distributions against tables of the literature and against numbers that are counted by hand."""

from math import comb, erfc, exp, factorial, sqrt

import numpy as np
import pytest

from stats_tests.gaming.arrangements import cycle_law, fixed_point_law, inversion_law, rising_law
from stats_tests.gaming.coupon_collector import CouponCollector, collection_probabilities, planned_collections
from stats_tests.gaming.kolmogorov_smirnov import bridge_tail
from stats_tests.gaming.permutation import order_probabilities
from stats_tests.gaming.points import collision_distribution
from stats_tests.gaming.poker import HANDS, hand_probabilities
from stats_tests.gaming.quadratic_form import quadratic_form_tail
from stats_tests.gaming.runs import rising_tail
from stats_tests.gaming.values import uniform_values
from stats_tests.special import chi_squared_tail


def test_collisions_of_16384_balls_in_a_million_urns_are_those_of_knuths_table():
    at_most = np.cumsum(collision_distribution(1 << 14, 1 << 20))
    table = {101: 0.009, 108: 0.043, 119: 0.244, 126: 0.476, 134: 0.742, 145: 0.946, 153: 0.989}
    assert {count: round(float(at_most[count]), 3) for count in table} == table


def test_poker_hands_of_decimal_digits_have_the_classical_probabilities():
    hands = dict(zip(HANDS, hand_probabilities(np.full(10, 0.1)), strict=True))
    classical = {
        (1, 1, 1, 1, 1): 0.3024,
        (2, 1, 1, 1): 0.5040,
        (2, 2, 1): 0.1080,
        (3, 1, 1): 0.0720,
        (3, 2): 0.0090,
        (4, 1): 0.0045,
        (5,): 0.0001,
    }
    assert hands == pytest.approx(classical, abs=1e-12)


def test_the_tail_of_a_weighted_sum_of_squares_is_that_of_imhofs_table():
    weights = np.array([0.6, 0.3, 0.1])
    found = [round(quadratic_form_tail(weights, value), 4) for value in (0.1, 0.7, 2.0)]
    assert found == [0.9458, 0.5064, 0.1240]


def test_equal_weights_give_chi_squared():
    for value in (0.5, 4.0, 40.0):
        assert quadratic_form_tail(np.full(5, 0.7), value * 0.7) == pytest.approx(
            float(chi_squared_tail(5, value)), rel=1e-9
        )


def test_one_place_makes_kolmogorov_smirnov_a_normal_test():
    for distance in (0.2, 0.5, 1.1):
        expected = erfc(distance / sqrt(0.25) / sqrt(2))
        assert bridge_tail(np.array([0.5]), distance) == pytest.approx(expected, rel=1e-9)


def test_many_places_come_close_to_kolmogorovs_limit():
    # Seen at 63 places the process reaches a little less far: by 0.5826 of a step's deviation (Siegmund, 1979).
    times = np.arange(1, 64) / 64
    for distance in (1.0, 1.36, 1.63):
        reached = distance + 0.5826 * sqrt(1 / 64)
        limit = 2 * sum((-1) ** (k - 1) * exp(-2 * k * k * reached**2) for k in range(1, 6))
        assert bridge_tail(times, distance) == pytest.approx(limit, rel=0.02)


def test_extreme_distances_keep_their_order():
    times = np.arange(1, 64) / 64
    tails = [bridge_tail(times, distance) for distance in (2.0, 3.0, 3.2, 3.3, 4.0, 8.0)]
    assert tails == sorted(tails, reverse=True)
    assert 0 < tails[-1] < 1e-50


def test_rising_runs_of_a_fine_range_end_like_factorials():
    tail = rising_tail(np.full(100_000, 1e-5))
    assert tail[:6] == pytest.approx([1 / factorial(r) for r in range(1, 7)], rel=2e-4)


def test_a_coin_never_rises_twice():
    assert list(rising_tail(np.array([0.5, 0.5]))[:4]) == [1.0, 0.25, 0.0, 0.0]


def test_four_values_of_a_fine_range_stand_in_24_orders_alike():
    probabilities = np.sort(order_probabilities(np.full(50_000, 1 / 50_000)))[-24:]
    assert probabilities == pytest.approx(np.full(24, 1 / 24), rel=1e-3)


def test_two_coupons_are_collected_like_a_coin_is_tossed():
    law = collection_probabilities(np.array([0.5, 0.5]), uniform=True)
    assert list(law[:6]) == [0.0, 0.0, 0.5, 0.25, 0.125, 0.0625]


def test_both_ways_to_collect_agree():
    for coupons in (3, 5, 8):
        shares = np.full(coupons, 1 / coupons)
        exact = collection_probabilities(shares, uniform=True)
        assert collection_probabilities(shares, uniform=False) == pytest.approx(exact, abs=1e-12)


def test_as_many_collections_are_looked_at_as_the_values_hold_all_but_surely():
    # Two coupons: 3 values on average, with a deviation of √2.
    law = collection_probabilities(np.array([0.5, 0.5]), uniform=True)
    for values in (100, 10_000):
        planned = planned_collections(values, law)
        assert 3 * planned + 5 * sqrt(2 * planned) <= values < 3 * (planned + 1) + 5 * sqrt(2 * (planned + 1))


def test_a_coupon_that_never_comes_makes_the_collections_that_are_missing_too_long():
    sequence = uniform_values((np.arange(6_000) * 7 % 5).astype(np.uint8), 6)[0][1]
    result = CouponCollector().run(sequence)
    assert result.p_values[0] < 1e-100
    assert result.statistics["observations"] == planned_collections(
        6_000, collection_probabilities(np.full(6, 1 / 6), uniform=True)
    )


def test_permutations_of_four_cards_are_counted_right():
    assert list(np.rint(24 * fixed_point_law(4))) == [9, 8, 6, 0, 1]
    assert list(np.rint(24 * rising_law(4))) == [0, 1, 11, 11, 1]
    assert list(np.rint(24 * cycle_law(4))) == [0, 6, 11, 6, 1]
    assert list(np.rint(24 * inversion_law(4))) == [1, 3, 5, 6, 5, 3, 1]


@pytest.mark.parametrize("cards", [2, 13, 52, 104])
def test_laws_of_permutations_sum_to_one_with_the_right_means(cards):
    laws = (fixed_point_law(cards), rising_law(cards), cycle_law(cards), inversion_law(cards))
    means = (1.0, (cards + 1) / 2, sum(1 / k for k in range(1, cards + 1)), cards * (cards - 1) / 4)
    for law, mean in zip(laws, means, strict=True):
        assert law.sum() == pytest.approx(1.0, abs=1e-10)
        assert law @ np.arange(len(law)) == pytest.approx(mean, rel=1e-9)


def test_overlaps_of_a_lottery_are_its_prizes():
    from scipy import stats

    law = stats.hypergeom.pmf(np.arange(7), 49, 6, 6)
    assert [round(float(value), 6) for value in law[:4]] == [0.435965, 0.413019, 0.132378, 0.01765]
    assert law[6] == pytest.approx(1 / comb(49, 6))
