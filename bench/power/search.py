"""Doubling the size until a battery says fail, with one error rate over all the looks that this takes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.power.batteries import Question
from stats_tests.multiple import Hypothesis, Thresholds, Verdict, decide

__all__ = ["ERROR_RATE", "Finding", "caught_by", "search", "thresholds_of"]

# The chance that a perfect source is called bad at any size of a search, at most.
ERROR_RATE = 1e-4


@dataclass(frozen=True, slots=True)
class Finding:
    """What one battery said of one source: at which size it failed, and which tests said so; or that it never did.

    ``smallest`` is the smallest P-value after Holm's correction at the last look.
    """

    caught: bool
    size: int
    unit: str
    tests: tuple[str, ...]
    smallest: float | None
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        return {
            "caught": self.caught,
            "size": self.size,
            "unit": self.unit,
            "tests": list(self.tests),
            "smallest_adjusted_p": self.smallest,
            "seconds": round(self.seconds, 2),
        }


def thresholds_of(question: Question) -> Thresholds:
    """Return the bounds of one look: every size of the search may spend an equal part of the error rate."""
    return Thresholds(fail=ERROR_RATE / len(question.sizes))


def search(question: Question) -> Finding:
    """Look at every size of ``question`` in turn until one fails."""
    started = time.perf_counter()
    thresholds = thresholds_of(question)
    smallest: float | None = None
    for size, found in zip(question.sizes, question.ask(question.sizes), strict=False):
        tests, smallest = caught_by(found, thresholds)
        if tests:
            return Finding(True, size, question.unit, tests, smallest, time.perf_counter() - started)
    return Finding(False, question.sizes[-1], question.unit, (), smallest, time.perf_counter() - started)


def caught_by(found: Sequence[Hypothesis], thresholds: Thresholds) -> tuple[tuple[str, ...], float | None]:
    """Return the tests behind a failure, the most extreme first, none without one; and the smallest corrected P-value.

    Labels lose their index, and a test that failed in several places is named once. Nothing applicable is no failure:
    the size is too small for the question.
    """
    if not found:
        return (), None
    decision = decide(found, thresholds)
    if decision.verdict is not Verdict.FAIL:
        return (), decision.smallest
    names = [label.split("[")[0] for label in decision.rejected]
    return tuple(dict.fromkeys(names)), decision.smallest
