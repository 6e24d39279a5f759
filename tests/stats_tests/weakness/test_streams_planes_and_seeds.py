"""Tests across streams, of single bit planes, and of short seeds: exact laws, what they find, what they pass."""

from itertools import product

import numpy as np
import pytest
from scipy import stats
from weak_generators import aes

from stats_tests.errors import InputError
from stats_tests.weakness import WEAKNESS, AcrossStreams, BitPlaneFrequency, search_seeds
from stats_tests.weakness.plane_frequency import ones_in_planes


def streams(count, size, first=0):
    return np.stack([aes(size, first + key) for key in range(count)])


def test_ones_are_counted_in_each_of_the_64_planes():
    data = aes(1_003)
    slow = np.unpackbits(data[:1_000]).reshape(-1, 64).sum(axis=0)
    assert ones_in_planes(data).tolist() == slow.tolist()


def test_the_first_p_value_of_planes_is_the_exact_binomial_one_of_all_bits():
    data = aes(2_000)
    ones = int(np.unpackbits(data).sum())
    expected = min(1.0, 2 * min(stats.binom.cdf(ones, 16_000, 0.5), stats.binom.sf(ones - 1, 16_000, 0.5)))
    assert BitPlaneFrequency().run(data).p_values[0] == pytest.approx(expected)


def test_a_bit_that_is_stuck_once_in_a_hundred_words_is_found_in_its_plane():
    data = aes(8_000_000).copy()
    stuck = np.random.default_rng(1).random(1_000_000) < 0.01
    data[3::8][stuck] |= 0x10
    result = BitPlaneFrequency().run(data)
    assert result.p_values[0] > 1e-3
    assert result.p_values[4] < 1e-6
    assert result.statistics["words of 64"]["plane"] == 3 * 8 + 3


def test_planes_are_part_of_the_battery_and_need_a_hundred_words():
    assert next(test.name for test in WEAKNESS) == "bit-plane frequency"
    assert "800 bytes" in BitPlaneFrequency().unsuitable(799)
    assert BitPlaneFrequency().unsuitable(800) is None


def test_the_laws_of_planes_and_streams_are_kept():
    runs = 300
    found = []
    for key in range(runs):
        planes = BitPlaneFrequency().run(aes(4_000, key)).p_values
        across = AcrossStreams().run(streams(3, 400, 1_000 + 3 * key)).p_values
        found.append([*planes, across[2]])
        assert across[:2] == (1.0, 1.0)
    for level in (0.01, 0.1, 0.4):
        for column in np.array(found).T:
            small = int(np.count_nonzero(column <= level))
            assert stats.binom.sf(small - 1, runs, level) > 1e-5
            # Counts are whole numbers: P-values may be too large, but not much.
            assert stats.binom.cdf(small, runs, level * 0.8) > 1e-5


def test_agreement_of_two_short_streams_is_enumerated():
    # Of all pairs of streams that differ in d of 128 bits or in 128 - d, the share is the P-value.
    first = aes(16)
    for flipped in (0, 40, 64, 90, 128):
        mask = np.packbits(np.arange(128) < flipped)
        distance = abs(64 - flipped)
        expected = sum(stats.binom.pmf(count, 128, 0.5) for count in range(129) if abs(64 - count) >= distance)
        found = AcrossStreams().run(np.stack([first, first ^ mask])).p_values[2]
        assert found == pytest.approx(min(1.0, expected), rel=1e-9)


def test_two_streams_from_one_seed_are_found_by_their_beginning():
    rows = streams(5, 64)
    rows[4] = rows[1]
    result = AcrossStreams().run(rows)
    assert result.p_values[0] == pytest.approx(5 * 4 / 2.0**129)
    assert result.p_values[1] < 1e-30
    assert result.statistics["shared_beginnings"] == 1


def test_a_stream_that_begins_later_in_another_is_found_anywhere():
    rows = streams(3, 4_000)
    rows[2, :2_000] = rows[0, 2_000:]
    result = AcrossStreams().run(rows)
    assert result.p_values[0] == 1.0
    assert result.p_values[1] < 1e-30


def test_streams_that_agree_a_little_too_often_are_found_by_agreement():
    rows = streams(2, 20_000)
    copied = np.random.default_rng(2).random(20_000) < 0.05
    rows[1][copied] = rows[0][copied]
    result = AcrossStreams().run(rows)
    assert result.p_values[2] < 1e-9
    assert result.statistics["most_extreme_pair"] == 0


@pytest.mark.parametrize("shape", [(1, 64), (2, 15), (64,)])
def test_what_is_no_row_of_streams_is_refused(shape):
    with pytest.raises(InputError, match="at least two streams"):
        AcrossStreams().run(np.zeros(shape, dtype=np.uint8))


def test_a_short_seed_is_found_by_trying_all_of_them():
    rows = streams(300, 16)
    found = search_seeds(rows[217].tobytes(), [rows[:100], rows[100:]], seeds=300)
    assert found.statistics["seed"] == 217
    assert found.p_values[0] == pytest.approx(300 * 2.0**-128)
    missed = search_seeds(aes(16, 999).tobytes(), [rows], seeds=300)
    assert missed.p_values == (1.0,)
    assert missed.statistics["seed"] is None


@pytest.mark.parametrize(("size", "announced", "said"), [(7, 4, "too few"), (16, 3, "announced"), (17, 4, "17 bytes")])
def test_a_seed_search_that_means_nothing_is_refused(size, announced, said):
    with pytest.raises(InputError, match=said):
        search_seeds(bytes(size), [streams(4, 16)], seeds=announced)


def test_the_first_of_two_equal_seeds_is_named():
    rows = streams(2, 8)
    assert [
        search_seeds(rows[0].tobytes(), [np.stack([rows[i] for i in order])], seeds=3).statistics["seed"]
        for order in product((0, 1), repeat=3)
        if 0 in order
    ] == [0, 0, 0, 0, 1, 1, 2]
