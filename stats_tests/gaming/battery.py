"""The battery: which tests an outcome's shape calls for, and running them one after the other."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.gaming.anderson_darling import AndersonDarling
from stats_tests.gaming.arrangements import Arrangements
from stats_tests.gaming.chi_square import ChiSquare
from stats_tests.gaming.contingency import ColumnPairs
from stats_tests.gaming.correlation import InterplayCorrelation, SerialCorrelation
from stats_tests.gaming.coupon_collector import CouponCollector
from stats_tests.gaming.deals import (
    Adjacency,
    DrawnTogether,
    Inclusion,
    Overlaps,
    Positions,
    RankDigits,
    SortedPositions,
)
from stats_tests.gaming.duplicates import EqualNeighbours, RepeatedStretches
from stats_tests.gaming.gap import Gap
from stats_tests.gaming.kolmogorov_smirnov import KolmogorovSmirnov
from stats_tests.gaming.lists import GamingResult, PublishedList
from stats_tests.gaming.order_statistics import MaximumOfT, OrderStatistics
from stats_tests.gaming.outcomes import Outcomes
from stats_tests.gaming.overlapping import OverlappingTuples
from stats_tests.gaming.permutation import PermutationOrder
from stats_tests.gaming.points import BirthdaySpacings, Collision
from stats_tests.gaming.poker import Poker
from stats_tests.gaming.protocol import SequenceTest
from stats_tests.gaming.rare import RareEvents
from stats_tests.gaming.runs import RunsAboveBelow, RunsUpDown
from stats_tests.gaming.serial import SerialTuples
from stats_tests.gaming.shape import OutcomeShape
from stats_tests.gaming.subsequences import EveryKth, Split, split_by_key
from stats_tests.gaming.tracks import Deal, Track, columns_of, deals_in, raw_values, tracks_in, values_of
from stats_tests.gaming.values import Values
from stats_tests.multiple import Hypothesis
from stats_tests.results import TestResult

__all__ = ["MAX_COUNTED", "MAX_SEQUENCE", "PlannedTest", "battery_for", "hypotheses", "run"]

# Of a track the first so many values are looked at: all tests of their order, and all of how often they come up.
MAX_SEQUENCE: Final = 1 << 21
MAX_COUNTED: Final = 1 << 25

# What every sequence of independent values is asked.
_DISTRIBUTION: Final[tuple[SequenceTest, ...]] = (ChiSquare(), KolmogorovSmirnov(), AndersonDarling())
_ORDER: Final[tuple[SequenceTest, ...]] = (
    SerialTuples(),
    OverlappingTuples(),
    RunsUpDown(),
    RunsAboveBelow(),
    Gap(),
    Poker(),
    CouponCollector(),
    PermutationOrder(),
    MaximumOfT(),
    OrderStatistics(),
    SerialCorrelation(),
    RareEvents(),
    EveryKth(),
)
_POINTS: Final[tuple[Collision | BirthdaySpacings, ...]] = (Collision(), BirthdaySpacings())
# Residues and leading bits of a large range: both are looked at, the residues less thoroughly.
_RESIDUES: Final[tuple[SequenceTest, ...]] = (ChiSquare(), SerialTuples(), OverlappingTuples(), SerialCorrelation())
_DEALS: Final = (Inclusion(), Positions(), RankDigits(), DrawnTogether(), Overlaps(), SortedPositions())
_SHUFFLES: Final = (Positions(), RankDigits(), DrawnTogether(), Adjacency(), Arrangements())
_WHOLE: Final = (EqualNeighbours(), RepeatedStretches())


@dataclass(frozen=True, slots=True)
class PlannedTest:
    """One test of one part of the outcomes; ``ask`` gives its result."""

    name: str
    subject: str
    lists: tuple[PublishedList, ...]
    ask: Callable[[Outcomes], TestResult]

    def run(self, outcomes: Outcomes) -> GamingResult:
        """Return the result, labelled."""
        return GamingResult(self.ask(outcomes), self.subject, self.lists)


def battery_for(shape: OutcomeShape, splits: Sequence[Split] = ()) -> tuple[PlannedTest, ...]:
    """Return the tests that outcomes of ``shape`` call for; depends on nothing else, so it can be published before.

    ``splits`` add a test of subsequences for each, on every track: per caller, per hour, whatever the keys say; there
    is one key for each outcome.
    """
    planned = [PlannedTest("possible", "all columns", (PublishedList.ADDITIONAL,), _possible)]
    for track in tracks_in(shape):
        planned.extend(_of_track(track))
        planned.extend(_splits_of(track, splits))
    for deal in deals_in(shape):
        tests = _SHUFFLES if deal.shuffle else _DEALS
        planned.extend(
            PlannedTest(test.name, deal.label, test.lists, partial(_ask_deal, test.run, deal)) for test in tests
        )
    if _columns_that_vary(shape) > 1:
        for columns in (InterplayCorrelation(), ColumnPairs()):
            ask = partial(_ask_columns, columns.run)
            planned.append(PlannedTest(columns.name, "all columns", columns.lists, ask))
    planned.extend(PlannedTest(test.name, "whole outcomes", test.lists, test.run) for test in _WHOLE)
    return tuple(planned)


def run(outcomes: Outcomes, plan: Sequence[PlannedTest] | None = None) -> Iterator[GamingResult]:
    """Yield the result of each test of ``plan``, by default `battery_for` the outcomes' shape, as soon as it is there.

    Whoever consumes it sees the progress, may stop whenever it likes, and keeps what there is.
    """
    for planned in battery_for(outcomes.shape) if plan is None else plan:
        yield planned.run(outcomes)


def hypotheses(results: Sequence[GamingResult]) -> list[Hypothesis]:
    """Return every P-value as a question of its own, for `stats_tests.multiple.decide`."""
    return [
        Hypothesis(f"{result.label}[{index}]", p_value)
        for result in results
        for index, p_value in enumerate(result.result.p_values)
        if p_value is not None
    ]


def _of_track(track: Track) -> Iterator[PlannedTest]:
    # The rest of a deal is asked about as a deal; its first card is a sequence like any other.
    for test in (*_DISTRIBUTION, *_ORDER):
        yield PlannedTest(test.name, track.label, test.lists, partial(_ask_sequence, test, track, 0))
    if track.n is None:
        return
    if track.n > 65_536:
        label = f"{track.label}, modulo 4096"
        for test in _RESIDUES:
            yield PlannedTest(test.name, label, test.lists, partial(_ask_sequence, test, track, 1))
    for points in _POINTS:
        yield PlannedTest(points.name, track.label, points.lists, partial(_ask_points, points, track))


def _splits_of(track: Track, splits: Sequence[Split]) -> Iterator[PlannedTest]:
    for split in splits:
        name = f"subsequences by {split.name}"
        yield PlannedTest(name, track.label, EveryKth.lists, partial(_ask_split, split, track))
    if track.count > 1:
        yield PlannedTest("subsequences by place", track.label, EveryKth.lists, partial(_ask_place, track))


def _possible(outcomes: Outcomes) -> TestResult:
    """P = 0 when an outcome cannot occur at all (and was left out of everything else), 1 when all can."""
    found = outcomes.impossible
    if found is None:
        return TestResult("possible", (1.0,), statistics={"outcomes": outcomes.count})
    statistics = {"outcomes": outcomes.count, "impossible": outcomes.left_out, "first": found.why}
    return TestResult("possible", (0.0,), statistics=statistics)


def _ask_sequence(test: SequenceTest, track: Track, view: int, outcomes: Outcomes) -> TestResult:
    sequence = values_of(outcomes, track)[view][1]
    return test.run(sequence.first(MAX_COUNTED if test in _DISTRIBUTION else MAX_SEQUENCE))


def _ask_points(test: Collision | BirthdaySpacings, track: Track, outcomes: Outcomes) -> TestResult:
    if track.n is None or track.n > 1 << 62:
        return TestResult(test.name, (None,), "points are made of up to 62 bits")
    return test.run(raw_values(outcomes, track)[:MAX_SEQUENCE], track.n)


def _ask_split(split: Split, track: Track, outcomes: Outcomes) -> TestResult:
    kept = split.keys if outcomes.possible is None else split.keys[outcomes.possible]
    return _ask_keys(track, outcomes, split.name, np.repeat(kept[: _rows(track)], track.count))


def _ask_place(track: Track, outcomes: Outcomes) -> TestResult:
    return _ask_keys(track, outcomes, "place", np.tile(np.arange(track.count), min(outcomes.count, _rows(track))))


def _ask_keys(track: Track, outcomes: Outcomes, name: str, keys: NDArray[np.integer[Any]]) -> TestResult:
    sequence = values_of(outcomes, track)[0][1].first(_rows(track) * track.count)
    return split_by_key(sequence, Split(name, keys))


def _rows(track: Track) -> int:
    return MAX_SEQUENCE // track.count


def _ask_deal(ask: Callable[[Outcomes, Deal], TestResult], deal: Deal, outcomes: Outcomes) -> TestResult:
    return ask(outcomes, deal)


def _ask_columns(ask: Callable[[list[Values]], TestResult], outcomes: Outcomes) -> TestResult:
    return ask(columns_of(outcomes))


def _columns_that_vary(shape: OutcomeShape) -> int:
    return sum(track.count for track in tracks_in(shape)) + sum(deal.m - 1 for deal in deals_in(shape))
