"""Faults that the battery must find, at sample sizes that are worked out in docs/statistics.md."""

import numpy as np
import pytest
from bad_mappings import fair_shuffles, generator, naive_shuffles, sattolo_shuffles, weighted
from scipy import stats

from stats_tests.gaming import (
    OutcomeShape,
    Permutation,
    Split,
    Stops,
    Uniform,
    Weighted,
    WithoutReplacement,
    battery_for,
    hypotheses,
    interplay,
    outcomes_of,
    run,
)
from stats_tests.gaming.cells import fit
from stats_tests.multiple import Verdict, decide


def verdict(shape, rows, splits=()):
    outcomes = outcomes_of(shape, rows)
    decision = decide(hypotheses(list(run(outcomes, battery_for(shape, splits)))))
    return decision.verdict, " ".join(decision.rejected)


@pytest.mark.parametrize("seed", range(3))
def test_a_naive_shuffle_fails_within_843_decks(seed):
    found, rejected = verdict(OutcomeShape((Permutation(52),)), naive_shuffles(generator(seed), 843, 52))
    assert found is Verdict.FAIL
    assert "card by position" in rejected


def test_a_naive_shuffle_of_ten_fails_within_1277():
    found, rejected = verdict(OutcomeShape((Permutation(10),)), naive_shuffles(generator(1), 1_277, 10))
    assert found is Verdict.FAIL
    assert "card by position" in rejected


def test_sattolos_shuffle_is_found_by_its_fixed_points_and_cycles():
    found, rejected = verdict(OutcomeShape((Permutation(52),)), sattolo_shuffles(generator(1), 500, 52))
    assert found is Verdict.FAIL
    assert "arrangements" in rejected


def test_a_riffled_deck_is_found_by_its_rising_sequences():
    rng = generator(2)
    decks = np.tile(np.arange(52), (400, 1))
    for _ in range(6):
        # The inverse of a riffle: each card goes to the left or to the right packet, in order.
        decks = np.take_along_axis(decks, np.argsort(rng.integers(0, 2, decks.shape), axis=1, kind="stable"), axis=1)
    found, rejected = verdict(OutcomeShape((Permutation(52),)), np.argsort(decks, axis=1))
    assert found is Verdict.FAIL
    assert "arrangements, shuffle of 52[0]" in rejected


def test_cards_that_stick_together_are_found_by_adjacency():
    rng = generator(3)
    decks = fair_shuffles(rng, 3_000, 12)
    # In every second deck card 4 is moved behind card 3.
    for deck in decks[::2]:
        rest = [card for card in deck if card != 4]
        rest.insert(rest.index(3) + 1, 4)
        deck[:] = rest
    found, rejected = verdict(OutcomeShape((Permutation(12),)), decks)
    assert found is Verdict.FAIL
    assert "adjacency" in rejected


def test_a_wheel_that_leaves_out_its_last_number_fails_within_2000_spins():
    found, rejected = verdict(OutcomeShape((Uniform(37),)), generator(1).integers(0, 36, (2_000, 1)))
    assert found is Verdict.FAIL
    assert "chi-square" in rejected


def test_a_wheel_with_a_number_too_many_fails_at_once_and_says_where():
    rows = generator(1).integers(0, 38, (500, 1))
    outcomes = outcomes_of(OutcomeShape((Uniform(37),)), rows)
    assert outcomes.left_out == int(np.count_nonzero(rows == 37))
    assert outcomes.impossible.row == int(np.argmax(rows[:, 0] == 37))
    possible = next(run(outcomes)).result
    assert possible.p_values == (0.0,)
    assert (
        possible.statistics["first"] == f"outcome {outcomes.impossible.row} has 37 in column 0: it lies outside 0 … 36"
    )


def test_a_byte_modulo_six_fails_within_530000_rolls():
    rows = generator(1).integers(0, 256, (530_000, 1)) % 6
    found, rejected = verdict(OutcomeShape((Uniform(6),)), rows)
    assert found is Verdict.FAIL
    assert "chi-square" in rejected


def test_one_weight_off_by_half_a_per_cent_fails_within_sixteen_million_spins():
    shares = np.array([0.4, 0.25, 0.2, 0.1, 0.05])
    faulty = shares * [1, 1, 1.005, 1, 1]
    faulty /= faulty.sum()
    spins = 16_000_000
    # The sample size stands in docs/statistics.md: a power of 0.99 at 1e-6.
    distance = spins * float(np.sum((faulty - shares) ** 2 / shares))
    assert stats.ncx2.sf(stats.chi2.isf(1e-6, 4), 4, distance) > 0.99
    rng = generator(1)
    found = [fit(rng.multinomial(spins, faulty), shares).p_value for _ in range(20)]
    assert max(found) < 1e-5


def test_outcomes_that_repeat_are_found_anywhere():
    rng = generator(4)
    rows = rng.integers(0, 37, (60_000, 1))
    rows[50_000:50_100] = rows[1_003:1_103]
    found, rejected = verdict(OutcomeShape((Uniform(37),)), rows)
    assert found is Verdict.FAIL
    assert rejected == "duplicates: stretches, whole outcomes[0]"


def test_a_jackpot_game_whose_record_repeats_is_found_though_most_outcomes_lose():
    weights = (900, 90, 9, 1)
    rows = weighted(generator(4), weights, 50_000)
    rows[40_000:46_000] = rows[7:6_007]
    found, rejected = verdict(OutcomeShape((Weighted(weights),)), rows)
    assert found is Verdict.FAIL
    assert "stretches" in rejected


def test_sticky_outcomes_are_found():
    rng = generator(5)
    rows = rng.integers(0, 37, 40_000)
    again = rng.random(40_000) < 0.01
    rows[1:][again[1:]] = rows[:-1][again[1:]]
    found, rejected = verdict(OutcomeShape((Uniform(37),)), rows[:, np.newaxis])
    assert found is Verdict.FAIL
    assert "duplicates: neighbours" in rejected


def test_reels_that_move_together_are_found_though_each_is_fair():
    rng = generator(6)
    first = rng.integers(0, 30, 50_000)
    second = rng.integers(0, 30, 50_000)
    together = rng.random(50_000) < 0.05
    second[together] = (first[together] * 7 + 3) % 30
    found, rejected = verdict(OutcomeShape((Stops((30, 30)),)), np.stack([first, second], axis=1))
    assert found is Verdict.FAIL
    assert "interplay of neighbouring columns" in rejected


def test_a_caller_with_other_odds_is_found_though_the_total_looks_fair():
    rng = generator(7)
    callers = rng.integers(0, 10, 50_000)
    rows = rng.integers(0, 10, 50_000)
    lucky, unlucky = callers == 3, callers == 8
    rows[lucky & (rng.random(50_000) < 0.2)] = 9
    rows[unlucky & (rows == 9) & (rng.random(50_000) < 0.95)] = 0
    shape = OutcomeShape((Uniform(10),))
    _, rejected = verdict(shape, rows[:, np.newaxis], [Split("caller", callers)])
    assert "subsequences by caller, column 0[0]" in rejected


def test_every_third_outcome_with_other_odds_is_found():
    rng = generator(8)
    rows = rng.integers(0, 10, 30_000)
    rows[::3][rng.random(10_000) < 0.1] = 4
    rows[1::3][rng.random(10_000) < 0.1] = 5
    _, rejected = verdict(OutcomeShape((Uniform(10),)), rows[:, np.newaxis])
    assert "subsequences, column 0[1]" in rejected


def test_numbers_that_a_lottery_likes_are_found():
    rng = generator(9)
    rows = fair_shuffles(rng, 20_000, 49)[:, :6]
    without = ~(rows == 13).any(axis=1)
    replaced = without & (rng.random(20_000) < 0.02)
    rows[replaced, 5] = 13
    found, rejected = verdict(OutcomeShape((WithoutReplacement(49, 6),)), rows)
    assert found is Verdict.FAIL
    assert "numbers drawn" in rejected


def test_a_lottery_that_remembers_its_last_draw_is_found_by_overlaps():
    rng = generator(10)
    rows = fair_shuffles(rng, 20_000, 49)[:, :6]
    for row in range(1, len(rows)):
        if rng.random() < 0.05:
            kept = rows[row - 1, 0]
            if kept not in rows[row]:
                rows[row, rng.integers(6)] = kept
    found, rejected = verdict(OutcomeShape((WithoutReplacement(49, 6),)), rows)
    assert found is Verdict.FAIL
    assert "overlaps between draws" in rejected


def test_two_streams_from_one_seed_are_found_also_when_shifted():
    shape = OutcomeShape((Uniform(37),))
    first = generator(11).integers(0, 37, (5_000, 1))
    second = np.vstack([generator(12).integers(0, 37, (777, 1)), first[:4_000]])
    results = interplay(outcomes_of(shape, first), outcomes_of(shape, second), subject="streams 1 and 2")
    assert decide(hypotheses(results)).verdict is Verdict.FAIL
    assert results[1].result.name == "common stretches"
    assert results[1].result.p_values[0] < 1e-8


def test_two_games_that_go_together_are_found():
    rng = generator(13)
    wheel = rng.integers(0, 37, (20_000, 1))
    dice = rng.integers(0, 6, (20_000, 1))
    linked = rng.random(20_000) < 0.05
    dice[linked] = wheel[linked] % 6
    results = interplay(
        outcomes_of(OutcomeShape((Uniform(37),)), wheel),
        outcomes_of(OutcomeShape((Uniform(6),)), dice),
        subject="wheel and dice",
    )
    assert len(results) == 1
    assert decide(hypotheses(results)).verdict is Verdict.FAIL


def test_a_congruential_generator_behind_the_outcomes_is_found():
    state, values = 1, []
    for _ in range(100_000):
        state = (1_103_515_245 * state + 12_345) % 2**31
        values.append(state >> 21)
    found, rejected = verdict(OutcomeShape((Uniform(1 << 10),)), np.array(values)[:, np.newaxis])
    assert found is Verdict.FAIL
    assert "birthday spacings" in rejected or "collision" in rejected


def test_low_bits_of_a_large_range_are_looked_at():
    rng = generator(14)
    rows = rng.integers(0, 2**40, 50_000) & ~np.int64(1)
    found, rejected = verdict(OutcomeShape((Uniform(2**40),)), rows[:, np.newaxis])
    assert found is Verdict.FAIL
    assert "modulo 4096" in rejected
