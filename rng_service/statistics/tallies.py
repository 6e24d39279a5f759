"""What tests said, counted test by test for a report: however many sequences there are, it stays small."""

from dataclasses import dataclass, field
from typing import Any

from rng_service.statistics.report import BINS, ReportedTest
from stats_tests.results import TestResult

__all__ = ["Tally"]


@dataclass(slots=True)
class _Line:
    lists: tuple[str, ...]
    asked: int = 0
    skipped: int = 0
    reason: str | None = None
    p_values: int = 0
    smallest: float | None = None
    histogram: list[int] = field(default_factory=lambda: [0] * BINS)
    statistics: dict[str, Any] = field(default_factory=dict)


class Tally:
    """Counts the results of one ``battery``."""

    def __init__(self, battery: str) -> None:
        self._battery = battery
        self._lines: dict[tuple[str, str], _Line] = {}

    def add(self, result: TestResult, *, subject: str, lists: tuple[str, ...]) -> None:
        """Count one more result; the statistics kept are those of the last one."""
        line = self._lines.get((result.name, subject))
        if line is None:
            line = self._lines[result.name, subject] = _Line(lists)
        line.asked += 1
        if result.reason is not None:
            line.skipped += 1
            line.reason = line.reason or result.reason
        for p_value in result.p_values:
            if p_value is None:
                continue
            line.p_values += 1
            line.histogram[min(int(p_value * BINS), BINS - 1)] += 1
            if line.smallest is None or p_value < line.smallest:
                line.smallest = p_value
        line.statistics = dict(result.statistics)

    def tests(self) -> tuple[ReportedTest, ...]:
        """Return every test that was heard of, in the order of the first time."""
        return tuple(
            ReportedTest(
                battery=self._battery,
                name=name,
                subject=subject,
                lists=line.lists,
                asked=line.asked,
                skipped=line.skipped,
                reason=line.reason,
                p_values=line.p_values,
                smallest=line.smallest,
                histogram=tuple(line.histogram),
                statistics=line.statistics,
            )
            for (name, subject), line in self._lines.items()
        )
