"""What samples become, what is assessed of them, and what is refused."""

import numpy as np
import pytest

from stats_tests.entropy import (
    ESTIMATORS,
    Estimate,
    Symbols,
    assess,
    bit_string,
    multi_mcw,
    read_samples,
    symbol_bits_of,
    symbols_of,
)
from stats_tests.entropy.prediction import Predictions
from stats_tests.errors import InputError


def uniform(size: int, symbols: int, seed: int = 1) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.random.Generator(np.random.PCG64(seed)).integers(0, symbols, size).astype(np.uint8)


def test_the_width_of_a_symbol_is_that_of_the_largest_sample() -> None:
    assert [symbol_bits_of(bytes(samples)) for samples in ([0, 1], [0, 2], [7, 1], [8], [255, 0])] == [1, 2, 3, 4, 8]


def test_a_source_that_is_stuck_at_nought_has_one_bit_and_no_entropy() -> None:
    samples = bytes(2_000)
    assert symbol_bits_of(samples) == 1
    assessment = assess(read_samples(samples, 1), 1)
    assert assessment.min_entropy == 0.0
    assert assessment.original == assessment.bits == ()


def test_a_sample_with_more_bits_than_said_is_refused_with_its_place() -> None:
    with pytest.raises(InputError, match="sample 2 is 0x10, which has more than 4 bits"):
        read_samples(bytes([1, 15, 16, 0]), 4)


def test_symbols_that_never_come_are_left_out_of_the_alphabet() -> None:
    symbols = symbols_of(np.array([200, 3, 3, 77, 200], dtype=np.uint8))
    assert symbols.alphabet == 3
    assert symbols.values.tolist() == [2, 0, 0, 1, 2]


def test_the_bit_string_is_that_of_the_samples_with_the_most_significant_bit_first() -> None:
    bits = bit_string(np.array([5, 0, 6], dtype=np.uint8), 3)
    assert bits.alphabet == 2
    assert bits.values.tolist() == [1, 0, 1, 0, 0, 0, 1, 1, 0]


def test_two_values_are_assessed_as_bits_whatever_their_width() -> None:
    few = assess(uniform(5_000, 2) * np.uint8(128), 8)
    bits = assess(uniform(5_000, 2), 1)
    assert few.bits == bits.bits == ()
    assert len(few.original) == len(ESTIMATORS)
    assert few.min_entropy == bits.min_entropy <= 1


def test_the_assessed_value_is_the_least_of_all() -> None:
    assessment = assess(uniform(6_000, 8), 3)
    of_samples = [found.min_entropy for found in assessment.original if found.min_entropy is not None]
    of_bits = [found.min_entropy for found in assessment.bits if found.min_entropy is not None]
    assert assessment.min_entropy == min(3.0, *of_samples, 3 * min(1.0, *of_bits))
    assert [found.name for found in assessment.bits] == [
        "most_common_value",
        "collision",
        "markov",
        "compression",
        "t_tuple",
        "lrs",
        "multi_mcw",
        "lag",
        "multi_mmc",
        "lz78y",
    ]


def test_progress_is_told_of_every_estimator() -> None:
    heard: list[tuple[int, int]] = []
    assess(uniform(500, 4), 2, lambda done, total: heard.append((done, total)))
    assert heard == [(done, 17) for done in range(18)]


@pytest.mark.parametrize("size", [2, 3, 17, 18, 19, 63, 200, 1_000, 4_095, 4_096, 4_097])
@pytest.mark.parametrize("symbols", [2, 5, 256])
def test_an_estimator_that_cannot_say_gives_a_reason_and_none_is_made_up(size: int, symbols: int) -> None:
    samples = uniform(size, symbols)
    samples[:2] = 0, symbols - 1
    assessment = assess(samples, (symbols - 1).bit_length())
    for estimate in (*assessment.original, *assessment.bits):
        assert (estimate.min_entropy is None) == (estimate.reason is not None)
        if estimate.min_entropy is not None:
            assert 0 <= estimate.min_entropy <= (symbols - 1).bit_length()
    assert 0 <= assessment.min_entropy <= (symbols - 1).bit_length()


def test_windows_need_more_samples_than_the_longest_has() -> None:
    assert multi_mcw(Symbols(uniform(4_095, 2), 2)).reason == "needs more than 4095 samples; there are 4095"
    assert multi_mcw(Symbols(uniform(4_096, 2), 2)).min_entropy is not None


@pytest.mark.parametrize(
    ("name", "samples", "most"),
    [
        ("a counter", np.arange(20_000, dtype=np.uint8), 0.01),
        ("one byte in ten is fresh", np.repeat(uniform(2_000, 256), 10), 1.0),
        ("a block that repeats", np.tile(uniform(5_000, 256), 4), 1.1),
        ("three of four bits stuck", uniform(20_000, 2) | np.uint8(0x0E), 1.0),
    ],
)
def test_weak_sources_are_given_little(
    name: str, samples: np.ndarray[tuple[int], np.dtype[np.uint8]], most: float
) -> None:
    assert assess(samples, symbol_bits_of(samples.tobytes())).min_entropy <= most, name


def test_runs_go_on_from_block_to_block() -> None:
    whole, parts = Predictions(), Predictions()
    came_true = uniform(3_000, 5, seed=4) > 0
    whole.feed(came_true)
    for start in range(0, 3_000, 7):
        parts.feed(came_true[start : start + 7])
    parts.feed(came_true[:0])
    assert (whole.correct, whole.longest_run) == (parts.correct, parts.longest_run)


def test_a_predictor_that_is_always_right_leaves_nothing() -> None:
    believed = Predictions()
    believed.feed(np.ones(1_000, dtype=np.bool_))
    assert believed.estimate("any", 1_000, 2).min_entropy == 0.0


def test_a_predictor_that_is_never_right_says_as_much_as_a_blind_one() -> None:
    believed = Predictions()
    believed.feed(np.zeros(1_000, dtype=np.bool_))
    assert believed.estimate("any", 1_000, 4).min_entropy == 2.0


def test_an_estimate_in_json_says_what_it_cannot_say() -> None:
    assert Estimate("any", None, reason="too short").as_json() == {
        "name": "any",
        "min_entropy": None,
        "reason": "too short",
        "statistics": {},
    }


def test_symbols_are_checked() -> None:
    with pytest.raises(ValueError, match="two samples or more"):
        Symbols(np.array([0, 1, 2], dtype=np.uint8), 2)
    with pytest.raises(ValueError, match="one-dimensional array of bytes"):
        Symbols(np.array([[0, 1]], dtype=np.uint8), 2)
