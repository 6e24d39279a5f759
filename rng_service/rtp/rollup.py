"""Rollups: what records add up to, by everything that a return is asked for by, in exact numbers.

A fold takes plays one after the other and gives rows. Rows of the same key add up in any order, so hours make days,
days make months, and a rebuild from the records gives the rows that the digests gave.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import NamedTuple

from rng_service.rtp.grid import grid_point, stake_weight
from rng_service.rtp.prices import Bounds, Price

__all__ = ["CellKey", "Play", "RollupFold", "RollupKey", "SeriesKey", "Sums", "Where"]


class RollupKey(NamedTuple):
    """What rows are kept by, beside their period; ``""`` where a draw has no such tag, stake or currency."""

    game: str
    version: int
    program: str
    play_class: str
    currency: str
    brand: str
    jurisdiction: str
    channel: str
    band: str


class SeriesKey(NamedTuple):
    """What evidence is collected by: one paytable, played in one class for one currency."""

    game: str
    version: int
    program: str
    play_class: str
    currency: str


class CellKey(NamedTuple):
    """A kind of play in the histogram of a series: its weight, what it paid (on the grid), what theory expects."""

    weight: int
    multiplier: Fraction
    expected: Fraction


class Where(NamedTuple):
    """The tags of a draw that rows are kept by."""

    brand: str = ""
    jurisdiction: str = ""
    channel: str = ""


@dataclass(slots=True)
class Sums:
    """What the plays of a row add up to.

    ``expected_payout`` is Σ s·r and ``expected_hits`` Σ h, exact, over the plays with a price; ``expected_variance``
    is Σ s²·v in units of 2^-64 (`prices.VARIANCE_UNIT`). ``unpriced`` plays have no exact price, ``by_strategy`` are
    priced by a reference strategy of the game and not by what the player did.
    """

    outcomes: int = 0
    plays: int = 0
    hits: int = 0
    unsettled: int = 0
    unpriced: int = 0
    by_strategy: int = 0
    stake_minor: int = 0
    payout_minor: int = 0
    stake_squares: int = 0
    expected_variance: int = 0
    expected_payout: Fraction = Fraction(0)
    expected_hits: Fraction = Fraction(0)

    def add(self, other: "Sums") -> None:
        """Add the sums of other plays."""
        for name in _FIELDS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def texts(self) -> list[str]:
        """Return the sums as decimal and fraction strings, in the order of the fields."""
        return [str(getattr(self, name)) for name in _FIELDS]

    @classmethod
    def of_texts(cls, texts: Iterable[str]) -> "Sums":
        """Return the sums that `texts` gave."""
        *whole, payout, hits = texts
        sums = cls(expected_payout=Fraction(payout), expected_hits=Fraction(hits))
        for name, text in zip(_FIELDS, whole, strict=False):
            setattr(sums, name, int(text))
        return sums


_FIELDS = tuple(field.name for field in fields(Sums))


class Play(NamedTuple):
    """One bet on one outcome. ``multiplier`` is exact, None where only the payout is known.

    ``chance`` (0 … 2^64 - 1, from the hash of the record) says to which side the multiplier moves on the grid.
    """

    stake_minor: int
    payout_minor: int
    price: Price | None
    multiplier: Fraction | None
    chance: int


@dataclass(slots=True)
class _Priced:
    """Plays of one row under one price: their sums need no fractions until the end."""

    plays: int = 0
    stake_minor: int = 0
    squares: int = 0


def _bounded(price: Price, bounds: Bounds) -> bool:
    return price.exact and price.highest <= bounds.highest and price.mean <= bounds.highest_mean


class RollupFold:
    """Adds up the records of one digest. ``rows`` and ``cells`` say what it came to."""

    def __init__(self) -> None:
        self._sums: dict[RollupKey, Sums] = {}
        self._priced: dict[tuple[RollupKey, Price], _Priced] = {}
        self.cells: dict[SeriesKey, dict[CellKey, int]] = {}
        # Plays that bring no evidence: no exact price, no exact multiplier, or a prize above what the theory lists.
        self.without_evidence: dict[SeriesKey, int] = {}
        self.bounds: dict[SeriesKey, Bounds] = {}

    def outcomes(self, key: RollupKey, count: int, *, unsettled: bool) -> None:
        """Count slots that were drawn; ``unsettled`` when their bets, if any, come with settlements."""
        sums = self._row(key)
        sums.outcomes += count
        if unsettled:
            sums.unsettled += count

    def settled_first(self, key: RollupKey) -> None:
        """Count the first settlement of an outcome, whatever it says."""
        self._row(key).unsettled -= 1

    def play(self, key: RollupKey, play: Play, bounds: Bounds | None) -> None:
        """Count one play; ``bounds`` are those of its program, None when plays of it bring no evidence."""
        stake, price = play.stake_minor, play.price
        sums = self._row(key)
        sums.plays += 1
        sums.hits += play.payout_minor > 0
        sums.stake_minor += stake
        sums.payout_minor += play.payout_minor
        sums.stake_squares += stake * stake
        if price is None:
            sums.unpriced += 1
        else:
            priced = self._priced.get((key, price))
            if priced is None:
                priced = self._priced[key, price] = _Priced()
            priced.plays += 1
            priced.stake_minor += stake
            priced.squares += stake * stake
            sums.by_strategy += not price.exact
        self._evidence(key, play, bounds)

    def _evidence(self, key: RollupKey, play: Play, bounds: Bounds | None) -> None:
        series = SeriesKey(*key[:5])
        price = play.price
        # All of this is known before the outcome is: leaving a play out is no choice by its result.
        if bounds is None or price is None or play.multiplier is None or not _bounded(price, bounds):
            self.without_evidence[series] = self.without_evidence.get(series, 0) + 1
            return
        cell = CellKey(stake_weight(play.stake_minor), grid_point(play.multiplier, play.chance), price.mean)
        cells = self.cells.get(series)
        if cells is None:
            cells = self.cells[series] = {}
            self.bounds[series] = bounds
        cells[cell] = cells.get(cell, 0) + 1

    def rows(self) -> Mapping[RollupKey, Sums]:
        """Return the rows; call it once, when everything was counted."""
        for (key, price), priced in self._priced.items():
            sums = self._sums[key]
            sums.expected_payout += priced.stake_minor * price.mean
            sums.expected_hits += priced.plays * price.hit_frequency
            sums.expected_variance += priced.squares * price.variance
        self._priced.clear()
        return self._sums

    def _row(self, key: RollupKey) -> Sums:
        sums = self._sums.get(key)
        if sums is None:
            sums = self._sums[key] = Sums()
        return sums
