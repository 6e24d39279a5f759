"""Which published list of tests a result belongs to."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from stats_tests.results import TestResult

__all__ = ["GamingResult", "PublishedList"]


class PublishedList(StrEnum):
    """GLI_2020 names seven tests of the final outcome; the older list of fifteen lives on in regulation."""

    GLI_2020 = "GLI-11/GLI-19 §3.2.2 (2020)"
    FIFTEEN = "older fifteen-test list, e.g. 58 Pa. Code §810a.5(c)"
    ADDITIONAL = "additional"


@dataclass(frozen=True, slots=True)
class GamingResult:
    """One test on one part of an outcome.

    ``subject`` is what was looked at ("reel 2", "5 of 69"), ``lists`` the published lists that name the test.
    """

    result: TestResult
    subject: str
    lists: tuple[PublishedList, ...]

    @property
    def label(self) -> str:
        """Name the result in reports."""
        return f"{self.result.name}, {self.subject}"

    def as_json(self) -> dict[str, Any]:
        """Return one item of ``gaming`` of `stats run --json`."""
        return {
            **self.result.as_json(),
            "subject": self.subject,
            "lists": [str(name) for name in self.lists],
            "statistics": dict(self.result.statistics),
        }
