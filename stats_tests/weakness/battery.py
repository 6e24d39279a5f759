"""The cheap tests that find what SP 800-22 passes: java.util.Random, MWC1616, xorshift128+, MT19937, short periods."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.results import TestResult, not_applicable
from stats_tests.weakness.birthday import BirthdayPairs, BirthdayWords
from stats_tests.weakness.bit_planes import BitPlaneComplexity, LongBitPlaneComplexity
from stats_tests.weakness.duplicates import StreamDuplicates
from stats_tests.weakness.matrix_rank import MatrixRank
from stats_tests.weakness.protocol import WeaknessTest

__all__ = ["SAMPLE_BYTES", "WEAKNESS", "run_weakness"]

# What the tests that need all of their input at once look at; the duplicates look at the whole stream.
SAMPLE_BYTES: Final = 40_000_000

WEAKNESS: Final[tuple[WeaknessTest, ...]] = (
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

    The first 40 MB are all that ``suite`` looks at. A stream that does not fit into memory is given to
    `StreamDuplicates` part by part instead. What is too short for a test gives None and the reason.
    """
    for test in suite:
        reason = test.unsuitable(len(data))
        if reason is None:
            yield test.run(data[:SAMPLE_BYTES])
        else:
            yield not_applicable(test.name, test.p_value_count, f"{reason}, and there are {len(data)}")
    duplicates = StreamDuplicates()
    duplicates.update(data)
    yield duplicates.result()
