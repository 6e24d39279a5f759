"""What cannot be asked is said, with its reason: never as a P-value, never as a pass."""

import numpy as np
import pytest

from stats_tests.bits import batch_of_bits
from stats_tests.nist import (
    SUITE,
    ApproximateEntropy,
    BlockFrequency,
    LinearComplexity,
    Mode,
    NonOverlappingTemplate,
    OverlappingTemplate,
    Rank,
    Serial,
    Universal,
    run_batch,
)
from stats_tests.results import TestResult, clipped, not_applicable

MINIMA = {
    "frequency": 100,
    "block_frequency": 128,
    "cumulative_sums": 100,
    "runs": 100,
    "longest_run": 128,
    "rank": 38_912,
    "dft": 1_000,
    "non_overlapping_template": 20_544,
    "overlapping_template": 1_000_000,
    "universal": 387_840,
    "approximate_entropy": 65_536,
    "random_excursions": 1_000_000,
    "random_excursions_variant": 1_000_000,
    "serial": 524_288,
    "linear_complexity": 1_000_000,
}


@pytest.mark.parametrize("test", SUITE, ids=lambda test: test.name)
def test_each_test_has_a_least_length_and_says_it(test):
    least = MINIMA[test.name]
    assert test.unsuitable(least) is None
    assert str(least) in test.unsuitable(least - 1)


def results_of(bits, mode=Mode.EXACT):
    return {test.name: test for test in run_batch(batch_of_bits(np.array([bits], dtype=np.uint8)), mode=mode)[0].tests}


@pytest.mark.parametrize("mode", Mode)
def test_short_sequences_get_reasons_instead_of_p_values(mode):
    found = results_of(np.random.default_rng(1).integers(0, 2, 1_000), mode)
    for name, least in MINIMA.items():
        if least > 1_000:
            assert set(found[name].p_values) == {None}
            assert "1000" in found[name].reason
        else:
            assert found[name].applicable
            assert found[name].reason is None
    assert len(found["non_overlapping_template"].p_values) == 148


@pytest.mark.parametrize("bits", [1, 7, 8, 9, 99])
def test_sequences_too_short_for_everything_get_reasons_everywhere(bits):
    found = results_of(np.zeros(bits))
    assert not any(result.applicable for result in found.values())


DEGENERATE = {
    "zeros": np.zeros(1_000_000),
    "ones": np.ones(1_000_000),
    "alternating": np.arange(1_000_000) % 2,
    "one bit": np.arange(1_000_000) == 77,
    "half and half": np.arange(1_000_000) < 500_000,
    "period of a byte": np.resize([1, 0, 0, 1, 0, 1, 1, 0], 1_000_000),
}


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("bits", DEGENERATE.values(), ids=DEGENERATE)
def test_degenerate_sequences_give_p_values_in_range_and_fail(bits, mode):
    found = results_of(bits, mode)
    for result in found.values():
        assert all(p_value is None or 0.0 <= p_value <= 1.0 for p_value in result.p_values)
    assert min(result.smallest for result in found.values() if result.applicable) < 1e-10


def test_few_cycles_are_not_a_failure():
    found = results_of(np.arange(1_000_000) < 500_000)
    for name in ("random_excursions", "random_excursions_variant"):
        assert set(found[name].p_values) == {None}
        assert found[name].reason.startswith("1 cycles, and 500 are needed")


def test_many_cycles_are_tested_where_nists_program_gives_up():
    bits = np.arange(1_000_000) % 2
    assert set(results_of(bits)["random_excursions"].p_values) == {0.0}
    given_up = results_of(bits, Mode.NIST_2_1_2)["random_excursions"]
    assert set(given_up.p_values) == {None}
    assert "room for 10000 cycles" in given_up.reason


def test_an_unbalanced_sequence_has_no_runs_test_but_where_nists_program_says_nought():
    bits = np.random.default_rng(2).random(10_000) < 0.55
    assert results_of(bits)["runs"].p_values == (None,)
    assert "see frequency" in results_of(bits)["runs"].reason
    assert results_of(bits, Mode.NIST_2_1_2)["runs"].p_values == (0.0,)
    assert results_of(bits)["frequency"].smallest < 6.4e-5


def test_tests_that_are_run_below_their_length_say_what_is_missing():
    batch = batch_of_bits(np.ones((2, 30), dtype=np.uint8))
    for test in (Rank(), Universal(), OverlappingTemplate(), LinearComplexity(), NonOverlappingTemplate()):
        for result in test.run(batch, Mode.EXACT):
            assert set(result.p_values) == {None}
            assert result.reason


@pytest.mark.parametrize(
    "refused",
    [
        lambda: BlockFrequency(0),
        lambda: Rank(1, 32),
        lambda: Rank(32, 65),
        lambda: NonOverlappingTemplate(1),
        lambda: NonOverlappingTemplate(9, 0),
        lambda: NonOverlappingTemplate(17),
        lambda: OverlappingTemplate(1),
        lambda: OverlappingTemplate(9, 12),
        lambda: Universal(1),
        lambda: Universal(17),
        lambda: ApproximateEntropy(16),
        lambda: Serial(1),
        lambda: LinearComplexity(0),
        lambda: TestResult("x", (float("nan"),)),
        lambda: TestResult("x", (1.0000001,)),
        lambda: TestResult("x", (None,)),
        lambda: clipped(float("nan")),
        lambda: clipped(1.01),
    ],
)
def test_parameters_and_p_values_out_of_range_are_refused(refused):
    with pytest.raises(ValueError, match=r"\w"):
        refused()


def test_a_result_knows_whether_it_applies():
    assert not_applicable("x", 2, "because").smallest is None
    assert TestResult("x", (0.3, None, 0.1), "one was not asked").smallest == 0.1
    assert clipped(1.0 + 1e-16) == 1.0
    assert clipped(-1e-17) == 0.0
