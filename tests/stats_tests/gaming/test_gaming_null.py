"""Fair outcomes: every P-value is uniform, or never too often small where counts are few."""

from collections import defaultdict

import numpy as np
import pytest
from bad_mappings import fair_shuffles, generator, weighted
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
    interplay,
    outcomes_of,
)

RUNS = 80
# P-values of counts of a few events are as uniform as whole numbers allow: they are only held against being too small.
COUNTS = ("collision", "birthday spacings", "duplicates", "possible", "poisson")
# What a run of this file may be wrong about once in a million, with fixed seeds: it is not wrong.
TINY = 1e-6

SHAPES = {
    "wheel": (OutcomeShape((Uniform(37),)), 6_000, lambda rng, n: rng.integers(0, 37, (n, 1))),
    "coin": (OutcomeShape((Uniform(2),)), 6_000, lambda rng, n: rng.integers(0, 2, (n, 1))),
    "three dice": (OutcomeShape((Uniform(6, 3),)), 2_000, lambda rng, n: rng.integers(0, 6, (n, 3))),
    "large range": (OutcomeShape((Uniform(10**9 + 7),)), 6_000, lambda rng, n: rng.integers(0, 10**9 + 7, (n, 1))),
    "weighted": (
        OutcomeShape((Weighted((1000, 500, 20, 3, 1)),)),
        6_000,
        lambda rng, n: weighted(rng, (1000, 500, 20, 3, 1), n),
    ),
    "reels": (
        OutcomeShape((Stops((20, 30), ((1,) * 20, tuple(range(1, 31)))),)),
        4_000,
        lambda rng, n: np.hstack([rng.integers(0, 20, (n, 1)), weighted(rng, range(1, 31), n)]),
    ),
    "lottery": (
        OutcomeShape((WithoutReplacement(20, 4), Uniform(5))),
        3_000,
        lambda rng, n: np.hstack([fair_shuffles(rng, n, 20)[:, :4], rng.integers(0, 5, (n, 1))]),
    ),
    "shuffle": (OutcomeShape((Permutation(13),)), 3_000, lambda rng, n: fair_shuffles(rng, n, 13)),
}


def collect(shape, size, make, seed):
    columns = defaultdict(list)
    rng = generator(seed)
    for _ in range(RUNS):
        rows = make(rng, size)
        outcomes = outcomes_of(shape, rows)
        callers = Split("caller", rng.integers(0, 6, len(rows)))
        for planned in battery_for(shape, [callers]):
            result = planned.run(outcomes)
            for index, p_value in enumerate(result.result.p_values):
                if p_value is not None:
                    columns[result.label, index].append(p_value)
    return columns


@pytest.mark.parametrize("name", SHAPES)
def test_p_values_of_fair_outcomes_are_uniform(name):
    columns = collect(*SHAPES[name], seed=20_261)
    assert len(columns) > 20
    for (label, index), p_values in columns.items():
        values = np.array(p_values)
        for level in (0.01, 0.05, 0.2):
            small = int(np.count_nonzero(values <= level))
            assert stats.binom.sf(small - 1, len(values), level) > TINY, (label, index, level, small)
        if not label.startswith(COUNTS) and len(values) >= 20:
            assert stats.kstest(values, "uniform").pvalue > TINY, (label, index)


def test_p_values_between_fair_records_are_uniform():
    shape = OutcomeShape((Uniform(10), Weighted((1, 2, 3))))
    rng = generator(7)
    columns = defaultdict(list)
    for _ in range(RUNS):
        records = [
            outcomes_of(shape, np.hstack([rng.integers(0, 10, (n, 1)), weighted(rng, (1, 2, 3), n)]))
            for n in (3_000, 2_500)
        ]
        correlation, common = interplay(*records, subject="two games")
        assert common.result.p_values == (1.0,)
        for index, p_value in enumerate(correlation.result.p_values):
            columns[index].append(p_value)
    assert len(columns) == 12
    for values in columns.values():
        assert stats.kstest(values, "uniform").pvalue > TINY
