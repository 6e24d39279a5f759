"""The suite: fifteen tests with the published parameters, in the published order, on a batch of sequences."""

from collections.abc import Callable, Sequence
from typing import Final

from stats_tests.bits import Batch
from stats_tests.nist.approximate_entropy import ApproximateEntropy
from stats_tests.nist.block_frequency import BlockFrequency
from stats_tests.nist.cumulative_sums import CumulativeSums
from stats_tests.nist.dft import Dft
from stats_tests.nist.frequency import Frequency
from stats_tests.nist.linear_complexity import LinearComplexity
from stats_tests.nist.longest_run import LongestRun
from stats_tests.nist.mode import Mode
from stats_tests.nist.non_overlapping_template import NonOverlappingTemplate
from stats_tests.nist.overlapping_template import OverlappingTemplate
from stats_tests.nist.protocol import NistTest
from stats_tests.nist.random_excursions import RandomExcursions
from stats_tests.nist.random_excursions_variant import RandomExcursionsVariant
from stats_tests.nist.rank import Rank
from stats_tests.nist.runs import Runs
from stats_tests.nist.serial import Serial
from stats_tests.nist.universal import Universal
from stats_tests.results import SequenceResult, TestResult, not_applicable

__all__ = ["SUITE", "run_batch"]

# In the order of NIST's own menu and report: 188 P-values in all.
SUITE: Final[tuple[NistTest, ...]] = (
    Frequency(),
    BlockFrequency(),
    CumulativeSums(),
    Runs(),
    LongestRun(),
    Rank(),
    Dft(),
    NonOverlappingTemplate(),
    OverlappingTemplate(),
    Universal(),
    ApproximateEntropy(),
    RandomExcursions(),
    RandomExcursionsVariant(),
    Serial(),
    LinearComplexity(),
)


def run_batch(
    batch: Batch,
    *,
    mode: Mode = Mode.EXACT,
    suite: Sequence[NistTest] = SUITE,
    first_index: int = 0,
    before_test: Callable[[str], None] | None = None,
) -> list[SequenceResult]:
    """Run every test of ``suite`` on every sequence of ``batch``.

    A test for which the sequences are too short gives None and the reason. ``before_test`` is called with the name of
    each test; what it raises ends the run, which is how a run is cancelled between two tests.
    """
    columns: list[list[TestResult]] = []
    for test in suite:
        if before_test is not None:
            before_test(test.name)
        reason = test.unsuitable(batch.bits)
        if reason is None:
            columns.append(test.run(batch, mode))
        else:
            sentence = f"{reason}, and there are {batch.bits}"
            columns.append([not_applicable(test.name, test.p_value_count, sentence)] * batch.sequences)
    return [
        SequenceResult(first_index + row, batch.bits, tests) for row, tests in enumerate(zip(*columns, strict=True))
    ]
