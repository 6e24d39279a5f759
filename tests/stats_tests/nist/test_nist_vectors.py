"""All 188 P-values of π, e and √2, against NIST's program, and the exact ones where its constants are wrong."""

import json
from pathlib import Path

import numpy as np
import pytest

from stats_tests.bits import Batch
from stats_tests.nist import SUITE, Mode, run_batch

VECTORS = Path(__file__).parents[2] / "vectors/sp800-22"
EXPECTED = json.loads((VECTORS / "expected_pvalues_sts212.json").read_bytes())
FILES = tuple(EXPECTED)
NIST_NAMES = {
    "frequency": "Frequency",
    "block_frequency": "BlockFrequency",
    "cumulative_sums": "CumulativeSums",
    "runs": "Runs",
    "longest_run": "LongestRun",
    "rank": "Rank",
    "dft": "FFT",
    "non_overlapping_template": "NonOverlappingTemplate",
    "overlapping_template": "OverlappingTemplate",
    "universal": "Universal",
    "approximate_entropy": "ApproximateEntropy",
    "random_excursions": "RandomExcursions",
    "random_excursions_variant": "RandomExcursionsVariant",
    "serial": "Serial",
    "linear_complexity": "LinearComplexity",
}
# Recomputed from exact probabilities by others than this package, for the tests in which the modes differ.
EXACT = {
    "longest_run": {"pi": 0.027295, "e": 0.718366, "sqrt2": 0.013472},
    "overlapping_template": {"pi": 0.260718, "e": 0.159037, "sqrt2": 0.828877},
    "linear_complexity": {"pi": 0.246801, "e": 0.826202, "sqrt2": 0.321866},
    "dft": {"pi": 0.012266, "e": 0.851010, "sqrt2": 0.591505},
}


@pytest.fixture(scope="module")
def batch():
    rows = [np.frombuffer((VECTORS / f"{name}.1e6.bin").read_bytes(), dtype=np.uint8) for name in FILES]
    return Batch(np.stack(rows), 1_000_000)


@pytest.fixture(scope="module")
def results(batch):
    return {
        mode: {
            name: {test.name: test for test in sequence.tests}
            for name, sequence in zip(FILES, run_batch(batch, mode=mode), strict=True)
        }
        for mode in Mode
    }


def test_the_suite_has_fifteen_tests_in_the_published_order_and_188_p_values():
    assert [test.name for test in SUITE] == list(NIST_NAMES)
    assert sum(test.p_value_count for test in SUITE) == 188


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("test", NIST_NAMES)
def test_every_p_value_of_mode_nist_is_that_of_nists_program(results, file, test):
    found = results[Mode.NIST_2_1_2][file][test]
    assert found.reason is None
    # The program prints six decimals, so half a unit of the last is its own rounding.
    assert found.p_values == pytest.approx(EXPECTED[file][NIST_NAMES[test]], abs=1e-6)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("test", NIST_NAMES)
def test_every_p_value_of_mode_exact_is_the_same_or_the_corrected_one(results, file, test):
    found = results[Mode.EXACT][file][test]
    if test in EXACT:
        assert found.p_values == pytest.approx([EXACT[test][file]], abs=1e-6)
    else:
        # Cumulative sums of e: other limits of the same sums, without visible effect.
        assert found.p_values == pytest.approx(EXPECTED[file][NIST_NAMES[test]], abs=2e-6)


def test_a_sequence_gives_the_same_alone_and_in_a_batch(batch, results):
    alone = run_batch(Batch(batch.packed[1:2], batch.bits), mode=Mode.EXACT)[0]
    for test in alone.tests:
        assert test.p_values == results[Mode.EXACT][FILES[1]][test.name].p_values


def test_the_input_is_left_as_it_was(batch):
    before = batch.packed.copy()
    run_batch(batch, mode=Mode.EXACT)
    assert (batch.packed == before).all()
