"""Every fast test against a slow, obvious one, on random short sequences and with parameters of every kind."""

import numpy as np
import pytest
import slow_sp800_22 as slow
from hypothesis import given, settings
from hypothesis import strategies as st

from stats_tests.bits import Batch, batch_of_bits
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
    patterns,
    spectrum,
)
from stats_tests.nist import random_excursions as excursions_test
from stats_tests.nist import random_excursions_variant as variant_test
from stats_tests.nist.excursions import excursions
from stats_tests.nist.longest_run import class_probabilities
from stats_tests.nist.non_overlapping_template import templates
from stats_tests.nist.overlapping_template import approximate_probabilities, exact_probabilities


@st.composite
def batches(draw, least=1, most=300):
    """Two sequences of one length: random, biased, periodic, constant."""
    bits = draw(st.integers(least, most))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows = []
    for _ in range(2):
        kind = draw(st.sampled_from(["fair", "fair", "biased", "periodic", "constant"]))
        if kind == "fair":
            row = random.integers(0, 2, bits)
        elif kind == "biased":
            row = random.random(bits) < 0.8
        elif kind == "periodic":
            row = np.resize(random.integers(0, 2, draw(st.integers(1, 9))), bits)
        else:
            row = np.full(bits, draw(st.integers(0, 1)))
        rows.append(row)
    return batch_of_bits(np.array(rows, dtype=np.uint8))


def check(batch, found, slowly):
    assert len(found) == batch.sequences
    for bits, result in zip(batch.unpacked.tolist(), found, strict=True):
        assert result.p_values == pytest.approx(slowly(bits), abs=1e-9)


@given(batches())
def test_frequency(batch):
    check(batch, Frequency().run(batch, Mode.EXACT), slow.frequency)


@given(batches(least=17), st.integers(1, 17))
def test_block_frequency(batch, block_bits):
    found = BlockFrequency(block_bits).run(batch, Mode.EXACT)
    check(batch, found, lambda bits: slow.block_frequency(bits, block_bits))


@given(batches())
def test_runs(batch):
    check(batch, Runs().run(batch, Mode.EXACT), slow.runs)


@given(batches())
def test_cumulative_sums(batch):
    check(batch, CumulativeSums().run(batch, Mode.EXACT), slow.cumulative_sums)


@settings(max_examples=30)
@given(batches(least=128, most=600))
def test_longest_run_of_blocks_of_eight(batch):
    law = [0.21484375, 0.3671875, 0.23046875, 0.1875]
    check(batch, LongestRun().run(batch, Mode.NIST_2_1_2), lambda bits: slow.longest_run(bits, 8, 1, 4, law))


@settings(max_examples=5, deadline=None)
@given(batches(least=6272, most=6500))
def test_longest_run_of_blocks_of_128(batch):
    law = class_probabilities(128, 4, 9)
    check(batch, LongestRun().run(batch, Mode.EXACT), lambda bits: slow.longest_run(bits, 128, 4, 9, law))


@given(batches(least=64), st.integers(2, 8), st.integers(2, 8))
def test_ranks_of_small_matrices(batch, rows, columns):
    found = Rank(rows, columns).run(batch, Mode.EXACT)
    full = min(rows, columns)
    for bits, result in zip(batch.unpacked.tolist(), found, strict=True):
        ranks = slow.matrix_ranks(bits, rows, columns)
        counts = [ranks.count(full), ranks.count(full - 1)]
        assert result.statistics["counts"] == [*counts, len(ranks) - sum(counts)]


@settings(max_examples=5, deadline=None)
@given(batches(least=4096, most=4200))
def test_ranks_of_the_default_matrices(batch):
    found = Rank().run(batch, Mode.EXACT)
    for bits, result in zip(batch.unpacked.tolist(), found, strict=True):
        ranks = slow.matrix_ranks(bits, 32, 32)
        assert result.statistics["counts"] == [
            ranks.count(32), ranks.count(31), len(ranks) - ranks.count(32) - ranks.count(31)
        ]  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(batches(least=2, most=120))
def test_dft_of_short_sequences(batch):
    check(batch, Dft().run(batch, Mode.EXACT), lambda bits: slow.dft(bits, 3.8))


@pytest.mark.parametrize("bits", [65_536, 70_000, 100_000, 2 * 3 * 49_999])
def test_the_four_steps_count_the_bins_of_a_plain_transform(bits):
    random = np.random.default_rng(bits)
    rows = [random.integers(0, 2, bits) for _ in range(4)]
    rows += [
        np.ones(bits),
        np.arange(bits) % 2,
        np.resize(random.integers(0, 2, 1000), bits),
        random.random(bits) < 0.6,
    ]
    batch = batch_of_bits(np.array(rows, dtype=np.uint8))
    for threshold in (0.5, 2.995732274, 7.0):
        plain = np.abs(np.fft.rfft(batch.unpacked.astype(float) * 2 - 1, axis=1)[:, : bits // 2]) ** 2
        wanted = np.count_nonzero(plain < threshold * bits, axis=1).tolist()
        assert spectrum.peaks_below(batch, threshold) == wanted


def test_bins_at_the_threshold_are_decided_in_double_precision(monkeypatch):
    random = np.random.default_rng(7)
    batch = batch_of_bits(random.integers(0, 2, (2, 100_000)).astype(np.uint8))
    powers = np.abs(np.fft.rfft(batch.unpacked.astype(float) * 2 - 1, axis=1)[:, :50_000]) ** 2 / 100_000
    wanted = np.count_nonzero(powers < 3.0, axis=1).tolist()
    # So wide a margin that dozens of bins are computed again, and so wide a one that all are.
    for margin in (4e-5, 1e-2):
        monkeypatch.setattr(spectrum, "_ERROR", margin)
        assert spectrum.peaks_below(batch, 3.0) == wanted


@settings(deadline=None)
@given(batches(least=40), st.integers(2, 5), st.integers(1, 4))
def test_non_overlapping_templates(batch, template_bits, blocks):
    found = NonOverlappingTemplate(template_bits, blocks).run(batch, Mode.EXACT)
    words = slow.aperiodic(template_bits)
    assert [int("".join(map(str, word)), 2) for word in words] == list(templates(template_bits))
    check(batch, found, lambda bits: [slow.non_overlapping(bits, word, blocks) for word in words])


@settings(deadline=None)
@given(batches(least=100), st.integers(2, 12), st.integers(16, 40))
def test_overlapping_templates(batch, template_bits, block_bits):
    found = OverlappingTemplate(template_bits, block_bits).run(batch, Mode.EXACT)
    for bits, result in zip(batch.unpacked.tolist(), found, strict=True):
        assert result.statistics["counts"] == slow.overlapping_counts(bits, template_bits, block_bits)


@pytest.mark.parametrize(("template_bits", "block_bits"), [(2, 6), (2, 11), (3, 13), (5, 12)])
def test_the_law_of_overlapping_templates_is_that_of_all_blocks(template_bits, block_bits):
    wanted = slow.overlapping_probabilities(template_bits, block_bits)
    assert exact_probabilities(template_bits, block_bits) == pytest.approx(wanted, abs=1e-12)


def test_the_old_law_of_overlapping_templates_is_a_compound_poisson_law():
    assert approximate_probabilities(9, 1032) == pytest.approx(slow.poisson_clumps(1.0), abs=1e-12)


@given(batches(least=120), st.integers(2, 6), st.integers(1, 15))
def test_universal(batch, width, initial):
    for bits, result in zip(batch.unpacked.tolist(), Universal(width, initial).run(batch, Mode.EXACT), strict=True):
        assert result.statistics["mean"] == pytest.approx(slow.universal_mean(bits, width, initial), abs=1e-9)


def test_universal_with_blocks_of_more_than_a_byte():
    batch = batch_of_bits(np.random.default_rng(3).integers(0, 2, (1, 40_000)).astype(np.uint8))
    for width in (9, 12, 16):
        found = Universal(width, 1000).run(batch, Mode.EXACT)[0]
        wanted = slow.universal_mean(batch.unpacked[0].tolist(), width, 1000)
        assert found.statistics["mean"] == pytest.approx(wanted, abs=1e-9)


@given(batches(), st.integers(1, 5))
def test_approximate_entropy(batch, pattern_bits):
    found = ApproximateEntropy(pattern_bits).run(batch, Mode.EXACT)
    check(batch, found, lambda bits: slow.approximate_entropy(bits, pattern_bits))


@given(batches(), st.integers(2, 6))
def test_serial(batch, pattern_bits):
    check(batch, Serial(pattern_bits).run(batch, Mode.EXACT), lambda bits: slow.serial(bits, pattern_bits))


def test_patterns_of_a_long_sequence_are_counted_as_those_of_a_short_one():
    bits = np.random.default_rng(4).integers(0, 2, (2, 1 << 16)).astype(np.uint8)
    batch = batch_of_bits(bits)
    for width in (1, 3, 9, 10, 16):
        for row, counts in zip(bits, patterns.cyclic_pattern_counts(batch, width), strict=True):
            ring = np.concatenate([row, row[: width - 1]])
            values = sum(ring[i : i + len(row)].astype(int) << (width - 1 - i) for i in range(width))
            assert (counts == np.bincount(values, minlength=1 << width)).all()


@pytest.mark.parametrize("width", [1, 2, 7, 8, 9, 10, 11])
@pytest.mark.parametrize("blocks", [8, 5])
def test_patterns_inside_blocks_do_not_reach_out_of_them(width, blocks):
    bits = np.random.default_rng(width).integers(0, 2, (2, 1 << 16)).astype(np.uint8)
    size = bits.shape[1] // blocks
    found = patterns.block_pattern_counts(batch_of_bits(bits), width, blocks, size)
    for row, of_blocks in zip(bits, found, strict=True):
        for block in range(blocks):
            inside = row[block * size : (block + 1) * size]
            places = size - width + 1
            values = sum(inside[i : i + places].astype(int) << (width - 1 - i) for i in range(width))
            assert (of_blocks[block] == np.bincount(values, minlength=1 << width)).all()


@given(batches())
def test_random_excursions(batch):
    for bits, found in zip(batch.unpacked.tolist(), excursions(batch), strict=True):
        assert found.cycles == len(slow.cycles(bits))
        assert excursions_test.state_p_values(found, Mode.EXACT) == pytest.approx(
            slow.random_excursions(bits), abs=1e-9
        )
        wanted = slow.random_excursions_variant(bits)
        assert variant_test.state_p_values(found) == pytest.approx(wanted, abs=1e-9)


@settings(deadline=None)
@given(batches(least=60), st.integers(1, 60))
def test_linear_complexity(batch, block_bits):
    found = LinearComplexity(block_bits).run(batch, Mode.EXACT)
    for bits, result in zip(batch.unpacked.tolist(), found, strict=True):
        assert result.statistics["counts"] == slow.linear_complexity_counts(bits, block_bits)


@settings(deadline=None)
@given(st.integers(1, 90), st.integers(1, 130), st.integers(0, 2**32))
def test_linear_complexities_of_many_blocks(bits, blocks, seed):
    random = np.random.default_rng(seed)
    rows = random.integers(0, 2, (blocks, bits)).astype(np.uint8)
    # Long runs of zeros and early ends make registers jump; random bits never do.
    rows[::3, : random.integers(0, bits + 1)] = 0
    rows[1::3, random.integers(0, bits + 1) :] = 0
    found = linear_complexities(np.packbits(rows, axis=1), bits)
    assert found.tolist() == [slow.linear_complexity_of(row) for row in rows.tolist()]


def test_a_batch_refuses_bits_behind_its_end():
    with pytest.raises(ValueError, match="must be 0"):
        Batch(np.array([[0xFF]], dtype=np.uint8), 7)
