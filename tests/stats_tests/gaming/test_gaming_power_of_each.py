"""Each test of the battery finds the fault that it is there for: one fault a test, and its own P-value is tiny."""

import numpy as np
import pytest
from bad_mappings import fair_shuffles, generator

from stats_tests.gaming import OutcomeShape, Permutation, Uniform, WithoutReplacement, battery_for, outcomes_of

VALUES = 10
COUNT = 40_000
FOUND = 1e-7


def fair(rng, n=VALUES, count=COUNT):
    return rng.integers(0, n, count)


def one_value_too_often(rng):
    values = fair(rng)
    values[rng.random(COUNT) < 0.01] = 3
    return values


def high_values_preferred(rng):
    values = fair(rng)
    return np.where(rng.random(COUNT) < 0.1, np.maximum(values, fair(rng)), values)


def the_next_number_follows(rng):
    values = fair(rng)
    follows = rng.random(COUNT - 1) < 0.03
    values[1:][follows] = (values[:-1][follows] + 1) % VALUES
    return values


def neighbours_put_in_order(rng):
    values = fair(rng)
    pairs = values.reshape(-1, 2)
    chosen = rng.random(len(pairs)) < 0.3
    pairs[chosen] = np.sort(pairs[chosen], axis=1)
    return values


def the_same_side_again(rng):
    values = fair(rng)
    stays = rng.random(COUNT - 1) < 0.1
    values[1:][stays] = values[1:][stays] % 5 + 5 * (values[:-1][stays] // 5)
    return values


def no_two_low_values_in_a_row(rng):
    values = fair(rng)
    low = values < 2
    values[1:][low[1:] & low[:-1] & (rng.random(COUNT - 1) < 0.5)] = 2
    return values


def pairs_in_hands(rng):
    values = fair(rng)
    hands = values.reshape(-1, 5)
    chosen = rng.random(len(hands)) < 0.08
    hands[chosen, 4] = hands[chosen, 1]
    return values


def a_bag_that_is_emptied_first(rng):
    # Ten numbers in a bag, all drawn before it is filled again: every collection is short.
    return fair_shuffles(rng, COUNT // VALUES, VALUES).ravel()


def fours_put_in_order(rng):
    values = fair(rng)
    fours = values.reshape(-1, 4)
    chosen = rng.random(len(fours)) < 0.05
    fours[chosen] = np.sort(fours[chosen], axis=1)
    return values


def a_high_value_in_every_eight(rng):
    values = fair(rng)
    eights = values.reshape(-1, 8)
    eights[:, 0] = np.maximum(eights[:, 0], fair(rng, count=len(eights)))
    return values


def middling_values_in_every_five(rng):
    values = fair(rng)
    fives = values.reshape(-1, 5)
    chosen = rng.random(len(fives)) < 0.3
    fives[chosen, 0] = np.sort(fives[chosen], axis=1)[:, 2]
    return values


def the_same_number_again(rng):
    values = fair(rng)
    stays = rng.random(COUNT - 1) < 0.05
    values[1:][stays] = values[:-1][stays]
    return values


def rare_values_come_in_bursts(rng):
    values = rng.integers(0, 100, COUNT)
    bursts = np.flatnonzero(values[:-1] >= 98)
    values[bursts[::2] + 1] = 99
    values[bursts[1::2]] = 50
    return values


def every_second_is_higher(rng):
    values = fair(rng)
    values[::2] = np.where(rng.random(COUNT // 2) < 0.1, 9, values[::2])
    values[1::2] = np.where(rng.random(COUNT // 2) < 0.1, 0, values[1::2])
    return values


def pairs_that_never_come_back(rng):
    # Each pair of values is drawn once before any comes again.
    pairs = rng.permutation(1 << 20)[: COUNT // 2]
    return np.stack([pairs >> 10, pairs & 1023], axis=1).ravel()


def a_small_congruential_generator(_rng):
    state, values = 1, []
    for _ in range(3 * COUNT):
        state = (1_103_515_245 * state + 12_345) % 2**31
        values.append(state >> 21)
    return np.array(values)


FAULTS = {
    "chi-square": (VALUES, one_value_too_often),
    "kolmogorov-smirnov": (VALUES, high_values_preferred),
    "anderson-darling": (VALUES, high_values_preferred),
    "serial tuples": (VALUES, the_next_number_follows),
    "overlapping tuples": (VALUES, the_next_number_follows),
    "runs up and down": (VALUES, neighbours_put_in_order),
    "runs above and below": (VALUES, the_same_side_again),
    "gap": (VALUES, no_two_low_values_in_a_row),
    "poker": (VALUES, pairs_in_hands),
    "coupon collector": (VALUES, a_bag_that_is_emptied_first),
    "permutation": (VALUES, fours_put_in_order),
    "maximum of t": (VALUES, a_high_value_in_every_eight),
    "order statistics": (VALUES, middling_values_in_every_five),
    "serial correlation": (VALUES, the_same_number_again),
    "poisson": (100, rare_values_come_in_bursts),
    "subsequences": (VALUES, every_second_is_higher),
    "collision": (1 << 10, pairs_that_never_come_back),
    "birthday spacings": (1 << 10, a_small_congruential_generator),
    "duplicates: neighbours": (VALUES, the_same_number_again),
    "duplicates: stretches": (1 << 10, lambda rng: np.tile(fair(rng, 1 << 10, COUNT // 2), 2)),
}


def smallest(shape, rows, name):
    outcomes = outcomes_of(shape, rows)
    results = [planned.run(outcomes).result for planned in battery_for(shape) if planned.name == name]
    return min(result.smallest for result in results if result.applicable)


@pytest.mark.parametrize("name", FAULTS)
def test_a_test_of_values_finds_its_fault_and_no_fault_where_there_is_none(name):
    n, make = FAULTS[name]
    shape = OutcomeShape((Uniform(n),))
    rows = make(generator(41))[:, np.newaxis]
    assert smallest(shape, rows, name) < FOUND
    assert smallest(shape, fair(generator(42), n, len(rows))[:, np.newaxis], name) > 1e-4


def test_every_test_of_a_sequence_has_its_fault_here():
    named = {planned.name for planned in battery_for(OutcomeShape((Uniform(VALUES),)))}
    assert named - {"possible"} <= set(FAULTS)


DRAWS = OutcomeShape((WithoutReplacement(30, 5),))
DECKS = OutcomeShape((Permutation(20),))


def a_number_liked(rng):
    rows = fair_shuffles(rng, 20_000, 30)[:, :5]
    without = ~(rows == 7).any(axis=1) & (rng.random(20_000) < 0.03)
    rows[without, 4] = 7
    return rows


def a_card_drawn_early(rng):
    rows = fair_shuffles(rng, 20_000, 30)[:, :5]
    late = (rows[:, 4] == 7) & (rng.random(20_000) < 0.8)
    rows[late, 0], rows[late, 4] = rows[late, 4], rows[late, 0].copy()
    return rows


def low_cards_first(rng):
    rows = fair_shuffles(rng, 20_000, 30)[:, :5]
    chosen = rng.random(20_000) < 0.1
    rows[chosen, :2] = np.sort(rows[chosen, :2], axis=1)
    return rows


def two_numbers_together(rng):
    # Number 3 comes with its neighbour 4 as first and second; each for itself as often as it should.
    rows = fair_shuffles(rng, 20_000, 30)[:, :5]
    chosen = (rows[:, 0] == 3) & ~(rows[:, 2:] == 4).any(axis=1)
    rows[chosen, 1] = 4
    return rows


def numbers_kept_from_the_last_draw(rng):
    rows = fair_shuffles(rng, 20_000, 30)[:, :5]
    chosen = np.flatnonzero(rng.random(10_000) < 0.1) * 2 + 1
    rows[chosen] = rows[chosen - 1]
    return rows


def draws_that_are_spread_out(rng):
    # Of two fair draws the one with the wider span, now and then.
    rows, others = (fair_shuffles(rng, 20_000, 30)[:, :5] for _ in range(2))
    wider = (np.ptp(others, axis=1) > np.ptp(rows, axis=1)) & (rng.random(20_000) < 0.2)
    rows[wider] = others[wider]
    return rows


DEALS = {
    "numbers drawn": a_number_liked,
    "card by position": a_card_drawn_early,
    "rank among remaining": low_cards_first,
    "first two numbers": two_numbers_together,
    "overlaps between draws": numbers_kept_from_the_last_draw,
    "order statistics": draws_that_are_spread_out,
}


@pytest.mark.parametrize("name", DEALS)
def test_a_test_of_draws_finds_its_fault_and_no_fault_where_there_is_none(name):
    assert smallest(DRAWS, DEALS[name](generator(43)), name) < FOUND
    assert smallest(DRAWS, fair_shuffles(generator(44), 20_000, 30)[:, :5], name) > 1e-4


def test_columns_that_lean_together_are_found_by_correlation():
    rng = generator(45)
    rows = rng.integers(0, 10, (20_000, 3))
    chosen = rng.random(20_000) < 0.06
    rows[chosen, 2] = rows[chosen, 0]
    assert smallest(OutcomeShape((Uniform(10, 3),)), rows, "interplay correlation") < FOUND


def test_an_outcome_that_leans_on_the_one_before_is_found_by_correlation():
    rng = generator(46)
    rows = rng.integers(0, 10, (20_000, 2))
    chosen = rng.random(19_999) < 0.06
    rows[1:][chosen, 0] = rows[:-1][chosen, 1]
    assert smallest(OutcomeShape((Uniform(10, 2),)), rows, "interplay correlation") < FOUND


def test_a_deck_that_is_only_cut_is_found():
    # A cut and nothing else; cards that were neighbours stay so.
    rng = generator(47)
    cut = np.stack([np.roll(np.arange(20), -place) for place in rng.integers(0, 20, 2_000)])
    assert smallest(DECKS, cut, "adjacency") < FOUND
    assert smallest(DECKS, cut, "arrangements") < FOUND
