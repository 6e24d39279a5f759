"""What can be looked at again with more data: bits of a stream, or outcomes of a program."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

from rng_service.statistics.report import OutcomeCounts, ReportedTest
from stats_tests.multiple import Hypothesis

__all__ = ["Details", "Examination", "Watch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What a report says beside the tests; members mean what they do in `Report`."""

    mode: str | None = None
    bits: int | None = None
    sequences: int | None = None
    outcomes: int | None = None
    second_level: tuple[Mapping[str, Any], ...] = ()
    counts: tuple[OutcomeCounts, ...] = ()


class Examination(Protocol):
    """Data under test. ``extend`` may be left by KeyboardInterrupt: what is finished stays, and stays consistent."""

    @property
    def sequences(self) -> int:
        """How many whole sequences were tested so far."""

    def extend(self, sequences: int | None) -> int:
        """Test on until there are ``sequences`` sequences in all, or until the data end; return how many there are.

        Everything that is not counted sequence by sequence is asked again, about all data since the beginning.
        """

    def hypotheses(self) -> list[Hypothesis]:
        """Return every question that the verdict rests on, as it stands."""

    def tests(self) -> tuple[ReportedTest, ...]:
        """Return every test that was run, for a report."""

    def details(self) -> Details:
        """Return what else a report says of these data."""

    @property
    def finished(self) -> str:
        """Say how far it came, for whoever interrupted it."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Who looks on: ``progress`` hears what is being done, how much of it is, and of how much (0: nobody knows).

    ``undisturbed`` surrounds what must not be left half done when somebody presses Ctrl-C.
    """

    progress: Callable[[str, int, int], None] = lambda _what, _done, _total: None
    undisturbed: Callable[[], AbstractContextManager[object]] = nullcontext
