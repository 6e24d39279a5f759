import pytest

from rng_service.outcome import Reels, Sample, Shuffle, Uniform, Weighted
from rng_service.verify.bias import VoidOutcomes


def line_of(step, outcomes):
    counts = VoidOutcomes([step])
    for outcome in outcomes:
        counts.add(outcome)
    return counts.line("dice/1/base/real")


def test_the_statistic_is_that_of_pearson():
    line = line_of(Uniform(2), [(0,)] * 60 + [(1,)] * 40)
    assert (line.voids, line.degrees) == (100, 1)
    assert line.statistic == pytest.approx(4.0)
    assert "chi-square 4.00 with 1 degrees of freedom" in line.text()


def test_weights_are_taken_into_account():
    line = line_of(Weighted((1, 3)), [(0,)] * 25 + [(1,)] * 75)
    assert line.statistic == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("step", "classes"),
    [
        (Uniform(10_000), 64),
        (Uniform(2**64), 64),
        (Sample(80, 20), 64),
        (Shuffle(52), 52),
        (Reels((("a", "b", "c"), ("d",))), 3),
        (Reels((("a", "b", "c"), ("d",)), ((9, 1, 2), (1,))), 3),
        (Weighted(tuple(range(1, 101))), 64),
    ],
)
def test_many_values_are_counted_in_classes_of_neighbours(step, classes):
    values = {Weighted: 100, Reels: 3, Shuffle: 52, Sample: 80}.get(type(step)) or step.n
    line = line_of(step, [(value * (values - 1) // 9_999,) for value in range(10_000)])
    assert line.degrees == classes - 1
    assert line.statistic is not None


def test_few_voids_make_no_statistic():
    line = line_of(Uniform(37), [(0,)] * 100)
    assert line.statistic is None
    assert "too few" in line.text()


def test_one_value_has_nothing_to_compare():
    assert line_of(Uniform(1), [(0,)] * 100).statistic is None
