"""The proofs of docs/rtp.md §4, carried out in fractions on games small enough to enumerate."""

from fractions import Fraction
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rng_service.games.prizes import PrizeDistribution, winning
from rng_service.rtp import Cell, Evidence, bet_grid

ONE = Fraction(1)
TINY = PrizeDistribution({Fraction(0): Fraction(5, 8), Fraction(1): Fraction(1, 4), Fraction(5): Fraction(1, 8)})


def exact_wealths(plays, delta, highest, highest_expected=ONE):
    """The two halves of the wealth at δ by their definition: a product for each bet, their mean for each side."""
    grid = bet_grid(highest, highest_expected)
    halves = []
    for side, bets in ((1, grid.higher), (-1, grid.lower)):
        if side > 0 and delta > Fraction(grid.reach):
            halves.append(ONE)
            continue
        total = Fraction(0)
        for bet in bets:
            wealth = ONE
            for weight, multiplier, expected in plays:
                wealth *= 1 + side * Fraction(bet) * weight * (multiplier - expected - delta)
            total += wealth
        halves.append(total / len(bets))
    return halves


def evidence_of(plays, highest):
    return Evidence([Cell(*play, 1) for play in plays], highest=highest)


@st.composite
def distributions(draw):
    prizes = draw(st.lists(st.fractions(0, 20, max_denominator=8), min_size=1, max_size=5, unique=True))
    shares = draw(st.lists(st.integers(1, 50), min_size=len(prizes), max_size=len(prizes)))
    total = sum(shares)
    return PrizeDistribution({prize: Fraction(share, total) for prize, share in zip(prizes, shares, strict=True)})


@given(distributions(), st.fractions(0, 20), st.fractions(Fraction(1, 1000), 1))
@settings(max_examples=60, deadline=None)
def test_every_bet_is_fair_when_the_mean_is_the_stated_return_and_the_difference(prizes, expected, weight):
    highest = max(*prizes.probabilities, Fraction(1), expected)
    ceiling = max(expected, ONE)
    delta = prizes.mean - expected
    grid = bet_grid(max(highest, ceiling), ceiling)
    for side, bets in ((1, grid.higher), (-1, grid.lower)):
        if side > 0 and delta > Fraction(grid.reach):
            continue  # no bets on that side there
        for bet in bets:
            factors = {
                multiplier: 1 + side * Fraction(bet) * weight * (multiplier - expected - delta)
                for multiplier in prizes.probabilities
            }
            assert min(factors.values()) >= Fraction(1, 16)
            assert sum(prizes.probabilities[multiplier] * factor for multiplier, factor in factors.items()) == 1


@given(st.fractions(0, 10**7), st.fractions(Fraction(1, 100), 2), st.data())
@settings(max_examples=100, deadline=None)
def test_no_play_in_the_bounds_can_cost_more_than_fifteen_sixteenths_of_the_wealth(highest, ceiling, data):
    highest = max(highest, ceiling)
    grid = bet_grid(highest, ceiling)
    weight = data.draw(st.fractions(Fraction(1, 10**6), 1))
    expected = data.draw(st.fractions(0, ceiling))
    multiplier = data.draw(st.fractions(0, highest))
    delta = data.draw(st.fractions(-ceiling, highest))
    gain = weight * (multiplier - expected - delta)
    assert 1 - Fraction(grid.lower[0]) * gain >= Fraction(1, 16)
    if delta <= Fraction(grid.reach):
        assert 1 + Fraction(grid.higher[0]) * gain >= Fraction(1, 16)


def test_the_worst_plays_of_all_leave_a_sixteenth_of_the_wealth_or_more():
    # Bounds for which the powers of two leave next to nothing to spare.
    generous = bet_grid(Fraction(11, 4), ONE)
    assert 1 - Fraction(generous.lower[0]) * (Fraction(11, 4) - 0 - -1) == Fraction(1, 16)
    even = bet_grid(Fraction(2), ONE)
    assert 1 + Fraction(even.higher[0]) * (0 - 1 - Fraction(even.reach)) == Fraction(1, 16)


@pytest.mark.parametrize(
    "highest", [ONE, Fraction(15, 8), Fraction(2), Fraction(36), Fraction(5000), Fraction(3 * 10**6)]
)
def test_the_grid_reaches_from_the_boldest_bet_to_that_of_a_million_million_plays(highest):
    grid = bet_grid(highest, ONE)
    for bets, loss in ((grid.higher, Fraction(15, 8)), (grid.lower, highest + 1)):
        assert all(bold == 2 * timid for bold, timid in pairwise(bets))
        assert Fraction(bets[0]) * loss <= Fraction(15, 16) < 2 * Fraction(bets[0]) * loss
        assert Fraction(bets[-1]) ** 2 * highest * 10**12 <= 1


@pytest.mark.parametrize(("highest", "ceiling"), [(ONE, Fraction(0)), (Fraction(1, 2), ONE), (ONE, Fraction(-1))])
def test_bounds_that_contradict_each_other_are_refused(highest, ceiling):
    with pytest.raises(ValueError, match="highest"):
        bet_grid(highest, ceiling)


plays_of_three_bets = st.lists(
    st.tuples(
        st.sampled_from([ONE, Fraction(1, 2), Fraction(1, 7)]),
        st.sampled_from([Fraction(0), Fraction(1), Fraction(9, 2), Fraction(8)]),
        st.sampled_from([Fraction(9, 10), Fraction(0), ONE]),
    ),
    max_size=25,
)


@given(plays_of_three_bets)
@settings(max_examples=40, deadline=None)
def test_the_e_value_is_the_mean_of_the_two_exact_wealths(plays):
    higher, lower = exact_wealths(plays, Fraction(0), Fraction(8))
    assert evidence_of(plays, Fraction(8)).e_value() == pytest.approx(float((higher + lower) / 2), rel=1e-11)


@given(plays_of_three_bets.filter(bool), st.sampled_from([Fraction(1, 2), Fraction(1, 20), Fraction(1, 100)]))
@settings(max_examples=25, deadline=None)
def test_no_difference_outside_the_interval_is_left_standing(plays, alpha):
    lo, hi = evidence_of(plays, Fraction(8)).interval(alpha)
    for step in range(-20, 161):
        delta = Fraction(step, 20)
        if not lo <= delta <= hi:
            assert sum(exact_wealths(plays, delta, Fraction(8))) / 2 >= 1 / alpha


@given(plays_of_three_bets.filter(bool), st.sampled_from([Fraction(1, 2), Fraction(1, 20), Fraction(1, 100)]))
@settings(max_examples=25, deadline=None)
def test_the_interval_is_no_wider_than_either_half_of_the_wealth_demands(plays, alpha):
    lo, hi = evidence_of(plays, Fraction(8)).interval(alpha)
    middle = Fraction(lo + hi) / 2
    for end, bound, half in ((lo, -1.0, 0), (hi, 8.0, 1)):
        if end == bound:
            assert exact_wealths(plays, Fraction(bound), Fraction(8))[half] / 2 < 1 / alpha
        else:
            inside = Fraction(end) + (middle - Fraction(end)) / 1_000
            assert exact_wealths(plays, inside, Fraction(8))[half] / 2 < 1 / alpha


@given(plays_of_three_bets.filter(bool))
@settings(max_examples=25, deadline=None)
def test_the_differences_that_are_left_standing_form_an_interval_round_the_realised_one(plays):
    weight = sum(weight for weight, _, _ in plays)
    realised = sum(weight * (multiplier - expected) for weight, multiplier, expected in plays) / weight
    assert sum(exact_wealths(plays, realised, Fraction(8))) / 2 <= 1
    points = [realised + (Fraction(8) - realised) * Fraction(step, 30) for step in range(31)]
    for walk in (points, [realised + (-1 - realised) * Fraction(step, 30) for step in range(31)]):
        rejected = [sum(exact_wealths(plays, delta, Fraction(8))) / 2 >= 20 for delta in walk]
        assert rejected == sorted(rejected)


@given(plays_of_three_bets.filter(bool))
@settings(max_examples=25, deadline=None)
def test_the_two_wealths_fall_and_rise_with_the_difference(plays):
    found = [exact_wealths(plays, Fraction(step, 16), Fraction(8)) for step in range(-16, 15)]
    higher = [halves[0] for halves in found]
    lower = [halves[1] for halves in found]
    assert higher == sorted(higher, reverse=True)
    assert lower == sorted(lower)


def chance_of_an_alarm(prizes, expected, alpha, plays):
    """The exact probability that an e-value ever sounds the alarm within ``plays`` plays, over every sequence of outcomes."""
    outcomes = list(prizes.probabilities)
    alarmed = {}

    def alarm_at(counts):
        if counts not in alarmed:
            cells = [Cell(ONE, prize, expected, count) for prize, count in zip(outcomes, counts, strict=True)]
            alarmed[counts] = Evidence(cells, highest=max(outcomes)).alarm(alpha)
        return alarmed[counts]

    states = {(0,) * len(outcomes): ONE}
    total = Fraction(0)
    for _ in range(plays):
        following = {}
        for counts, chance in states.items():
            for place, prize in enumerate(outcomes):
                after = (*counts[:place], counts[place] + 1, *counts[place + 1 :])
                following[after] = following.get(after, Fraction(0)) + chance * prizes.probabilities[prize]
        total += sum((chance for counts, chance in following.items() if alarm_at(counts)), Fraction(0))
        states = {counts: chance for counts, chance in following.items() if not alarm_at(counts)}
    return total


@pytest.mark.parametrize("alpha", [Fraction(9, 10), Fraction(1, 2), Fraction(1, 5), Fraction(1, 20)])
def test_over_every_sequence_of_twelve_plays_an_alarm_is_no_likelier_than_promised(alpha):
    assert chance_of_an_alarm(TINY, TINY.mean, alpha, 12) <= alpha


def test_over_every_sequence_a_game_that_pays_too_much_is_noticed():
    # The promise above is not kept by never sounding: on another game, the same alarm nearly always does.
    generous = PrizeDistribution({Fraction(0): Fraction(1, 8), Fraction(5): Fraction(7, 8)})
    assert chance_of_an_alarm(generous, Fraction(7, 8), Fraction(1, 20), 12) > Fraction(9, 10)


@pytest.mark.parametrize("alpha", [Fraction(1, 2), Fraction(1, 5), Fraction(1, 10)])
def test_a_player_who_chooses_stakes_and_bets_by_what_happened_gains_nothing(alpha):
    """He doubles after a loss, changes to the long shot after a win, and stops at once when the alarm sounds."""
    even, long_shot = winning({Fraction(2): Fraction(1, 2)}), winning({Fraction(6): Fraction(3, 20)})

    def choose(history):
        if not history or history[-1]:
            return (Fraction(1, 8), long_shot if history else even)
        losses = next((n for n, won in enumerate(reversed(history)) if won), len(history))
        return min(ONE, Fraction(2**losses, 8)), even

    alarmed = Fraction(0)
    open_ended = Fraction(0)
    for history in product((False, True), repeat=9):
        chance, plays, sounded = ONE, [], False
        for place, won in enumerate(history):
            weight, bet = choose(history[:place])
            prize = bet.top[0] if won else Fraction(0)
            chance *= bet.probabilities[prize]
            plays.append((weight, prize, bet.mean))
            sounded = sounded or evidence_of(plays, Fraction(6)).alarm(alpha)
        alarmed += chance * sounded
        open_ended += chance
    assert open_ended == 1
    assert alarmed <= alpha


@pytest.mark.parametrize("expected", [Fraction(5, 8), Fraction(7, 8), Fraction(1, 4)])
def test_over_every_sequence_the_true_difference_stays_inside_as_often_as_promised(expected):
    alpha = Fraction(1, 5)
    delta = float(TINY.mean - expected)
    missed = Fraction(0)
    outcomes = list(TINY.probabilities)
    inside = {}
    states = {(0, 0, 0): ONE}
    for _ in range(10):
        following = {}
        for counts, chance in states.items():
            for place, prize in enumerate(outcomes):
                after = (*counts[:place], counts[place] + 1, *counts[place + 1 :])
                following[after] = following.get(after, Fraction(0)) + chance * TINY.probabilities[prize]
        for counts in list(following):
            if counts not in inside:
                cells = [Cell(ONE, prize, expected, count) for prize, count in zip(outcomes, counts, strict=True)]
                lo, hi = Evidence(cells, highest=Fraction(5)).interval(alpha)
                inside[counts] = lo <= delta <= hi
            if not inside[counts]:
                missed += following.pop(counts)
        states = following
    assert missed <= alpha


def test_a_known_value_by_hand():
    # The grid for double or nothing begins at 1/2 and 1/4; each side's wealth is the mean over its powers of two.
    grid = bet_grid(Fraction(2), ONE)
    assert (grid.higher[0], grid.lower[0], len(grid.higher), len(grid.lower)) == (0.5, 0.25, 21, 20)
    # One play won at a stated return of 1 gains 1: the halves are 1 + mean of the bets and 1 - mean of the bets.
    higher, lower = (1 - 2**-21) / 21, (0.5 - 2**-21) / 20
    expected = (1 + higher + 1 - lower) / 2
    assert evidence_of([(ONE, Fraction(2), ONE)], Fraction(2)).e_value() == pytest.approx(expected, rel=1e-14)
