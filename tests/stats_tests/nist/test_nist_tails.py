"""What first-level P-values are worth far out: their true tails, worked out exactly where counts are smallest."""

import numpy as np
import pytest
from scipy import special, stats

from stats_tests.nist.longest_run import class_probabilities
from stats_tests.nist.random_excursions import visit_probabilities
from stats_tests.second_level import far_out

P_VALUES = [10.0**-power for power in (4, 6, 8, 10, 12, 14, 16, 18, 20)]
STEP = 0.1  # of χ²
LARGEST = 120.0


def chi_squared_law(total, law):
    """The distribution of χ² of a multinomial count, in steps of 0.1 rounded down; the last place holds all beyond.

    Cell after cell, by how much of ``total`` is left and what χ² is so far.
    """
    size = int(LARGEST / STEP) + 1
    left = {total: np.eye(1, size)[0]}
    rest = 1.0
    for probability in law[:-1]:
        following = {}
        for remaining, so_far in left.items():
            for count in range(remaining + 1):
                chance = _binomial(remaining, min(1.0, probability / rest))[count]
                if chance > 1e-26:
                    moved = following.setdefault(remaining - count, np.zeros(size))
                    _add(moved, so_far, chance, (count - total * probability) ** 2 / (total * probability))
        left, rest = following, rest - probability
    found = np.zeros(size)
    for remaining, so_far in left.items():
        _add(found, so_far, 1.0, (remaining - total * law[-1]) ** 2 / (total * law[-1]))
    return found


_KNOWN = {}


def _binomial(trials, share):
    if (trials, share) not in _KNOWN:
        _KNOWN[trials, share] = stats.binom.pmf(np.arange(trials + 1), trials, share)
    return _KNOWN[trials, share]


def _add(target, source, chance, term):
    places = min(int(term / STEP), len(source) - 1)
    target[places:-1] += chance * source[: len(source) - 1 - places]
    target[-1] += chance * source[len(source) - 1 - places :].sum()


def visits_tail(state, cycles, visits):
    """P(at least so many visits to ``state`` in ``cycles`` cycles), tilted so that what is rare is computed exactly."""
    away = 1.0 - 1.0 / (2.0 * state)
    size = 1 << 15
    count = np.arange(size)
    log_law = np.where(count == 0, np.log(away), 2.0 * np.log1p(-away) + (count - 1.0) * np.log(away))
    low, high = 0.0, -np.log(away) * 0.95
    for _ in range(50):
        tilt = (low + high) / 2
        tilted = np.exp(log_law + tilt * count)
        low, high = (tilt, high) if tilted @ count / tilted.sum() < visits / cycles else (low, tilt)
    mass = tilted.sum()
    together = np.clip(np.fft.irfft(np.fft.rfft(tilted / mass) ** cycles, size), 0.0, None)[visits:]
    return float(np.sum(together * np.exp(cycles * np.log(mass) - tilt * count[visits:])))


@pytest.mark.parametrize(
    ("total", "law"),
    [(100, class_probabilities(10_000, 10, 16)), (500, visit_probabilities(1)), (500, visit_probabilities(4))],
    ids=["longest run", "one step away", "four steps away"],
)
def test_the_true_tail_of_small_counts_is_below_the_bound(total, law):
    found = chi_squared_law(total, law)
    assert found.sum() == pytest.approx(1.0, abs=1e-9)
    tail = np.cumsum(found[::-1])[::-1]
    for p_value in P_VALUES:
        statistic = 2.0 * special.gammainccinv((len(law) - 1) / 2.0, p_value)
        # Five terms were rounded down, by less than a step each.
        true = tail[int(statistic / STEP)]
        assert true < far_out(p_value), p_value
        assert true > p_value


@pytest.mark.parametrize("state", [4, 9])
def test_the_true_tail_of_visits_is_below_the_bound(state):
    cycles = 500
    for p_value in P_VALUES:
        distance = np.sqrt(2.0) * special.erfcinv(p_value) * np.sqrt(cycles * (4.0 * state - 2.0))
        true = visits_tail(state, cycles, int(np.ceil(cycles + distance)))
        assert true < far_out(p_value), p_value


def test_common_p_values_are_worth_what_they_say():
    assert far_out(0.01) == 0.01
    assert far_out(1.0) == 1.0
    assert far_out(0.0) == 0.0
    assert far_out(1e-10) == pytest.approx(1.13e-6, rel=0.01)
    values = [far_out(10.0**-power) for power in range(30)]
    assert values == sorted(values, reverse=True)
