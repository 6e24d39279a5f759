"""The worked examples of SP 800-22 Rev. 1a; where its print is wrong, what its own formula gives, and why it differs."""

from pathlib import Path

import numpy as np
import pytest

from stats_tests.bits import batch_of_bytes, batch_of_text
from stats_tests.linear_complexity import linear_complexities
from stats_tests.nist import (
    ApproximateEntropy,
    BlockFrequency,
    CumulativeSums,
    Dft,
    Frequency,
    LinearComplexity,
    LongestRun,
    Mode,
    NonOverlappingTemplate,
    OverlappingTemplate,
    Rank,
    Runs,
    Serial,
    Universal,
)
from stats_tests.nist import random_excursions as excursions_test
from stats_tests.nist import random_excursions_variant as variant_test
from stats_tests.nist.excursions import excursions
from stats_tests.nist.non_overlapping_template import templates
from stats_tests.nist.overlapping_template import approximate_probabilities
from stats_tests.nist.rank import p_value_of_counts, ranks
from stats_tests.special import chi_squared_tail

VECTORS = Path(__file__).parents[2] / "vectors/sp800-22"
PI_100 = (
    "11001001000011111101101010100010001000010110100011"
    "00001000110100110001001100011001100010100010111000"
)  # fmt: skip
LONGEST_RUN_128 = (
    "11001100000101010110110001001100111000000000001001001101010100010001001111010110100000001101011111001100"
    "111001101101100010110010"
)


def p_values(test, text, mode=Mode.EXACT):
    return test.run(batch_of_text(text), mode)[0].p_values


@pytest.fixture(scope="module")
def e():
    return (VECTORS / "e.1e6.bin").read_bytes()


@pytest.mark.parametrize(
    ("section", "test", "text", "expected"),
    [
        ("2.1.4", Frequency(), "1011010101", [0.527089]),
        ("2.1.8", Frequency(), PI_100, [0.109599]),
        ("2.2.4", BlockFrequency(3), "0110011010", [0.801252]),
        ("2.2.8", BlockFrequency(10), PI_100, [0.706438]),
        ("2.3.4", Runs(), "1001101011", [0.147232]),
        ("2.3.8", Runs(), PI_100, [0.500798]),
        # The text rounds its π to four places in one of its two forms.
        ("2.4.8", LongestRun(), LONGEST_RUN_128, [0.180609]),
        ("2.11.6", Serial(3), "0011011101", [0.808792, 0.670320]),
        ("2.12.4", ApproximateEntropy(3), "0100110101", [0.261961]),
        ("2.12.8", ApproximateEntropy(2), PI_100, [0.235301]),
        ("2.13.8", CumulativeSums(), PI_100, [0.219194, 0.114866]),
    ],
)
def test_an_example_comes_out_as_printed(section, test, text, expected):
    assert p_values(test, text) == pytest.approx(expected, abs=1e-6)


def test_the_spectral_examples_come_out_by_todays_formula():
    # 0.029523 and 0.168669 are printed: they belong to the formula of the first edition.
    assert p_values(Dft(), "1001010011", Mode.NIST_2_1_2) == pytest.approx([0.468160], abs=1e-6)
    assert p_values(Dft(), PI_100, Mode.NIST_2_1_2) == pytest.approx([0.646355], abs=1e-6)


def test_the_sums_of_a_walk_of_ten_bits_depend_on_where_they_stop():
    # Printed: 0.4116588. Its sums end where C's integer division says; with the text's own limits it were 0.411585, and
    # with all terms it is what the exact mode says. From a hundred bits on the three are the same.
    assert p_values(CumulativeSums(), "1011010111", Mode.NIST_2_1_2)[0] == pytest.approx(0.4116588, abs=1e-6)
    assert p_values(CumulativeSums(), "1011010111", Mode.EXACT)[0] == pytest.approx(0.4115108, abs=1e-6)


def test_two_matrices_of_three_by_three_have_the_ranks_of_the_text():
    # 2.5.4 uses the probabilities of 32 by 32, rounded.
    matrices = np.array([[0b010, 0b101], [0b110, 0b010], [0b010, 0b011]], dtype=np.uint32)
    assert sorted(ranks(matrices).tolist()) == [2, 3]
    assert p_value_of_counts((1, 1, 0), (0.2888, 0.5776, 0.1336))[0] == pytest.approx(0.741948, abs=1e-6)


def test_a_template_of_three_bits_in_two_blocks():
    found = p_values(NonOverlappingTemplate(3, 2), "10100100101110010110")
    assert found[templates(3).index(0b001)] == pytest.approx(0.344154, abs=1e-6)


def test_two_ones_in_five_blocks_of_ten():
    # 2.8.4 counts 0, 1, 1, 1, 1, 1 blocks with 0, 1, 2, 3, 4 and more occurrences; its own fifty bits have these:
    text = "10111011110010110100011100101110111110000101101001"
    result = OverlappingTemplate(2, 10).run(batch_of_text(text), Mode.NIST_2_1_2)[0]
    assert result.statistics["counts"] == [0, 2, 0, 1, 1, 1]
    # Its probabilities and the χ² of its counts are right; its P-value, .274932, takes χ² where χ²/2 belongs.
    law = np.array(approximate_probabilities(2, 10))
    assert law == pytest.approx([0.324652, 0.182617, 0.142670, 0.106645, 0.077147, 0.166269], abs=1e-6)
    chi_squared = float(np.sum((np.array([0, 1, 1, 1, 1, 1]) - 5 * law) ** 2 / (5 * law)))
    assert chi_squared == pytest.approx(3.167729, abs=2e-5)
    assert float(chi_squared_tail(5, 2 * 3.167729)) == pytest.approx(0.274932, abs=1e-6)


def test_the_mean_distance_of_twenty_bits():
    # The text's P-value, .767189, takes √variance for the deviation; the formula before it does not.
    result = Universal(2, 4).run(batch_of_text("01011010011101010111"), Mode.EXACT)[0]
    assert result.statistics["mean"] == pytest.approx(1.1949875, abs=1e-7)
    assert result.p_values == pytest.approx([0.063454], abs=1e-6)


def test_the_block_of_thirteen_bits_has_complexity_four():
    assert linear_complexities(np.packbits([[1, 1, 0, 1, 0, 1, 1, 1, 1, 0, 0, 0, 1]], axis=1), 13).tolist() == [4]


def test_the_excursions_of_ten_bits():
    found = excursions(batch_of_text("0110110101"))[0]
    assert found.cycles == 3
    # .502529 is printed, from probabilities rounded to four places.
    assert excursions_test.state_p_values(found, Mode.EXACT)[4] == pytest.approx(0.502488, abs=1e-6)
    assert variant_test.state_p_values(found)[9] == pytest.approx(0.683091, abs=1e-6)


def test_the_blocks_of_e_hold_as_many_runs_of_nine_as_the_text_says(e):
    result = OverlappingTemplate().run(batch_of_bytes(e), Mode.NIST_2_1_2)[0]
    assert result.statistics["counts"] == [329, 164, 150, 111, 78, 136]
    assert result.p_values == pytest.approx([0.110434], abs=1e-6)
    assert OverlappingTemplate().run(batch_of_bytes(e), Mode.EXACT)[0].p_values == pytest.approx([0.159037], abs=1e-6)


@pytest.mark.parametrize(
    ("section", "test", "bits", "mode", "expected"),
    [
        ("2.5.8", Rank(), 100_000, Mode.EXACT, [0.532069]),
        ("2.10.8", LinearComplexity(1000), 1_000_000, Mode.NIST_2_1_2, [0.845406]),
        ("2.10.8 with 1/96", LinearComplexity(1000), 1_000_000, Mode.EXACT, [0.844738]),
        ("2.11.8", Serial(2), 1_000_000, Mode.EXACT, [0.843764, 0.561915]),
    ],
)
def test_an_example_on_the_digits_of_e(e, section, test, bits, mode, expected):
    assert test.run(batch_of_bytes(e, bits), mode)[0].p_values == pytest.approx(expected, abs=1e-6)


def test_the_excursions_of_e(e):
    found = excursions(batch_of_bytes(e))[0]
    assert found.cycles == 1490
    # x = +1 is printed as .778616 in 2.14.8, and as .786868 in appendix B: the latter is right.
    expected = (0.573306, 0.197996, 0.164011, 0.007779, 0.786868, 0.440912, 0.797854, 0.778186)
    assert excursions_test.state_p_values(found, Mode.NIST_2_1_2) == pytest.approx(expected, abs=1e-6)
    every_state = (
        *(0.858946, 0.794755, 0.576249, 0.493417, 0.633873, 0.917283, 0.934708, 0.816012, 0.826009),
        *(0.137861, 0.200642, 0.441254, 0.939291, 0.505683, 0.445935, 0.512207, 0.538635, 0.593930),
    )
    assert variant_test.state_p_values(found) == pytest.approx(every_state, abs=1e-6)
