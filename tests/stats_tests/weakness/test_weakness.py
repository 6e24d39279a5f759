"""The cheap tests of raw bits: what they find, that they let good generators pass, and exact laws."""

import io
from collections import Counter
from itertools import pairwise, product
from math import exp

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from weak_generators import (
    aes,
    congruential,
    java,
    low_bits_of_a_congruential,
    mersenne_twister,
    repeating,
    xorshift128plus,
)

from stats_tests.linear_complexity import linear_complexities
from stats_tests.weakness import (
    SAMPLE_BYTES,
    WEAKNESS,
    BirthdayPairs,
    BirthdayWords,
    BitPlaneComplexity,
    LongBitPlaneComplexity,
    MatrixRank,
    StreamDuplicates,
    run_weakness,
    run_weakness_stream,
)
from stats_tests.weakness.birthday import equal_spacings
from stats_tests.weakness.bit_planes import complexity_at_most, linear_complexity
from stats_tests.weakness.matrix_rank import deficiency_law, rank
from stats_tests.weakness.words import bit_plane, words

FAILS = 1e-6


def smallest(test, data):
    assert test.unsuitable(len(data)) is None
    return test.run(data).smallest


def test_java_util_random_is_found_by_birthday_spacings_of_pairs():
    assert smallest(BirthdayPairs(), java(8_000_000)) < FAILS


def test_java_util_random_is_also_found_by_ranks_of_its_low_plane():
    assert smallest(MatrixRank(256, matrices=16), java(8_500_000)) < FAILS


def test_xorshift128plus_is_found_by_its_lowest_bit():
    data = xorshift128plus(BitPlaneComplexity().bits * 8)
    result = BitPlaneComplexity().run(data)
    assert result.p_values[0] < FAILS
    assert result.statistics["lowest"] == 128
    assert result.statistics["plane"] == 63


def test_the_mersenne_twister_is_found_by_long_blocks_only():
    data = mersenne_twister(41_000 * 8)
    assert BitPlaneComplexity().run(data).p_values[0] > 1e-4
    result = LongBitPlaneComplexity(planes=(31,)).run(data)
    assert result.p_values[0] < FAILS
    assert result.statistics["lowest"] == 19_937


def test_a_stream_that_repeats_every_mebibyte_is_found_by_duplicates():
    results = {result.name: result for result in run_weakness(repeating(2_200_000), suite=())}
    assert results["duplicates, whole stream"].p_values[0] < FAILS


def test_low_bits_of_a_congruential_generator_are_found():
    data = low_bits_of_a_congruential(2_048 * 8)
    result = BitPlaneComplexity().run(data)
    assert result.p_values[0] == 0.0
    assert result.statistics["lowest"] <= 2


def test_a_counter_multiplied_by_the_golden_ratio_is_found_by_birthday_spacings():
    data = congruential(400_000, multiplier=1, increment=0x9E3779B9, bits=32, shift=0)
    assert smallest(BirthdayWords(), data) < FAILS


def test_xorshift32_is_found_by_ranks_of_64():
    state, out = 2_463_534_242, []
    for _ in range(20_000):
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        out.append(state)
    assert smallest(MatrixRank(64, matrices=64), np.array(out, dtype=">u4").view(np.uint8)) < FAILS


def test_a_good_generator_passes_everything():
    found = [result for key in range(3) for result in run_weakness(aes(1_500_000, key))]
    p_values = [p_value for result in found for p_value in result.p_values if p_value is not None]
    assert len(p_values) > 30
    assert min(p_values) > 1e-4


def test_short_tests_are_calibrated():
    columns = Counter()
    runs = 60
    for key in range(runs):
        data = aes(160_000, key)
        for test in (BirthdayWords(rounds=4), BirthdayPairs(), BitPlaneComplexity(256), MatrixRank(64, matrices=16)):
            for index, p_value in enumerate(test.run(data).p_values):
                for level in (0.05, 0.3):
                    columns[test.name, index, level] += p_value is not None and p_value <= level
    assert len(columns) >= 14
    for (name, index, level), small in columns.items():
        assert stats.binom.sf(small - 1, runs, level) > 1e-6, (name, index, level)


@pytest.mark.parametrize("size", [0, 1, 15, 16, 1_000, 40_000, 200_000])
def test_short_input_is_answered_with_reasons(size):
    results = list(run_weakness(aes(size)))
    assert len(results) == len(WEAKNESS) + 1
    assert len({result.name for result in results}) == len(results)
    for result in results:
        assert result.reason is not None or None not in result.p_values
        if None in result.p_values:
            assert str(size) in result.reason


def test_a_stream_is_tested_like_the_same_bytes_in_memory():
    data = aes(700_000)
    whole = [result.as_json() for result in run_weakness(data)]
    cut = run_weakness_stream(data[:300_000].tobytes(), io.BytesIO(data[300_000:].tobytes()))
    assert [result.as_json() for result in cut][-1] == whole[-1]
    assert SAMPLE_BYTES * 8 == 640_000_000


@given(st.lists(st.integers(1, 400), max_size=8), st.integers(0, 4))
@settings(max_examples=30)
def test_duplicates_do_not_depend_on_how_the_stream_is_cut(cuts, gap):
    first = aes(1_200)
    data = np.concatenate([first, aes(400 + 4 * gap, 1), first[200:800]])
    duplicates = StreamDuplicates(most=4_096)
    place = 0
    for cut in cuts:
        duplicates.update(data[place : place + cut])
        place += cut
    duplicates.update(data[place:])
    slow = [data[at : at + 16].tobytes() for at in range(0, len(data) - 15, 4)]
    assert duplicates.result().statistics["repeated"] == len(slow) - len(set(slow)) == 147
    assert duplicates.result().p_values[0] < FAILS


def test_memory_for_duplicates_is_bounded_and_long_repeats_are_still_found():
    block = aes(200_000)
    duplicates = StreamDuplicates(most=2_000)
    for _ in range(2):
        duplicates.update(block)
        assert duplicates._kept_count <= 2_000
    result = duplicates.result()
    assert result.statistics["one_kept_of"] > 8
    assert result.p_values[0] < FAILS
    fresh = StreamDuplicates(most=2_000)
    fresh.update(aes(400_000))
    assert fresh.result().p_values == (1.0,)


@given(st.lists(st.integers(0, 60), min_size=2, max_size=12))
def test_equal_spacings_are_counted_as_by_hand(points):
    ordered = sorted(points)
    spacings = [b - a for a, b in pairwise(ordered)]
    assert equal_spacings(np.array(points, dtype=np.uint64)) == len(spacings) - len(set(spacings))


@given(st.lists(st.integers(0, 1), min_size=1, max_size=80))
def test_both_ways_to_find_linear_complexity_agree(bits):
    packed = np.packbits(np.array(bits, dtype=np.uint8))[np.newaxis]
    assert linear_complexity(np.array(bits, dtype=np.uint8)) == int(linear_complexities(packed, len(bits))[0])


@pytest.mark.parametrize("bits", [1, 2, 5, 6, 9])
def test_the_law_of_linear_complexity_is_enumerated(bits):
    counts = Counter(linear_complexity(np.array(word, dtype=np.uint8)) for word in product((0, 1), repeat=bits))
    for complexity in range(bits + 1):
        expected = sum(counts[lower] for lower in range(complexity + 1)) / 2**bits
        assert complexity_at_most(complexity, bits) == pytest.approx(expected, abs=1e-15)
    assert complexity_at_most(-1, bits) == 0.0


def test_hopeless_complexities_underflow_quietly():
    assert complexity_at_most(2, 41_000) == 0.0
    assert complexity_at_most(20_499, 41_000) == pytest.approx(2 / 3 / 4)


@given(st.integers(1, 10), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_ranks_are_those_of_elimination_with_integers(rows, seed):
    rng = np.random.default_rng(seed)
    matrix = rng.integers(0, 256, (rows, 8), dtype=np.uint8) & rng.integers(0, 2, (rows, 1), dtype=np.uint8) * 3
    basis = []
    for row in matrix:
        value = int.from_bytes(row.tobytes(), "big")
        for other in basis:
            value = min(value, value ^ other)
        if value:
            basis.append(value)
            basis.sort(reverse=True)
    kept = matrix.copy()
    assert rank(matrix) == len(basis)
    assert (matrix == kept).all()


def test_the_law_of_ranks_is_the_published_one_and_enumerated():
    assert deficiency_law(32)[:3] == pytest.approx([0.288788, 0.577576, 0.128350], abs=1e-6)
    assert deficiency_law(1_024).sum() == pytest.approx(1.0, abs=1e-9)
    counts = Counter()
    for cells in product((0, 1), repeat=9):
        rows = [int("".join(map(str, cells[start : start + 3])), 2) for start in (0, 3, 6)]
        spanned = {0}
        for row in rows:
            spanned |= {row ^ other for other in spanned}
        counts[3 - (len(spanned).bit_length() - 1)] += 1
    assert deficiency_law(3) == pytest.approx([counts[missing] / 512 for missing in range(4)])


def test_words_and_planes_are_cut_from_the_stream_in_order():
    data = np.arange(1, 25, dtype=np.uint8)
    assert words(data[:10], 32, "big").tolist() == [0x01020304, 0x05060708]
    assert words(data, 64, "little")[0] == 0x0807060504030201
    assert bit_plane(data, 64, 63, 3).tolist() == [0, 0, 0]
    assert bit_plane(data, 64, 7, 3).tolist() == [1, 1, 1]
    assert bit_plane(data, 64, 4, 3).tolist() == [0, 1, 0]


def test_the_expected_number_of_equal_spacings_is_marsaglias():
    result = BirthdayWords(rounds=2).run(aes(40_000))
    assert result.statistics["expected"] == 8.0
    assert 2 * exp(-8.0) < result.smallest <= 1.0


def test_nothing_is_written_to_the_input():
    data = aes(200_000).copy()
    data.flags.writeable = False
    before = data.tobytes()
    list(run_weakness(data))
    assert data.tobytes() == before
