"""The cheap tests that find what SP 800-22 passes: java.util.Random, MWC1616, xorshift128+, MT19937, short periods."""

from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.results import TestResult, not_applicable
from stats_tests.weakness.birthday import BirthdayPairs, BirthdayWords
from stats_tests.weakness.bit_planes import BitPlaneComplexity, LongBitPlaneComplexity
from stats_tests.weakness.duplicates import StreamDuplicates
from stats_tests.weakness.matrix_rank import MatrixRank
from stats_tests.weakness.plane_frequency import BitPlaneFrequency
from stats_tests.weakness.protocol import WeaknessTest

__all__ = ["SAMPLE_BYTES", "WEAKNESS", "run_on_sample", "run_weakness", "run_weakness_stream"]

# What the tests that need all of their input at once look at; the duplicates look at the whole stream.
SAMPLE_BYTES: Final = 80_000_000
_PART_BYTES: Final = 1 << 22

WEAKNESS: Final[tuple[WeaknessTest, ...]] = (
    BitPlaneFrequency(),
    BirthdayWords(),
    BirthdayPairs(),
    BitPlaneComplexity(),
    LongBitPlaneComplexity(),
    MatrixRank(64, matrices=64),
    MatrixRank(256, matrices=16),
    MatrixRank(1_024, matrices=2),
)


def run_weakness(data: NDArray[np.uint8], suite: Sequence[WeaknessTest] = WEAKNESS) -> Iterator[TestResult]:
    """Yield the result of each test of ``suite`` and of the duplicates, on ``data``, one dimension of bytes.

    The first 80 MB are all that ``suite`` looks at. What is too short for a test gives None and the reason.
    """
    yield from run_on_sample(data[:SAMPLE_BYTES], suite)
    duplicates = StreamDuplicates()
    duplicates.update(data)
    yield duplicates.result()


def run_weakness_stream(
    sample: bytes, rest: BinaryIO, suite: Sequence[WeaknessTest] = WEAKNESS
) -> Iterator[TestResult]:
    """Do the same on ``sample``, at most 80 MB, and what follows it in ``rest``, of any length."""
    data = np.frombuffer(sample, dtype=np.uint8)
    yield from run_on_sample(data, suite)
    duplicates = StreamDuplicates()
    duplicates.update(data)
    while part := rest.read(_PART_BYTES):
        duplicates.update(np.frombuffer(part, dtype=np.uint8))
    yield duplicates.result()


def run_on_sample(data: NDArray[np.uint8], suite: Sequence[WeaknessTest] = WEAKNESS) -> Iterator[TestResult]:
    """Yield the result of each test of ``suite``, without the duplicates, on all of ``data``."""
    for test in suite:
        reason = test.unsuitable(len(data))
        if reason is None:
            yield test.run(data)
        else:
            yield not_applicable(test.name, test.p_value_count, f"{reason}, and there are {len(data)}")
