"""NIST SP 800-22 Rev. 1a: fifteen tests, 188 P-values, in exact arithmetic or as NIST's program computes them."""

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
from stats_tests.nist.running import NIST_WORD_BITS, run_stream, sequences_in_a_batch
from stats_tests.nist.runs import Runs
from stats_tests.nist.serial import Serial
from stats_tests.nist.suite import SUITE, run_batch
from stats_tests.nist.universal import Universal

__all__ = [
    "NIST_WORD_BITS",
    "SUITE",
    "ApproximateEntropy",
    "BlockFrequency",
    "CumulativeSums",
    "Dft",
    "Frequency",
    "LinearComplexity",
    "LongestRun",
    "Mode",
    "NistTest",
    "NonOverlappingTemplate",
    "OverlappingTemplate",
    "RandomExcursions",
    "RandomExcursionsVariant",
    "Rank",
    "Runs",
    "Serial",
    "Universal",
    "run_batch",
    "run_stream",
    "sequences_in_a_batch",
]
