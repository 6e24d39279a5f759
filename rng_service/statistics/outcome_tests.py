"""Outcomes under test: the battery that their shape calls for, and how they go together with their neighbours."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from rng_service.statistics.examination import Details, Watch
from rng_service.statistics.neighbours import Pairing, pairings, pairings_beside
from rng_service.statistics.outcomes import RecordedOutcomes
from rng_service.statistics.report import OutcomeCounts, ReportedTest
from rng_service.statistics.tallies import Tally
from stats_tests.gaming import GamingResult, Outcomes, OutcomeShape, battery_for, hypotheses, interplay, outcomes_of
from stats_tests.gaming.interplay import Interplay
from stats_tests.gaming.tracks import deals_in, tracks_in, values_of
from stats_tests.multiple import Hypothesis
from stats_tests.results import not_applicable

__all__ = ["Beside", "OutcomeExamination", "OutcomeSource", "outcome_counts"]

# For plans that do not say how many outcomes a sequence has.
SEQUENCE_OUTCOMES: Final = 1_000
_LEAST_IN_COMMON: Final = 1_000
_MOST_COUNTS: Final = 16
_MOST_BARS: Final = 64


class OutcomeSource(Protocol):
    """Gives the first so many outcomes (None: all), and more of the same when it is asked again."""

    def up_to(self, count: int | None) -> RecordedOutcomes:
        """Return the first ``count`` outcomes, or as many as there are."""

    def beside(self) -> Sequence[RecordedOutcomes]:
        """Return what was read of other programs by the way."""


@dataclass(frozen=True, slots=True)
class Beside:
    """Another program whose outcomes stand in the same export: its name in reports, and its shape."""

    name: str
    shape: OutcomeShape


class OutcomeExamination:
    """The gaming battery over all outcomes since the beginning; a sequence is ``sequence_outcomes`` of them.

    ``recorded`` is what the last look was at, ``results`` what is finished of it.
    """

    def __init__(
        self,
        source: OutcomeSource,
        shape: OutcomeShape,
        *,
        sequence_outcomes: int = SEQUENCE_OUTCOMES,
        beside: Sequence[Beside] = (),
        watch: Watch | None = None,
    ) -> None:
        self._source = source
        self._shape = shape
        self._sequence_outcomes = sequence_outcomes
        self._beside = beside
        self._watch = watch or Watch()
        self._outcomes: Outcomes | None = None
        self._planned = 0
        self.recorded: RecordedOutcomes | None = None
        self.results: list[GamingResult] = []

    @property
    def count(self) -> int:
        """How many outcomes the last look was at."""
        return 0 if self.recorded is None else len(self.recorded.rows)

    @property
    def sequences(self) -> int:
        """How many whole sequences the last look was at."""
        return self.count // self._sequence_outcomes

    def extend(self, sequences: int | None) -> int:
        """Look at ``sequences`` sequences since the beginning, or at everything there is.

        Raises MalformedError for outcomes that cannot be read, InputError when not one is possible.
        """
        recorded = self._source.up_to(None if sequences is None else sequences * self._sequence_outcomes)
        outcomes = outcomes_of(self._shape, recorded.rows)
        plan = battery_for(self._shape, recorded.splits)
        pairs = list(self._pairs(recorded))
        self.recorded, self._outcomes, self.results = recorded, outcomes, []
        self._planned = total = len(plan) + len(pairs)
        for done, test in enumerate(plan, start=1):
            self.results.append(test.run(outcomes))
            self._watch.progress("tests of outcomes", done, total)
        for done, (pairing, shape, rows) in enumerate(pairs, start=len(plan) + 1):
            self.results.extend(self._interplay(pairing, shape, recorded.rows, rows))
            self._watch.progress("tests of outcomes", done, total)
        return self.sequences

    def hypotheses(self) -> list[Hypothesis]:
        """Return every P-value."""
        return hypotheses(self.results)

    def tests(self) -> tuple[ReportedTest, ...]:
        """Return every test that was run at the last look."""
        tally = Tally("gaming")
        for result in self.results:
            tally.add(result.result, subject=result.subject, lists=tuple(map(str, result.lists)))
        return tally.tests()

    def details(self) -> Details:
        """Return how many outcomes there were, and how often their values came up at the last look."""
        counts = () if self._outcomes is None else outcome_counts(self._outcomes)
        return Details(outcomes=self.count, counts=counts)

    @property
    def finished(self) -> str:
        """How many tests."""
        return f"{len(self.results)} of {self._planned} tests"

    def _pairs(
        self, recorded: RecordedOutcomes
    ) -> "Iterator[tuple[Pairing, OutcomeShape, NDArray[np.unsignedinteger[Any]]]]":
        if recorded.places is None:
            return
        for pairing in pairings(recorded.places):
            yield pairing, self._shape, recorded.rows
        for other, found in zip(self._beside, self._source.beside(), strict=True):
            if found.places is not None:
                for pairing in pairings_beside(recorded.places, found.places, other.name):
                    yield pairing, other.shape, found.rows

    def _interplay(
        self,
        pairing: Pairing,
        shape: OutcomeShape,
        rows: NDArray[np.unsignedinteger[Any]],
        beside: NDArray[np.unsignedinteger[Any]],
    ) -> list[GamingResult]:
        reason = None
        if len(pairing.left) < _LEAST_IN_COMMON:
            reason = f"{len(pairing.left)} outcomes lie beside each other, and {_LEAST_IN_COMMON} are needed"
        else:
            first, second = outcomes_of(self._shape, rows[pairing.left]), outcomes_of(shape, beside[pairing.right])
            if first.left_out or second.left_out:
                reason = "some outcomes are impossible, so it is not known what lies beside what"
        if reason is not None:
            columns = 2 * len(Interplay().shifts)
            result = not_applicable(Interplay.name, columns, reason)
            return [GamingResult(result, pairing.subject, Interplay.lists)]
        return interplay(first, second, subject=pairing.subject)


def outcome_counts(outcomes: Outcomes) -> tuple[OutcomeCounts, ...]:
    """Return how often each value came up, of the first sixteen parts; many values are counted in groups."""
    found: list[OutcomeCounts] = []
    for track in tracks_in(outcomes.shape):
        view, values = values_of(outcomes, track)[0]
        shown = values.grouped(_MOST_BARS)
        grouped = "" if shown is values else f", {values.alphabet:,} values in {shown.alphabet} groups"
        found.append(
            OutcomeCounts(
                subject=f"{track.label}{f', {view}' if view else ''}{grouped}",
                labels=tuple(map(str, range(shown.alphabet))),
                observed=tuple(int(count) for count in shown.counts),
                expected=tuple(float(chance) * len(shown) for chance in shown.probabilities),
            )
        )
    for deal in deals_in(outcomes.shape):
        if not deal.shuffle and deal.n <= 4 * _MOST_BARS:
            drawn = np.bincount(outcomes.parts[deal.part].ravel(), minlength=deal.n)
            found.append(
                OutcomeCounts(
                    subject=f"numbers drawn, {deal.label}",
                    labels=tuple(map(str, range(deal.n))),
                    observed=tuple(int(count) for count in drawn),
                    expected=(outcomes.count * deal.m / deal.n,) * deal.n,
                )
            )
    return tuple(found[:_MOST_COUNTS])
