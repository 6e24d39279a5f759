"""Tests of raw bits that catch weak generators at little cost, where SP 800-22 does not."""

from stats_tests.weakness.battery import SAMPLE_BYTES, WEAKNESS, run_on_sample, run_weakness, run_weakness_stream
from stats_tests.weakness.birthday import BirthdayPairs, BirthdayWords
from stats_tests.weakness.bit_planes import BitPlaneComplexity, LongBitPlaneComplexity
from stats_tests.weakness.duplicates import StreamDuplicates
from stats_tests.weakness.matrix_rank import MatrixRank
from stats_tests.weakness.plane_frequency import BitPlaneFrequency
from stats_tests.weakness.protocol import WeaknessTest
from stats_tests.weakness.seed_search import search_seeds
from stats_tests.weakness.streams import AcrossStreams

__all__ = [
    "SAMPLE_BYTES",
    "WEAKNESS",
    "AcrossStreams",
    "BirthdayPairs",
    "BirthdayWords",
    "BitPlaneComplexity",
    "BitPlaneFrequency",
    "LongBitPlaneComplexity",
    "MatrixRank",
    "StreamDuplicates",
    "WeaknessTest",
    "run_on_sample",
    "run_weakness",
    "run_weakness_stream",
    "search_seeds",
]
