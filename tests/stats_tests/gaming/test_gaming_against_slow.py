"""Vectorised counting, and exact probabilities, against loops that anybody can check."""

from collections import Counter
from itertools import pairwise, permutations, product
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from stats_tests.gaming import OutcomeShape, Permutation, WithoutReplacement, outcomes_of
from stats_tests.gaming.arrangements import cycles, rising_sequences
from stats_tests.gaming.cells import fit, pooled
from stats_tests.gaming.coupon_collector import collection_lengths, collection_probabilities
from stats_tests.gaming.deals import Adjacency, Inclusion, Overlaps, Positions, _neighbours, _sorted_law
from stats_tests.gaming.duplicates import stretches
from stats_tests.gaming.order_statistics import order_statistic_probabilities
from stats_tests.gaming.outcomes import distinct_rows
from stats_tests.gaming.overlapping import _psi_squared
from stats_tests.gaming.permutation import order_probabilities, weak_orders
from stats_tests.gaming.poker import HANDS, hand_probabilities
from stats_tests.gaming.ranks import remaining_ranks
from stats_tests.gaming.runs import rising_run_lengths, rising_tail
from stats_tests.gaming.tracks import Deal, deals_in
from stats_tests.gaming.values import Values, group_edges, uniform_values, weighted_values

SHARES = st.lists(st.integers(1, 9), min_size=1, max_size=4).map(lambda weights: np.array(weights) / sum(weights))
VALUES = st.lists(st.integers(0, 3), min_size=1, max_size=60)
DECKS = st.integers(1, 7).flatmap(lambda n: st.lists(st.permutations(range(n)), min_size=1, max_size=5))


def enumerated(shares, length):
    """Every sequence of so many values, with its probability."""
    for values in product(range(len(shares)), repeat=length):
        yield values, prod(float(shares[value]) for value in values)


@given(SHARES)
@settings(max_examples=25)
def test_hands_of_five_are_enumerated(shares):
    expected = Counter()
    for values, probability in enumerated(shares, 5):
        expected[tuple(sorted(Counter(values).values(), reverse=True))] += probability
    assert list(hand_probabilities(shares)) == pytest.approx([expected[hand] for hand in HANDS], abs=1e-12)


@given(SHARES)
@settings(max_examples=25)
def test_orders_of_four_are_enumerated(shares):
    expected = Counter()
    for values, probability in enumerated(shares, 4):
        levels = sorted(set(values))
        expected[tuple(levels.index(value) for value in values)] += probability
    assert list(order_probabilities(shares)) == pytest.approx([expected[order] for order in weak_orders()], abs=1e-12)


@given(SHARES, st.integers(1, 5))
@settings(max_examples=25)
def test_order_statistics_are_enumerated(shares, rank):
    expected = np.zeros(len(shares))
    for values, probability in enumerated(shares, 5):
        expected[sorted(values)[rank - 1]] += probability
    cumulative = np.minimum(np.cumsum(shares), 1.0)
    assert order_statistic_probabilities(cumulative, rank, 5) == pytest.approx(expected, abs=1e-12)


@given(SHARES)
def test_rising_runs_are_enumerated(shares):
    for length in range(1, 6):
        rising = sum(
            probability for values, probability in enumerated(shares, length) if all(a < b for a, b in pairwise(values))
        )
        assert rising_tail(shares)[length - 1] == pytest.approx(rising, abs=1e-12)


@given(st.lists(st.integers(1, 9), min_size=2, max_size=4).map(lambda weights: np.array(weights) / sum(weights)))
@settings(max_examples=20)
def test_collections_are_enumerated(shares):
    law = collection_probabilities(shares, uniform=False)
    for length in range(len(law[:7])):
        complete = sum(
            probability
            for values, probability in enumerated(shares, length)
            if len(set(values)) == len(shares) and len(set(values[:-1])) < len(shares)
        )
        assert law[length] == pytest.approx(complete, abs=1e-12)


@given(VALUES)
def test_runs_are_cut_as_by_hand(values):
    lengths, start = [], 0
    for place in range(1, len(values)):
        if place > start and values[place] <= values[place - 1]:
            lengths.append(place - start)
            start = place + 1
    array = np.array(values)
    assert rising_run_lengths(array[1:] <= array[:-1]).tolist() == lengths


@given(VALUES, st.integers(1, 4))
def test_collections_are_found_as_by_hand(values, alphabet):
    values = [value % alphabet for value in values]
    lengths, seen, start = [], set(), 0
    for place, value in enumerate(values):
        seen.add(value)
        if len(seen) == alphabet:
            lengths.append(place + 1 - start)
            seen, start = set(), place + 1
    assert collection_lengths(np.array(values), alphabet).tolist() == lengths


@given(DECKS)
def test_ranks_among_remaining_cards_are_counted_as_by_hand(decks):
    rows = np.asfortranarray(np.array(decks, dtype=np.uint8))
    slow = [[sum(later < card for later in deck[place + 1 :]) for place, card in enumerate(deck)] for deck in decks]
    assert remaining_ranks(rows).tolist() == slow


def test_ranks_of_a_draw_count_all_lower_cards_that_are_left():
    rows = np.asfortranarray(np.array([[48, 0, 25]], dtype=np.uint8))
    assert remaining_ranks(rows).tolist() == [[48, 0, 24]]


@given(DECKS)
def test_cycles_and_rising_sequences_are_counted_as_by_hand(decks):
    def slow_cycles(deck):
        left, found = set(range(len(deck))), 0
        while left:
            card = start = left.pop()
            while (card := deck[card]) != start:
                left.discard(card)
            found += 1
        return found

    def slow_rising(deck):
        return 1 + sum(deck.index(card + 1) < deck.index(card) for card in range(len(deck) - 1))

    rows = np.array(decks, dtype=np.uint8)
    assert cycles(rows).tolist() == [slow_cycles(deck) for deck in decks]
    assert rising_sequences(rows).tolist() == [slow_rising(deck) for deck in decks]


@given(st.lists(st.integers(0, 2), min_size=4, max_size=40), st.integers(1, 3))
def test_overlapping_tuples_are_counted_on_a_ring(values, length):
    shares = np.array([0.5, 0.3, 0.2])
    ring = values + values[: length - 1]
    counts = Counter(tuple(ring[place : place + length]) for place in range(len(values)))
    expected = sum(
        (counts[cell] - len(values) * probability) ** 2 / (len(values) * probability)
        for cell, probability in enumerated(shares, length)
    )
    sequence = Values(np.array(values, dtype=np.uint8), shares, uniform=False)
    assert _psi_squared(sequence, length) == pytest.approx(expected)


def mean_over(rows, shape, test):
    """The mean of the statistic of a single deal over all deals there are."""
    deal = deals_in(shape)[0]
    found = []
    for row in rows:
        outcomes = outcomes_of(shape, np.array([row], dtype=np.uint8))
        found.append(test(outcomes, deal))
    return float(np.mean(found))


@pytest.mark.parametrize(("n", "m"), [(4, 4), (5, 2), (5, 4), (4, 1)])
def test_the_covariance_of_card_by_position_is_right(n, m, monkeypatch):
    # Over all deals the statistic of one deal is its degrees of freedom on average, exactly, if the covariance is right.
    monkeypatch.setattr("stats_tests.gaming.deals._LEAST", 0.0)
    rows = list(permutations(range(n), m))
    found = []
    for row in rows:
        outcomes = outcomes_of(OutcomeShape((WithoutReplacement(n, m),)), np.array([row], dtype=np.uint8))
        result = Positions().run(outcomes, Deal(0, n, m, ""))
        found.append(result.statistics["chi_squared"])
    assert np.mean(found) == pytest.approx(result.statistics["degrees"])
    assert result.statistics["degrees"] == ((n - 1) ** 2 if n == m else m * (n - 1))


@pytest.mark.parametrize(("n", "m"), [(5, 2), (6, 3), (4, 1)])
def test_the_covariance_of_numbers_drawn_is_right(n, m, monkeypatch):
    monkeypatch.setattr("stats_tests.gaming.deals._LEAST", 0.0)
    shape = OutcomeShape((WithoutReplacement(n, m),))
    found = [
        Inclusion()
        .run(outcomes_of(shape, np.array([row], dtype=np.uint8)), Deal(0, n, m, ""))
        .statistics["chi_squared"]
        for row in permutations(range(n), m)
    ]
    assert np.mean(found) == pytest.approx(n - 1)


@pytest.mark.parametrize("n", [4, 5, 6])
def test_the_covariance_of_adjacency_is_right(n, monkeypatch):
    monkeypatch.setattr("stats_tests.gaming.deals._LEAST", 0.0)
    shape = OutcomeShape((Permutation(n),))
    mean = mean_over(
        permutations(range(n)), shape, lambda outcomes, deal: Adjacency().run(outcomes, deal).statistics["chi_squared"]
    )
    assert mean == pytest.approx(n * n - 3 * n + 1)


def test_neighbours_close_the_ring():
    table = _neighbours(np.array([[2, 0, 1]], dtype=np.uint8), 3)
    assert table.tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_sorted_draws_are_enumerated(rank):
    expected = Counter(sorted(row)[rank - 1] for row in permutations(range(7), 3))
    law = _sorted_law(Deal(0, 7, 3, ""), rank)
    assert law == pytest.approx([expected[value] / (7 * 6 * 5) for value in range(7)])


def test_overlaps_are_counted_as_by_hand():
    rng = np.random.default_rng(5)
    rows = np.array([rng.permutation(9)[:4] for _ in range(500)], dtype=np.uint8)
    shared = Counter(len(set(a) & set(b)) for a, b in zip(rows.tolist(), rows[1:].tolist(), strict=False))
    shape = OutcomeShape((WithoutReplacement(9, 4),))
    result = Overlaps().run(outcomes_of(shape, rows), Deal(0, 9, 4, ""))
    assert result.statistics["observations"] == sum(shared.values()) == 499
    assert result.p_values[0] > 1e-4


@given(st.lists(st.integers(0, 1), min_size=12, max_size=60), st.integers(1, 9))
def test_stretches_are_equal_exactly_when_their_outcomes_are(values, length):
    rows = np.array(values)[:, np.newaxis]
    outcomes = outcomes_of(OutcomeShape((WithoutReplacement(2, 1),)), rows)
    marks = stretches(outcomes.fingerprints, length).tolist()
    slow = [tuple(values[place : place + length]) for place in range(len(values) - length + 1)]
    assert len(marks) == len(slow)
    assert len(set(marks)) == len(set(slow))
    assert len(set(zip(marks, slow, strict=True))) == len(set(slow))


@given(st.lists(st.floats(0.01, 60), min_size=1, max_size=40), st.booleans())
def test_pooling_keeps_sums_and_reaches_the_least_expectation(expected, ordered):
    expected = np.array(expected)
    observed = np.arange(len(expected))
    counts, sums = pooled(observed, expected, ordered=ordered)
    assert counts.sum() == observed.sum()
    assert sums.sum() == pytest.approx(expected.sum())
    assert len(sums) == 1 or sums.min() >= 25.0 - 1e-9


@given(st.lists(st.integers(1, 50), min_size=2, max_size=30), st.integers(2, 10))
def test_groups_are_neighbours_and_no_more_than_asked_for(weights, groups):
    shares = np.array(weights) / sum(weights)
    edges = group_edges(shares, groups)
    assert len(edges) < groups
    assert sorted(set(edges.tolist())) == edges.tolist()


@pytest.mark.parametrize("n", [65_537, 10**9, 2**32, 2**63 + 7, 2**64])
def test_views_of_large_ranges_have_exact_probabilities(n):
    rng = np.random.default_rng(1)
    values = rng.integers(0, n, 2_000, dtype=np.uint64)
    (leading_name, leading), (trailing_name, trailing) = uniform_values(values, n)
    assert (leading_name, trailing_name) == ("leading bits", "modulo 4096")
    shift = (n - 1).bit_length() - 12
    assert leading.values.tolist() == [int(value) >> shift for value in values]
    assert trailing.values.tolist() == [int(value) % 4096 for value in values]
    assert leading.probabilities.sum() == pytest.approx(1.0)
    assert leading.probabilities[-1] == pytest.approx((n - ((n - 1) >> shift << shift)) / n)
    assert trailing.probabilities.sum() == pytest.approx(1.0)
    assert leading.counts.sum() == 2_000


def test_rows_of_a_large_table_are_put_together_with_their_weights():
    weights = [1] * 100_000 + [900_000]
    values = np.array([0, 99_999, 100_000, 100_000], dtype=np.uint32)
    grouped = weighted_values(values, weights)
    assert grouped.alphabet <= 4_096
    assert grouped.probabilities[-1] == pytest.approx(0.9, rel=1e-3)
    assert grouped.counts[0] == 1
    assert grouped.counts[-1] == 2


@given(st.lists(st.lists(st.integers(0, 80), min_size=3, max_size=3), min_size=1, max_size=20))
def test_rows_that_hold_a_number_twice_are_found(rows):
    assert distinct_rows(np.array(rows, dtype=np.uint8)).tolist() == [len(set(row)) == 3 for row in rows]


@pytest.mark.parametrize(
    ("total", "shares"),
    [(1_000, (0.025, 0.025, 0.95)), (75, (1 / 3, 1 / 3, 1 / 3)), (500, (0.05, 0.35, 0.6))],
    ids=["rare cells", "few in all", "one rare cell"],
)
def test_p_values_of_three_cells_are_what_they_say_however_small(total, shares):
    # All ways to fall into three cells that are far from what is expected, and not too rare to matter.
    first, second = (axis.ravel() for axis in np.indices((total + 1, total + 1)))
    counts = np.stack([first, second, total - first - second], axis=1)[first + second <= total]
    expected = total * np.array(shares)
    far = np.sum((counts - expected) ** 2 / expected, axis=1) > 13.0
    probability = stats.multinomial.pmf(counts, total, shares)
    kept = far & (probability > 1e-18)
    p_values = np.array([fit(row, np.array(shares)).p_value for row in counts[kept]])
    for level in (5e-4, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12):
        true = float(probability[kept][p_values <= level].sum())
        assert 0.2 * level < true < level, level
