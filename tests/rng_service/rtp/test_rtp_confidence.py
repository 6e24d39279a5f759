from fractions import Fraction
from itertools import pairwise
from math import inf, isfinite

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rng_service.rtp import Cell, Evidence, alpha_for, alpha_of_row, average_log_e_value

ONE = Fraction(1)
RED = Fraction(36, 37)


def red(won, lost, weight=ONE):
    return [Cell(weight, Fraction(2), RED, won), Cell(weight, Fraction(0), RED, lost)]


cells = st.lists(
    st.builds(
        Cell,
        weight=st.sampled_from([ONE, Fraction(1, 3), Fraction(1, 100)]),
        multiplier=st.sampled_from([Fraction(0), Fraction(1, 2), Fraction(2), Fraction(40)]),
        expected=st.sampled_from([Fraction(96, 100), Fraction(9, 10)]),
        count=st.integers(0, 10**6),
    ),
    max_size=12,
)


def test_before_the_first_play_nothing_is_known():
    nothing = Evidence(highest=Fraction(36))
    assert nothing.plays == 0
    assert nothing.difference is None
    assert nothing.log_e_value() == 0
    assert nothing.e_value() == 1
    assert nothing.interval(0.01) == (-1.0, 36.0)
    assert not nothing.alarm(0.99)


def test_one_play_decides_nothing():
    one = Evidence([Cell(ONE, Fraction(36), RED, 1)], highest=Fraction(36))
    assert one.difference == 36 - RED
    assert not one.alarm(0.01)
    lo, hi = one.interval(0.01)
    assert lo < 0 < hi


@given(cells, st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_neither_order_nor_grouping_changes_a_single_bit(some, random):
    whole = Evidence(some, highest=Fraction(40))
    pieces = Evidence(highest=Fraction(40))
    split = [
        Cell(cell.weight, cell.multiplier, cell.expected, part)
        for cell in some
        for part in (cell.count // 3, cell.count - cell.count // 3)
    ]
    random.shuffle(split)
    for cell in split:
        pieces.add([cell])
    assert pieces.plays == whole.plays
    assert pieces.log_e_value() == whole.log_e_value()
    assert pieces.difference == whole.difference


@given(cells, st.sampled_from([0.5, 0.1, 0.01, 1e-6]))
@settings(max_examples=60, deadline=None)
def test_the_alarm_sounds_exactly_when_zero_is_not_inside_the_interval(some, alpha):
    evidence = Evidence(some, highest=Fraction(40))
    lo, hi = evidence.interval(alpha)
    assert evidence.alarm(alpha) == (not lo < 0 < hi)
    assert lo <= hi
    if evidence.difference is not None:
        assert lo <= float(evidence.difference) <= hi


@pytest.mark.parametrize(("won", "lost"), [(220, 180), (160, 220)])
def test_the_alarm_and_the_interval_agree_on_the_very_edge(won, lost):
    evidence = Evidence(red(won, lost), highest=Fraction(2))
    edge = 1 / evidence.e_value()
    assert 0.05 < edge < 0.9  # not so strong that the half which bets the other way would not count
    for alpha, alarm in ((edge * (1 + 1e-9), True), (edge * (1 - 1e-9), False)):
        lo, hi = evidence.interval(alpha)
        assert evidence.alarm(alpha) == alarm == (not lo < 0 < hi)


@given(cells)
@settings(max_examples=30, deadline=None)
def test_a_stricter_level_has_a_wider_interval(some):
    evidence = Evidence(some, highest=Fraction(40))
    wide, narrow = evidence.interval(0.01), evidence.interval(0.1)
    slack = 1e-4 * (wide[1] - wide[0])
    assert wide[0] <= narrow[0] + slack
    assert narrow[1] <= wide[1] + slack


def test_an_honest_table_stays_quiet_and_its_interval_shrinks():
    widths = []
    for rounds in (10**2, 10**4, 10**6, 10**8):
        evidence = Evidence(red(18 * rounds, 19 * rounds), highest=Fraction(2))
        assert not evidence.alarm(0.05)
        lo, hi = evidence.interval(0.01)
        assert lo < 0 < hi
        widths.append(hi - lo)
    for wide, narrow in pairwise(widths):
        assert 7 < wide / narrow < 11  # a hundredfold plays: about a tenth


def test_a_return_that_is_too_low_is_noticed():
    evidence = Evidence(red(180_000, 200_000), highest=Fraction(2))
    assert evidence.alarm(0.01)
    lo, hi = evidence.interval(0.01)
    assert lo < float(evidence.difference) < hi < 0


def test_a_return_that_is_too_high_is_noticed():
    evidence = Evidence(red(190_000, 190_000), highest=Fraction(2))
    assert evidence.alarm(0.01)
    lo, hi = evidence.interval(0.01)
    assert 0 < lo < float(evidence.difference) < hi


def test_a_game_that_never_pays_is_noticed_within_a_few_plays():
    evidence = Evidence(red(0, 40), highest=Fraction(2))
    assert evidence.alarm(0.01)
    assert not Evidence(red(0, 5), highest=Fraction(2)).alarm(0.01)


def test_a_game_that_always_pays_its_top_prize_is_noticed_at_once():
    assert Evidence([Cell(ONE, Fraction(5000), ONE, 1)], highest=Fraction(5000)).alarm(0.05)


def test_a_bet_that_returns_nothing_by_its_paytable_is_as_stated_while_it_pays_nothing():
    evidence = Evidence([Cell(ONE, Fraction(0), Fraction(0), 10**9)], highest=Fraction(2))
    assert evidence.log_e_value() == 0
    assert evidence.difference == 0
    lo, hi = evidence.interval(0.01)
    assert -1e-4 < lo < 0 < hi < 1e-4


def test_plays_that_all_return_exactly_what_is_stated_are_no_evidence():
    evidence = Evidence([Cell(ONE, RED, RED, 10**12)], highest=Fraction(2))
    assert evidence.e_value() == 1


@pytest.mark.parametrize("rounds", [10**12, 10**15, 10**18])
def test_counts_of_any_size_keep_their_figures(rounds):
    honest = Evidence(red(18 * rounds, 19 * rounds), highest=Fraction(2))
    assert honest.log_e_value() < 0
    lo, hi = honest.interval(0.01)
    assert lo < 0 < hi
    assert hi - lo < 1e-4
    broken = Evidence(red(17 * rounds, 20 * rounds), highest=Fraction(2))
    assert isfinite(broken.log_e_value())
    assert broken.e_value() == inf
    lo, hi = broken.interval(0.01)
    assert lo < -2 / 37 < hi < 0


def test_small_weights_count_for_little_and_alike():
    small = Evidence(red(180_000, 200_000, Fraction(1, 10_000)), highest=Fraction(2))
    assert small.difference == Evidence(red(180_000, 200_000), highest=Fraction(2)).difference
    assert not small.alarm(0.01)


def test_bets_of_different_returns_are_judged_each_by_its_own():
    generous, mean = Fraction(99, 100), Fraction(90, 100)
    evidence = Evidence(
        [
            Cell(ONE, Fraction(2), generous, 49_500),
            Cell(ONE, Fraction(0), generous, 50_500),
            Cell(ONE, Fraction(2), mean, 45_000),
            Cell(ONE, Fraction(0), mean, 55_000),
        ],
        highest=Fraction(2),
    )
    assert evidence.difference == 0
    assert not evidence.alarm(0.05)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (Cell(Fraction(0), ONE, ONE, 1), "weight"),
        (Cell(Fraction(3, 2), ONE, ONE, 1), "weight"),
        (Cell(ONE, Fraction(3), ONE, 1), r"multiplier of this row is in \[0, 2\], not 3"),
        (Cell(ONE, Fraction(-1), ONE, 1), "multiplier"),
        (Cell(ONE, ONE, Fraction(11, 10), 1), "return"),
        (Cell(ONE, ONE, Fraction(-1), 1), "return"),
        (Cell(ONE, ONE, ONE, -1), "counts plays"),
    ],
)
def test_a_cell_outside_the_bounds_is_refused_and_nothing_of_its_batch_is_added(cell, message):
    evidence = Evidence(red(5, 5), highest=Fraction(2))
    before = evidence.log_e_value()
    with pytest.raises(ValueError, match=message):
        evidence.add([*red(100, 1), cell])
    assert evidence.plays == 10
    assert evidence.log_e_value() == before


def test_a_promotion_that_returns_more_than_the_stake_needs_its_bound_stated():
    cell = Cell(ONE, Fraction(2), Fraction(21, 20), 3)
    with pytest.raises(ValueError, match="return"):
        Evidence([cell], highest=Fraction(2))
    assert Evidence([cell], highest=Fraction(2), highest_expected=Fraction(3, 2)).plays == 3


@pytest.mark.parametrize("alpha", [0, 1, -0.1, 2])
def test_a_level_is_between_nothing_and_one(alpha):
    evidence = Evidence(highest=Fraction(2))
    with pytest.raises(ValueError, match="between 0 and 1"):
        evidence.alarm(alpha)
    with pytest.raises(ValueError, match="between 0 and 1"):
        evidence.interval(alpha)
    with pytest.raises(ValueError, match="between 0 and 1"):
        alpha_for(3, Fraction(alpha))


def test_the_levels_of_a_family_add_up_to_its_own():
    assert alpha_for(40, Fraction(1, 100)) * 40 == Fraction(1, 100)
    levels = [alpha_of_row(number, Fraction(1, 100)) for number in range(1, 1_000)]
    assert sum(levels) == Fraction(1, 100) * Fraction(999, 1_000)
    with pytest.raises(ValueError, match="at least one row"):
        alpha_for(0, Fraction(1, 100))
    with pytest.raises(ValueError, match="from 1"):
        alpha_of_row(0, Fraction(1, 100))


def test_the_mean_of_e_values_is_taken_without_overflow():
    assert average_log_e_value([0.0, 0.0]) == 0
    assert average_log_e_value([10_000.0, 0.0]) == pytest.approx(10_000 - 0.6931471805599453)
    assert average_log_e_value([-inf, -inf]) == -inf
