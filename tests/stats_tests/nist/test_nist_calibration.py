"""A good source over hundreds of sequences: every column uniform, and no verdict of failure."""

import io

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from stats_tests.bits import SequenceReader
from stats_tests.multiple import Verdict, decide
from stats_tests.nist import Mode, run_stream
from stats_tests.second_level import SecondLevel

SEQUENCES = 240


@pytest.mark.slow
@pytest.mark.parametrize("mode", Mode)
def test_aes_in_counter_mode_fails_in_no_column(mode):
    stream = Cipher(algorithms.AES(bytes(32)), modes.CTR(bytes(16))).encryptor().update(bytes(SEQUENCES * 125_000))
    level = SecondLevel(as_nist=mode is Mode.NIST_2_1_2)
    level.add(run_stream(SequenceReader(io.BytesIO(stream)), mode=mode))
    assert level.sequences == SEQUENCES
    for column in level.columns():
        # 376 questions with fixed answers: the smallest would be near 1/376 by chance.
        assert column.uniformity_p > 1e-4
        assert column.proportion_p > 1e-4
        # About four of ten sequences have too few cycles.
        expected = 0.6 * SEQUENCES if column.test.startswith("random_excursions") else SEQUENCES
        assert abs(column.sequences - expected) < 40
    # Of these very bits, template 000100011 in sequence 227 has P = 7e-9, and a slow count of it says the same. Such
    # P-values are not as rare as they say (`far_out`), and there are 45,000 of them here.
    assert min(column.smallest for column in level.columns()) < 1e-8
    decision = decide(level.hypotheses())
    assert decision.verdict is Verdict.PASS
    assert decision.rejected == ()
