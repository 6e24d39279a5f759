"""What a test of the battery is."""

from typing import ClassVar, Protocol

from stats_tests.gaming.lists import PublishedList
from stats_tests.gaming.values import Values
from stats_tests.results import TestResult

__all__ = ["SequenceTest"]


class SequenceTest(Protocol):
    """A test of independent values, with its parameters: a frozen dataclass whose fields are the parameters.

    ``run`` gives None and a reason where there are too few values, never a made-up P-value.
    """

    name: ClassVar[str]
    lists: ClassVar[tuple[PublishedList, ...]]

    def run(self, sequence: Values) -> TestResult:
        """Test the values in their order."""
