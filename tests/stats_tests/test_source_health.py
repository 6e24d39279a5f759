"""The continuous health tests of SP 800-90B: cut-offs, where they fail, and that pieces make no difference."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from stats_tests.health import (
    BINARY_WINDOW,
    START_UP_SAMPLES,
    WINDOW,
    HealthFailureError,
    HealthTests,
    adaptive_proportion_cutoff,
    repetition_cutoff,
)


@pytest.mark.parametrize(("claimed", "bits", "cutoff"), [(1, 20, 21), (8, 20, 4), (1, 30, 31), (7, 30, 6), (8, 40, 6)])
def test_the_cutoff_of_the_repetition_count(claimed: int, bits: int, cutoff: int) -> None:
    assert repetition_cutoff(claimed, bits) == cutoff


@pytest.mark.parametrize(
    ("window", "claimed", "cutoff"),
    [
        (1024, "0.2", 941), (1024, "0.4", 840), (1024, "0.6", 748), (1024, "0.8", 664), (1024, "1", 589),
        (512, "0.5", 410), (512, "1", 311), (512, "2", 177), (512, "4", 62), (512, "8", 13),
    ],
)  # fmt: skip
def test_the_cutoffs_of_the_adaptive_proportion_test_are_those_of_the_publication(
    window: int, claimed: str, cutoff: int
) -> None:
    assert adaptive_proportion_cutoff(Fraction(claimed), 20, window=window) == cutoff


@settings(deadline=None, max_examples=12)
@given(st.integers(4, 320), st.integers(20, 40), st.sampled_from([WINDOW, BINARY_WINDOW]))
def test_a_good_source_is_accused_at_most_as_often_as_asked(fortieths: int, bits: int, window: int) -> None:
    claimed = Fraction(fortieths, 40)
    cutoff = adaptive_proportion_cutoff(claimed, bits, window=window)
    share = 2.0 ** -float(claimed)
    # A little room: scipy's tail is a float.
    assert binom.sf(cutoff - 1, window, share) <= 2.0**-bits * (1 + 1e-9)
    assert binom.sf(cutoff - 2, window, share) > 2.0**-bits * (1 - 1e-9)
    # A run of C is C - 1 equalities, each with at most that share.
    repetitions = repetition_cutoff(claimed, bits)
    assert claimed * (repetitions - 1) >= bits > claimed * (repetitions - 2)


def test_a_claim_so_low_that_a_stuck_window_is_no_proof_has_no_window_that_fails() -> None:
    assert adaptive_proportion_cutoff(Fraction("0.02"), 30) == WINDOW + 1
    tests = HealthTests(Fraction("0.02"))
    tests.feed(bytes(1_500))
    with pytest.raises(HealthFailureError, match="repetition-count: sample 1500"):
        tests.feed(b"\0")


@pytest.mark.parametrize(("claimed", "bits"), [(0, 30), (9, 30), (Fraction(1, 3_001), 30), (7, 0), (7, 65)])
def test_claims_and_rates_outside_their_range_are_refused(claimed: int, bits: int) -> None:
    with pytest.raises(ValueError, match=r"min-entropy|false alarms"):
        HealthTests(claimed, bits)


def slow_failure(samples: bytes, repetitions: int, proportion: int, window: int) -> tuple[str, int] | None:
    """The tests of sections 4.4.1 and 4.4.2 as they are written: one sample after the other."""
    run = 0
    counted, first, count = 0, -1, 0
    for place, sample in enumerate(samples):
        run = run + 1 if place and sample == samples[place - 1] else 1
        if run >= repetitions:
            return "repetition-count", place
        if counted == 0:
            first, count = sample, 0
        count += sample == first
        if count >= proportion:
            return "adaptive-proportion", place
        counted = (counted + 1) % window
    return None


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 1 << 32),
    size=st.integers(0, 5_000),
    symbols=st.sampled_from([2, 3, 7, 256]),
    stuck=st.floats(0, 0.9),
    window=st.sampled_from([WINDOW, BINARY_WINDOW]),
    claimed=st.sampled_from(["0.05", "0.3", "0.9", "1.5", "4", "7"]),
    cuts=st.lists(st.integers(0, 5_000), max_size=12),
)
def test_failures_are_those_of_the_tests_as_written_whatever_the_pieces(
    seed: int, size: int, symbols: int, stuck: float, window: int, claimed: str, cuts: list[int]
) -> None:
    random = np.random.Generator(np.random.PCG64(seed))
    values = random.integers(0, symbols, size)
    held = np.where(random.random(size) < stuck, 0, np.arange(size))
    samples = values[np.maximum.accumulate(held)].astype(np.uint8).tobytes() if size else b""
    tests = HealthTests(Fraction(claimed), window=window)
    expected = slow_failure(samples, tests.repetition_cutoff, tests.proportion_cutoff, window)
    found = None
    edges = [0, *sorted(cut for cut in cuts if cut < size), size]
    try:
        for start, end in pairwise(edges):
            tests.feed(samples[start:end])
    except HealthFailureError as error:
        found = (error.test, error.position)
    assert found == expected
    assert tests.samples == (size if expected is None else expected[1])


def test_pieces_longer_than_those_taken_inside_make_no_difference() -> None:
    samples = np.random.Generator(np.random.PCG64(8)).integers(0, 256, 300_000).astype(np.uint8).tobytes()
    stuck = samples[:200_000] + bytes([9]) * 5 + samples[200_000:]
    tests = HealthTests(8, 30)
    with pytest.raises(HealthFailureError) as raised:
        tests.feed(stuck)
    assert (raised.value.test, raised.value.position) == slow_failure(stuck, 5, 16, WINDOW)


def test_a_failure_is_final() -> None:
    tests = HealthTests(7)
    with pytest.raises(HealthFailureError) as first:
        tests.feed(bytes(100))
    with pytest.raises(HealthFailureError) as second:
        tests.feed(np.random.Generator(np.random.PCG64(8)).bytes(2_000))
    assert second.value is first.value
    assert not tests.started


def test_the_start_up_test_takes_1024_samples() -> None:
    samples = np.random.Generator(np.random.PCG64(9)).bytes(START_UP_SAMPLES)
    tests = HealthTests(7)
    tests.feed(samples[:-1])
    assert not tests.started
    tests.feed(samples[-1:])
    assert tests.started
