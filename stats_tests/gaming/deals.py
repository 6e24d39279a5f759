"""Deals without replacement, position by position: every card equally often in every place, and beside every other."""

from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]

from stats_tests.gaming.cells import fit, fit_result
from stats_tests.gaming.lists import PublishedList
from stats_tests.gaming.outcomes import Outcomes
from stats_tests.gaming.tracks import Deal, ranks_of
from stats_tests.results import TestResult, not_applicable
from stats_tests.special import chi_squared_tail

__all__ = ["Adjacency", "DrawnTogether", "Inclusion", "Overlaps", "Positions", "RankDigits", "SortedPositions"]

_BLOCK: Final = 1 << 16
_LEAST: Final = 5.0
_MAX_CARDS: Final = 2_048


@dataclass(frozen=True, slots=True)
class Positions:
    """How often each card lies in each position, with the exact covariance of a draw without replacement.

    With D = count - N/n the statistic (n - 1)/N · [Σ D² + Σ_card (Σ_position D)² / (n - m)] is χ² with m (n - 1)
    degrees; for a whole deck, whose columns sum to N, the second term is gone and there are (n - 1)² degrees.
    """

    name: ClassVar[str] = "card by position"
    lists: ClassVar[tuple[PublishedList, ...]] = (PublishedList.FIFTEEN,)

    def run(self, outcomes: Outcomes, deal: Deal) -> TestResult:
        """One P-value."""
        count, n, m = outcomes.count, deal.n, deal.m
        if count < _LEAST * n or n * m > 1 << 24:
            return not_applicable(
                self.name, 1, f"needs {int(_LEAST * n)} deals of up to 4,096 cards; there are {count}"
            )
        cards = outcomes.parts[deal.part]
        table = np.stack([np.bincount(cards[:, position], minlength=n) for position in range(m)])
        deviation = table - count / n
        squares = float(np.sum(deviation**2))
        degrees = (n - 1) ** 2
        if not deal.shuffle:
            squares += float(np.sum(deviation.sum(axis=0) ** 2)) / (n - m)
            degrees = m * (n - 1)
        statistic = squares * (n - 1) / count
        p_value = float(chi_squared_tail(degrees, statistic))
        return TestResult(self.name, (p_value,), statistics={"chi_squared": statistic, "degrees": degrees})


@dataclass(frozen=True, slots=True)
class Inclusion:
    """How often each number is among those drawn, in whatever order: the usual question to a lottery.

    The counts are correlated; (n - 1)/n · Σ D² / (variance of one count) is χ² with n - 1 degrees.
    """

    name: ClassVar[str] = "numbers drawn"
    lists: ClassVar[tuple[PublishedList, ...]] = (PublishedList.GLI_2020, PublishedList.FIFTEEN)

    def run(self, outcomes: Outcomes, deal: Deal) -> TestResult:
        """One P-value."""
        share = deal.m / deal.n
        expected = outcomes.count * share
        if expected < _LEAST or outcomes.count * (1.0 - share) < _LEAST:
            return not_applicable(self.name, 1, f"{outcomes.count} draws are too few to see each number five times")
        cards = outcomes.parts[deal.part]
        counts = np.zeros(deal.n, dtype=np.int64)
        for position in range(deal.m):
            counts += np.bincount(cards[:, position], minlength=deal.n)
        squares = float(np.sum((counts - expected) ** 2))
        statistic = (deal.n - 1) / deal.n * squares / (expected * (1.0 - share))
        p_value = float(chi_squared_tail(deal.n - 1, statistic))
        return TestResult(self.name, (p_value,), statistics={"chi_squared": statistic, "degrees": deal.n - 1})


@dataclass(frozen=True, slots=True)
class Overlaps:
    """How many numbers a draw shares with the one before: hypergeometric, and independent from draw to draw."""

    name: ClassVar[str] = "overlaps between draws"
    lists: ClassVar[tuple[PublishedList, ...]] = (PublishedList.GLI_2020, PublishedList.FIFTEEN)

    def run(self, outcomes: Outcomes, deal: Deal) -> TestResult:
        """One P-value."""
        cards = outcomes.parts[deal.part]
        shared = np.zeros(deal.m + 1, dtype=np.int64)
        block = max(2, (1 << 24) // deal.n)
        for first in range(0, outcomes.count - 1, block):
            drawn = np.ascontiguousarray(cards[first : first + block + 1])
            member = np.zeros((len(drawn), deal.n), dtype=np.bool_)
            np.put_along_axis(member, drawn.astype(np.intp), values=True, axis=1)
            again = np.take_along_axis(member[:-1], drawn[1:].astype(np.intp), axis=1)
            shared += np.bincount(np.count_nonzero(again, axis=1), minlength=deal.m + 1)
        law = stats.hypergeom.pmf(np.arange(deal.m + 1), deal.n, deal.m, deal.m)
        return fit_result(self.name, shared, np.asarray(law, dtype=np.float64))


@dataclass(frozen=True, slots=True)
class RankDigits:
    """Each card's rank among those not drawn yet: uniform and independent, so that the χ² of all positions add up."""

    name: ClassVar[str] = "rank among remaining"
    lists: ClassVar[tuple[PublishedList, ...]] = (PublishedList.FIFTEEN,)

    def run(self, outcomes: Outcomes, deal: Deal) -> TestResult:
        """One P-value."""
        ranks = ranks_of(outcomes, deal)
        statistic, degrees = 0.0, 0
        for position in range(deal.m):
            size = deal.n - position
            if size < 2:
                continue
            counts = np.bincount(ranks[:, position], minlength=size)
            found = fit(counts, np.full(size, 1.0 / size))
            if found is not None:
                statistic += found.chi_squared
                degrees += found.degrees
        if degrees == 0:
            return not_applicable(self.name, 1, f"{outcomes.count} deals are too few")
        p_value = float(chi_squared_tail(degrees, statistic))
        return TestResult(self.name, (p_value,), statistics={"chi_squared": statistic, "degrees": degrees})


@dataclass(frozen=True, slots=True)
class DrawnTogether:
    """Ordered pairs of the first and the second number drawn, over all n (n - 1) of them."""

    name: ClassVar[str] = "first two numbers"
    lists: ClassVar[tuple[PublishedList, ...]] = (PublishedList.ADDITIONAL,)

    def run(self, outcomes: Outcomes, deal: Deal) -> TestResult:
        """One P-value."""
        pairs = deal.n * (deal.n - 1)
        if pairs > 1 << 22:
            return not_applicable(self.name, 1, f"there are {pairs} pairs, too many to count")
        cards = outcomes.parts[deal.part]
        second = ranks_of(outcomes, deal)[:, 1].astype(np.int64)
        cells = cards[:, 0].astype(np.int64) * (deal.n - 1) + second
        return fit_result(self.name, np.bincount(cells, minlength=pairs), np.full(pairs, 1.0 / pairs))


@dataclass(frozen=True, slots=True)
class SortedPositions:
    """The lowest, the middle and the highest of the numbers drawn; exact, by counting subsets."""

    name: ClassVar[str] = "order statistics"
    lists: ClassVar[tuple[PublishedList, ...]] = (PublishedList.FIFTEEN,)

    def run(self, outcomes: Outcomes, deal: Deal) -> TestResult:
        """Three P-values; for two numbers the lowest stands for the middle too."""
        cards = outcomes.parts[deal.part]
        ranks = (1, (deal.m + 1) // 2, deal.m)
        counts = np.zeros((3, deal.n), dtype=np.int64)
        for first in range(0, outcomes.count, _BLOCK):
            ordered = np.sort(np.ascontiguousarray(cards[first : first + _BLOCK]), axis=1)
            for row, rank in enumerate(ranks):
                counts[row] += np.bincount(ordered[:, rank - 1], minlength=deal.n)
        found = [fit(counts[row], _sorted_law(deal, rank)) for row, rank in enumerate(ranks)]
        p_values = tuple(None if one is None else one.p_value for one in found)
        reason = f"{outcomes.count} draws are too few" if None in p_values else None
        return TestResult(self.name, p_values, reason)


def _sorted_law(deal: Deal, rank: int) -> NDArray[np.float64]:
    """P(the ``rank``-th lowest = v): of the v numbers below it rank - 1 were drawn, and then it."""
    below = np.arange(deal.n)
    at_least = stats.hypergeom.sf(rank - 1, deal.n, below + 1, deal.m)
    return np.diff(np.asarray(at_least, dtype=np.float64), prepend=0.0).clip(0.0)


@dataclass(frozen=True, slots=True)
class Adjacency:
    """How often each card lies directly behind each other one, the first card behind the last.

    The neighbours of a shuffled ring are a uniformly random n-cycle, whose covariance has two eigenvalues on the
    counts that can occur: 1/(n-1) for their symmetric part, n/((n-1)(n-2)) for the antisymmetric one. So
    [(n-1) |S|² + (n-1)(n-2)/n |A|²] / N is χ² with n² - 3n + 1 degrees.
    """

    name: ClassVar[str] = "adjacency"
    lists: ClassVar[tuple[PublishedList, ...]] = (PublishedList.FIFTEEN,)

    def run(self, outcomes: Outcomes, deal: Deal) -> TestResult:
        """One P-value."""
        n, count = deal.n, outcomes.count
        if n < 4 or n > _MAX_CARDS or count < _LEAST * (n - 1):
            reason = (
                f"needs from 4 to {_MAX_CARDS:,} cards and {int(_LEAST * (n - 1))} shuffles; there are {count} of {n}"
            )
            return not_applicable(self.name, 1, reason)
        table = _neighbours(outcomes.parts[deal.part], n)
        deviation = table - count / (n - 1)
        np.fill_diagonal(deviation, 0.0)
        symmetric = (deviation + deviation.T) / 2.0
        skew = (deviation - deviation.T) / 2.0
        statistic = (n - 1) / count * float(np.sum(symmetric**2) + (n - 2) / n * np.sum(skew**2))
        degrees = n * n - 3 * n + 1
        p_value = float(chi_squared_tail(degrees, statistic))
        return TestResult(self.name, (p_value,), statistics={"chi_squared": statistic, "degrees": degrees})


def _neighbours(cards: NDArray[Any], n: int) -> NDArray[np.float64]:
    """Return how often the card of each column lies directly behind the card of each row."""
    table = np.zeros(n * n, dtype=np.int64)
    for position in range(n):
        pairs = cards[:, position].astype(np.int32) * n
        pairs += cards[:, (position + 1) % n]
        table += np.bincount(pairs, minlength=n * n)
    return table.reshape(n, n).astype(np.float64)
