"""Programs of steps: limits, widths, and distributions that are exactly what they claim."""

import math
from collections import Counter
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rng_service.outcome import (
    OutcomeStream,
    Reels,
    Sample,
    Shuffle,
    StepError,
    Uniform,
    Weighted,
    compile_program,
)

KEYS = st.binary(min_size=32, max_size=32)


class ScriptedStream:
    """Answers `below` from a list of uniform values, so that every outcome can be enumerated."""

    def __init__(self, values):
        self.values = list(values)
        self.bounds = []

    def below(self, bound, size, mask):
        self.bounds.append(bound)
        return self.values.pop(0) if bound > 1 else 0


def distribution(steps, bounds):
    """Count the outcomes over all equally likely sequences of uniform values under ``bounds``."""
    program = compile_program(steps)
    counts = Counter()
    for values in product(*(range(bound) for bound in bounds)):
        stream = ScriptedStream(values)
        counts[program.derive(stream)] += 1
        assert not stream.values
    return counts


def test_a_weighted_step_hits_each_index_as_often_as_its_weight():
    assert distribution([Weighted((3, 1, 5))], [9]) == {(0,): 3, (1,): 1, (2,): 5}


def test_a_shuffle_reaches_every_permutation_equally_often():
    counts = distribution([Shuffle(4)], [4, 3, 2])
    assert len(counts) == math.factorial(4)
    assert set(counts.values()) == {1}


@pytest.mark.parametrize("m", [1, 2, 3, 4, 5])
def test_a_sample_reaches_every_ordered_selection_equally_often(m):
    counts = distribution([Sample(5, m)], [5, 4, 3, 2][:m])
    assert len(counts) == math.perm(5, m)
    assert len(set(counts.values())) == 1
    assert all(len(set(outcome)) == m for outcome in counts)


def test_reels_and_repeated_uniforms_are_products():
    assert set(distribution([Reels((("A",) * 3, ("B",) * 2))], [3, 2]).values()) == {1}
    weighted = distribution([Reels((("A",) * 2, ("B",) * 2), ((3, 1), (2, 5)))], [4, 7])
    assert weighted == {(0, 0): 6, (0, 1): 15, (1, 0): 2, (1, 1): 5}
    counts = distribution([Uniform(3, 2)], [3, 3])
    assert counts == dict.fromkeys(product(range(3), repeat=2), 1)


@given(KEYS, st.integers(1, 60), st.data())
def test_a_sample_is_the_tail_of_the_shuffle_read_backwards(key, n, data):
    m = data.draw(st.integers(1, n))
    whole = compile_program([Shuffle(n)]).derive(OutcomeStream(key))
    part = compile_program([Sample(n, m)]).derive(OutcomeStream(key))
    assert part == whole[::-1][:m]
    assert sorted(whole) == list(range(n))


@given(KEYS, st.integers(1, 2**20), st.integers(1, 40))
def test_steps_read_the_stream_one_after_the_other(key, n, count):
    repeated = compile_program([Uniform(n, count)])
    chained = compile_program([Uniform(n)] * count)
    stream = OutcomeStream(key)
    expected = tuple(stream.uniform(n) for _ in range(count))
    assert repeated.derive(OutcomeStream(key)) == chained.derive(OutcomeStream(key)) == expected
    assert repeated.width == chained.width == count


STEPS = st.one_of(
    st.builds(Uniform, st.integers(1, 2**64), st.integers(1, 8)),
    st.builds(Weighted, st.lists(st.integers(1, 2**50), min_size=1, max_size=9).map(tuple), st.integers(1, 4)),
    st.integers(1, 30).flatmap(lambda n: st.builds(Sample, st.just(n), st.integers(1, n))),
    st.builds(Shuffle, st.integers(1, 30)),
    st.builds(
        Reels,
        st.lists(st.integers(1, 40).map(lambda n: ("A",) * n), min_size=1, max_size=6).map(tuple),
    ),
)


@given(KEYS, st.lists(STEPS, min_size=1, max_size=6))
def test_an_outcome_has_the_promised_width_and_only_integers(key, steps):
    program = compile_program(steps)
    outcome = program.derive(OutcomeStream(key))
    assert len(outcome) == program.width
    assert all(type(value) is int for value in outcome)
    assert outcome == program.derive(OutcomeStream(key))


@pytest.mark.parametrize("weight", [0, -1, 2**80])
def test_weights_that_are_not_positive_or_too_large_are_refused_with_their_place(weight):
    with pytest.raises(StepError) as caught:
        Weighted((1, weight))
    assert caught.value.where == "weights[1]"
    assert str(weight) in caught.value.message


@pytest.mark.parametrize(
    ("make", "where"),
    [
        (lambda: Uniform(0), "n"),
        (lambda: Uniform(2**64 + 1), "n"),
        (lambda: Uniform(10**5000), "n"),
        (lambda: Uniform(6, 0), "count"),
        (lambda: Weighted(()), "weights"),
        (lambda: Weighted((2**64, 1)), "weights"),
        (lambda: Weighted((1,), 5000), "count"),
        (lambda: Sample(5, 6), "m"),
        (lambda: Sample(10**6, 2), "n"),
        (lambda: Shuffle(0), "n"),
        (lambda: Reels(()), "strips"),
        (lambda: Reels((("A",), ())), "strips[1]"),
        (lambda: Reels((("A",), ("B",)), ((1,),)), "weights"),
        (lambda: Reels((("A",), ("B",)), ((1,), (1, 1))), "weights[1]"),
        (lambda: Reels((("A",), ("B",)), ((1,), (0,))), "weights[1][0]"),
        (lambda: Reels((("A", "A"),), ((2**64, 1),)), "weights[0]"),
        (lambda: compile_program([]), "steps"),
        (lambda: compile_program([Shuffle(4000), Shuffle(4000)]), "steps"),
    ],
)
def test_a_step_outside_its_limits_names_the_field(make, where):
    with pytest.raises(StepError) as caught:
        make()
    assert caught.value.where == where
