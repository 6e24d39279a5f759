import math
from fractions import Fraction
from itertools import combinations
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rng_service.games.prizes import PrizeDistribution, winning
from rng_service.rtp import (
    LEVELS,
    StakeSums,
    band,
    capped_prizes,
    confidence_table,
    deal_band,
    hit_prizes,
    percent_text,
    plays_for,
    plays_for_normality,
)
from rng_service.rtp.rounding import root_up

RED = winning({Fraction(2): Fraction(18, 37)})
STRAIGHT = winning({Fraction(36): Fraction(1, 37)})
COIN = winning({Fraction(2): Fraction(1, 2)})


def equal_bets(prizes, plays, stake=1):
    return StakeSums.of_bet(prizes, plays=plays, stake=plays * stake, stake_squares=plays * stake * stake)


@pytest.mark.parametrize("level", [90, 95, 99])
def test_the_quantiles_are_those_of_the_normal_distribution(level):
    assert float(LEVELS[level]) == pytest.approx(NormalDist().inv_cdf(0.5 + level / 200), rel=1e-15)


def test_equal_bets_have_the_band_of_the_textbook():
    found = band(equal_bets(RED, 10_000), 95)
    assert found.theoretical == Fraction(36, 37)
    deviation = 2 * math.sqrt(18 * 19) / 37
    assert float(found.half_width) == pytest.approx(1.959963984540054 * deviation / 100, abs=2e-12)
    assert found.lower == found.theoretical - found.half_width
    assert found.upper == found.theoretical + found.half_width


def test_the_stake_of_equal_bets_does_not_matter():
    assert band(equal_bets(RED, 10_000), 99) == band(equal_bets(RED, 10_000, stake=250), 99)


def test_unequal_stakes_widen_the_band_by_the_root_of_their_squares():
    stakes = [1] * 99 + [901]
    squares = sum(stake * stake for stake in stakes)
    sums = StakeSums.of_bet(COIN, plays=100, stake=sum(stakes), stake_squares=squares)
    # The standard deviation of a fair coin at double or nothing is 1.
    expected = float(LEVELS[95]) * math.sqrt(squares) / sum(stakes)
    assert float(band(sums, 95).half_width) == pytest.approx(expected, abs=2e-12)
    assert band(sums, 95).half_width > 9 * band(equal_bets(COIN, 100), 95).half_width


def test_different_bets_add_up_to_the_band_of_the_rows_played():
    sums = equal_bets(RED, 300, stake=10) + equal_bets(STRAIGHT, 100, stake=20)
    found = band(sums, 95)
    assert found.theoretical == Fraction(36, 37)
    variance = 300 * 100 * float(RED.variance) + 100 * 400 * float(STRAIGHT.variance)
    assert float(found.half_width) == pytest.approx(1.959963984540054 * math.sqrt(variance) / 5_000, abs=2e-12)


def test_adding_no_plays_changes_nothing():
    assert equal_bets(RED, 7) + StakeSums() == equal_bets(RED, 7)


def test_the_lower_end_is_never_below_nothing():
    found = band(equal_bets(STRAIGHT, 10), 99)
    assert found.half_width > found.theoretical
    assert found.lower == 0
    assert found.holds(Fraction(0))
    assert not found.holds(found.upper + Fraction(1, 10**12))


def test_a_bet_that_always_pays_the_same_has_a_band_of_no_width():
    certain = PrizeDistribution({Fraction(1): Fraction(1)})
    assert band(equal_bets(certain, 5), 99).half_width == 0
    assert plays_for(certain, Fraction(1, 100), 99) == 1
    assert plays_for_normality(certain) == 1


def test_nothing_played_has_no_band():
    with pytest.raises(ValueError, match="at least one play"):
        band(StakeSums(), 95)


def test_a_level_that_is_not_customary_is_refused():
    with pytest.raises(ValueError, match="90, 95, 99 percent, not 98"):
        band(equal_bets(RED, 5), 98)


@pytest.mark.parametrize(("plays", "stake", "squares"), [(2, 10, 49), (0, 1, 1), (-1, 1, 1), (1, 1, -1)])
def test_sums_that_no_stakes_have_are_refused(plays, stake, squares):
    with pytest.raises(ValueError, match="add up"):
        StakeSums.of_bet(RED, plays=plays, stake=stake, stake_squares=squares)


def test_a_deal_narrows_its_band_until_nothing_is_left_to_chance():
    deal = {Fraction(0): 80, Fraction(2): 15, Fraction(10): 5}
    whole = deal_band(deal, sold=100, level=95)
    half = deal_band(deal, sold=50, level=95)
    assert whole.theoretical == half.theoretical == Fraction(8, 10)
    assert whole.half_width == 0
    variance = (15 * 4 + 5 * 100) / 100 - 0.64
    assert float(half.half_width) == pytest.approx(1.959963984540054 * math.sqrt(variance / 50 * 50 / 99), abs=2e-12)


def test_the_variance_of_a_small_deal_is_that_of_all_its_orders():
    deal = {Fraction(0): 3, Fraction(1): 2, Fraction(7): 1}
    tickets = [prize for prize, count in deal.items() for _ in range(count)]
    mean = sum(tickets) / 6
    chosen = list(combinations(tickets, 2))
    variance = sum((sum(pair) / 2 - mean) ** 2 for pair in chosen) / len(chosen)
    assert deal_band(deal, sold=2, level=99).half_width == root_up(LEVELS[99] ** 2 * variance)


def test_a_deal_of_one_ticket_has_a_band_of_no_width():
    assert deal_band({Fraction(3): 1}, sold=1, level=90).half_width == 0


@pytest.mark.parametrize("sold", [0, 101, -1])
def test_a_deal_has_no_band_for_tickets_that_it_does_not_hold(sold):
    with pytest.raises(ValueError, match="1 to 100 sold"):
        deal_band({Fraction(0): 100}, sold=sold, level=95)


def test_the_number_of_plays_for_a_half_width_is_the_least():
    aim = Fraction(1, 200)
    plays = plays_for(RED, aim, 95)
    assert plays == 153_547
    assert band(equal_bets(RED, plays), 95).half_width <= aim
    assert band(equal_bets(RED, plays - 1), 95).half_width > aim


def test_no_number_of_plays_gives_a_band_without_width():
    with pytest.raises(ValueError, match="positive"):
        plays_for(RED, Fraction(0), 95)


def test_a_symmetric_bet_is_normal_at_once_and_a_lottery_late():
    assert plays_for_normality(COIN) == 1
    chance = Fraction(1, 10**7)
    lottery = winning({Fraction(10**6): chance})
    # The squared skewness of a Bernoulli variable is (1 - 2p)² / (p (1 - p)).
    assert plays_for_normality(lottery) == math.ceil(25 * (1 - 2 * chance) ** 2 / (chance * (1 - chance)))


def test_the_confidence_table_runs_from_a_thousand_plays_to_a_thousand_million():
    table = confidence_table(RED)
    assert [row.plays for row in table] == [10**power for power in range(3, 10)]
    assert [percent_text(table[0].bands[95].lower), percent_text(table[0].bands[95].upper)] == ["91.1016", "103.4930"]
    assert [percent_text(table[6].bands[99].lower), percent_text(table[6].bands[99].upper)] == ["97.2892", "97.3054"]
    for row in table:
        assert row.bands[90].half_width < row.bands[95].half_width < row.bands[99].half_width


@given(st.fractions(min_value=0, max_value=10**12))
def test_a_root_is_the_least_multiple_that_is_not_too_small(square):
    root = root_up(square)
    assert root**2 >= square
    assert root == 0 or (root - Fraction(1, 10**12)) ** 2 < square


def test_a_root_is_rounded_up_however_little_is_missing():
    assert root_up(Fraction(9, 4)) == Fraction(3, 2)
    assert root_up(Fraction(9, 4) + Fraction(1, 10**40)) == Fraction(3, 2) + Fraction(1, 10**12)


def test_a_negative_number_has_no_root():
    with pytest.raises(ValueError, match="negative"):
        root_up(Fraction(-1, 3))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(36, 37), "97.2973"),
        (Fraction(-1, 3), "-33.3333"),
        (Fraction(1), "100.0000"),
        (Fraction(5, 10**7), "0.0000"),
        (Fraction(15, 10**7), "0.0002"),
        (Fraction(-1, 10**9), "0.0000"),
    ],
)
def test_percentages_are_rounded_half_to_even_from_the_exact_fraction(value, text):
    assert percent_text(value) == text


def test_a_capped_table_pays_the_cap_where_it_paid_more():
    prizes = winning({Fraction(2): Fraction(1, 4), Fraction(50): Fraction(1, 100), Fraction(99): Fraction(1, 100)})
    assert dict(capped_prizes(prizes, Fraction(10)).probabilities) == {
        Fraction(0): Fraction(73, 100),
        Fraction(2): Fraction(1, 4),
        Fraction(10): Fraction(2, 100),
    }
    assert hit_prizes(prizes).mean == prizes.hit_frequency == Fraction(27, 100)
    with pytest.raises(ValueError, match="positive"):
        capped_prizes(prizes, Fraction(0))
