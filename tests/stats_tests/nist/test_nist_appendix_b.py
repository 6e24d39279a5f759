"""Appendix B: every value that it prints for a million bits of π, e, √2 and √3.

The digits of √3 are made here, by whole numbers. The fifth sequence, G-SHA-1, is not among these: its bits are a file
of NIST's, and no key in the source of sts-2.1.2 makes them.
"""

from math import isqrt
from pathlib import Path

import numpy as np
import pytest

from stats_tests.bits import Batch
from stats_tests.nist import Mode, run_batch

VECTORS = Path(__file__).parents[2] / "vectors/sp800-22"
BITS = 1_000_000

SEQUENCES = ("pi", "e", "sqrt2", "sqrt3")
# By test, and which of its P-values is printed.
PRINTED = {
    ("frequency", 0): (0.578211, 0.953749, 0.811881, 0.610051),
    ("block_frequency", 0): (0.380615, 0.211072, 0.833222, 0.473961),
    # Of e .669887 and .724266 are printed: NIST's program itself gives one less in the last place.
    ("cumulative_sums", 0): (0.628308, 0.669886, 0.879009, 0.917121),
    ("cumulative_sums", 1): (0.663369, 0.724265, 0.957206, 0.689519),
    ("runs", 0): (0.419268, 0.561917, 0.313427, 0.261123),
    ("longest_run", 0): (0.024390, 0.718945, 0.012117, 0.446726),
    ("rank", 0): (0.083553, 0.306156, 0.823810, 0.314498),
    ("dft", 0): (0.010186, 0.847187, 0.581909, 0.776046),
    ("non_overlapping_template", 0): (0.165757, 0.078790, 0.569461, 0.532235),
    ("overlapping_template", 0): (0.296897, 0.110434, 0.791982, 0.082716),
    ("universal", 0): (0.669012, 0.282568, 0.130805, 0.165981),
    ("approximate_entropy", 0): (0.361595, 0.700073, 0.884740, 0.180481),
    ("random_excursions", 4): (0.844143, 0.786868, 0.216235, 0.783283),
    ("random_excursions_variant", 8): (0.760966, 0.826009, 0.566118, 0.155066),
    ("linear_complexity", 0): (0.255475, 0.826335, 0.317127, 0.346469),
    ("serial", 0): (0.143005, 0.766182, 0.861925, 0.157500),
    # Not printed, from NIST's program.
    ("serial", 1): (0.034354, 0.462921, 0.629225, 0.171100),
}
# With right constants, recomputed by others than this package.
CORRECTED = {
    "longest_run": (0.027295, 0.718366, 0.013472, 0.464612),
    "overlapping_template": (0.260718, 0.159037, 0.828877, 0.080773),
    "linear_complexity": (0.246801, 0.826202, 0.321866, 0.338199),
    "dft": (0.012266, 0.851010, 0.591505, 0.781571),
}


def square_root_of_three():
    """The binary digits of √3 = 1.101…, the one before the point included."""
    return isqrt(3 << 2 * (BITS - 1)).to_bytes(BITS // 8, "big")


@pytest.fixture(scope="module")
def results():
    data = [(VECTORS / f"{name}.1e6.bin").read_bytes() for name in SEQUENCES[:3]]
    data.append(square_root_of_three())
    batch = Batch(np.stack([np.frombuffer(row, dtype=np.uint8) for row in data]), BITS)
    return {
        mode: {
            name: {test.name: test for test in sequence.tests}
            for name, sequence in zip(SEQUENCES, run_batch(batch, mode=mode), strict=True)
        }
        for mode in Mode
    }


@pytest.mark.parametrize("sequence", SEQUENCES)
@pytest.mark.parametrize(("test", "index"), PRINTED)
def test_a_value_of_appendix_b_comes_out_as_printed(results, sequence, test, index):
    found = results[Mode.NIST_2_1_2][sequence][test]
    assert found.p_values[index] == pytest.approx(PRINTED[test, index][SEQUENCES.index(sequence)], abs=1e-6)


@pytest.mark.parametrize("sequence", SEQUENCES)
@pytest.mark.parametrize("test", CORRECTED)
def test_exact_constants_move_the_values_they_should(results, sequence, test):
    expected = CORRECTED[test][SEQUENCES.index(sequence)]
    assert results[Mode.EXACT][sequence][test].p_values == pytest.approx([expected], abs=1e-6)


@pytest.mark.parametrize("sequence", SEQUENCES)
@pytest.mark.parametrize(("test", "index"), [key for key in PRINTED if key[0] not in CORRECTED])
def test_every_other_value_is_the_same_in_both_modes(results, sequence, test, index):
    exact, nist = (results[mode][sequence][test].p_values[index] for mode in (Mode.EXACT, Mode.NIST_2_1_2))
    # Cumulative sums of e: other limits of the same sums.
    assert exact == pytest.approx(nist, abs=2e-6)
