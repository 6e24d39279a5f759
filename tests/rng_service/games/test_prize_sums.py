"""Exact sums in integers are the sums of the fractions."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from rng_service.games.prizes import PrizeDistribution, weighted_sum, weighted_variance

VALUES = st.fractions(min_value=0, max_value=1000, max_denominator=60)
PAIRS = st.lists(st.tuples(VALUES, st.integers(1, 99)), max_size=20)


@given(PAIRS)
def test_a_weighted_sum_is_the_sum_of_the_products(pairs):
    weighed = [(value, Fraction(weight, 7)) for value, weight in pairs]
    assert weighted_sum(weighed) == sum((value * weight for value, weight in weighed), Fraction(0))


@given(PAIRS.filter(bool))
def test_mean_and_variance_of_a_distribution_are_those_of_the_textbook(pairs):
    total = sum(weight for _, weight in pairs)
    chances = {}
    for value, weight in pairs:
        chances[value] = chances.get(value, Fraction(0)) + Fraction(weight, total)
    mean = sum(value * chance for value, chance in chances.items())
    variance = sum((value - mean) ** 2 * chance for value, chance in chances.items())
    assert PrizeDistribution(chances).mean == mean
    assert PrizeDistribution(chances).variance == weighted_variance(chances.items()) == variance
