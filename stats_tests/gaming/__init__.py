"""The gaming battery: statistical tests of outcomes as players see them, chosen by the outcome's shape."""

from stats_tests.gaming.battery import PlannedTest, battery_for, hypotheses, run
from stats_tests.gaming.interplay import interplay
from stats_tests.gaming.lists import GamingResult, PublishedList
from stats_tests.gaming.outcomes import Impossible, Outcomes, outcomes_of
from stats_tests.gaming.shape import OutcomeShape, Part, Permutation, Stops, Uniform, Weighted, WithoutReplacement
from stats_tests.gaming.subsequences import Split

__all__ = [
    "GamingResult",
    "Impossible",
    "OutcomeShape",
    "Outcomes",
    "Part",
    "Permutation",
    "PlannedTest",
    "PublishedList",
    "Split",
    "Stops",
    "Uniform",
    "Weighted",
    "WithoutReplacement",
    "battery_for",
    "hypotheses",
    "interplay",
    "outcomes_of",
    "run",
]
