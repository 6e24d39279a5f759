"""Rollups: what records add up to, by everything that a return is asked for by, in exact numbers.

A fold takes plays one after the other and gives rows. Rows of the same key add up in any order, so hours make days,
days make months, and a rebuild from the records gives the rows that the digests gave.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from hashlib import sha256
from typing import Final, NamedTuple

from rng_service.encoding import lp, u64
from rng_service.rtp.grid import around, stake_weight
from rng_service.rtp.prices import Bounds, Price

__all__ = ["CellKey", "Play", "RollupFold", "RollupKey", "SeriesCells", "SeriesKey", "Sums", "Where"]

_CHANCE_LABEL: Final = lp(b"sealdraw/v1/rtp-grid")


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

    ``record`` and ``item`` say which outcome it is: the chance that moves a multiplier on the grid comes from them.
    """

    stake_minor: int
    payout_minor: int
    price: Price | None
    multiplier: Fraction | None
    record: bytes
    item: int


class SeriesCells(NamedTuple):
    """The evidence of a series in one digest; ``bounds`` is None when no play of it brought any."""

    cells: dict[CellKey, int]
    without_evidence: int
    bounds: Bounds | None


@dataclass(slots=True)
class _Priced:
    """Plays of one row under one price: neither their sums nor their cells need fractions until the end."""

    bounds: Bounds | None
    plays: int = 0
    stake_minor: int = 0
    squares: int = 0
    without_evidence: int = 0
    # By weight and grid point.
    cells: dict[tuple[int, tuple[int, int]], int] = field(default_factory=dict)


@dataclass(slots=True)
class _Row:
    sums: Sums = field(default_factory=Sums)
    priced: dict[Price | None, _Priced] = field(default_factory=dict)


class RollupFold:
    """Adds up the records of one digest. ``rows`` and ``series`` say what it came to."""

    def __init__(self) -> None:
        self._rows: dict[RollupKey, _Row] = {}

    def outcomes(self, key: RollupKey, count: int, *, unsettled: bool) -> None:
        """Count slots that were drawn; ``unsettled`` when their bets, if any, come with settlements."""
        sums = self._row(key).sums
        sums.outcomes += count
        if unsettled:
            sums.unsettled += count

    def settled_first(self, key: RollupKey) -> None:
        """Count the first settlement of an outcome, whatever it says."""
        self._row(key).sums.unsettled -= 1

    def play(self, key: RollupKey, play: Play, bounds: Bounds | None) -> None:
        """Count one play; ``bounds`` are those of its program, None when plays of it bring no evidence."""
        stake, payout, price, multiplier, record, item = play
        row = self._rows.get(key) or self._row(key)
        if payout:
            row.sums.hits += 1
            row.sums.payout_minor += payout
        priced = row.priced.get(price)
        if priced is None:
            # All of this is known before the outcome is: leaving a play out is no choice by its result.
            bounded = bounds if price is not None and bounds is not None and _bounded(price, bounds) else None
            priced = row.priced[price] = _Priced(bounded)
        priced.plays += 1
        priced.stake_minor += stake
        priced.squares += stake * stake
        if priced.bounds is None or multiplier is None:
            priced.without_evidence += 1
            return
        low, point, odds = around(multiplier.numerator, multiplier.denominator)
        if odds and _chance(record, item) >= odds:
            point = low
        cell = stake_weight(stake), point
        priced.cells[cell] = priced.cells.get(cell, 0) + 1

    def rows(self) -> dict[RollupKey, Sums]:
        """Return the rows."""
        return {key: _summed(row) for key, row in self._rows.items()}

    def series(self) -> dict[SeriesKey, SeriesCells]:
        """Return the evidence by series, those without plays left out."""
        found: dict[SeriesKey, SeriesCells] = {}
        for key, row in self._rows.items():
            for price, priced in row.priced.items():
                series = SeriesKey(key.game, key.version, key.program, key.play_class, key.currency)
                cells, without, bounds = found.get(series) or SeriesCells({}, 0, None)
                if price is not None:
                    for (weight, point), count in priced.cells.items():
                        cell = CellKey(weight, Fraction(*point), price.mean)
                        cells[cell] = cells.get(cell, 0) + count
                bounds = bounds or (priced.bounds if priced.cells else None)
                found[series] = SeriesCells(cells, without + priced.without_evidence, bounds)
        return found

    def _row(self, key: RollupKey) -> _Row:
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = _Row()
        return row


def _summed(row: _Row) -> Sums:
    """Return the sums of a row with those of its plays, price by price."""
    sums = replace(row.sums)
    for price, priced in row.priced.items():
        sums.plays += priced.plays
        sums.stake_minor += priced.stake_minor
        sums.stake_squares += priced.squares
        if price is None:
            sums.unpriced += priced.plays
            continue
        sums.by_strategy += 0 if price.exact else priced.plays
        sums.expected_payout += priced.stake_minor * price.mean
        sums.expected_hits += priced.plays * price.hit_frequency
        sums.expected_variance += priced.squares * price.variance
    return sums


def _bounded(price: Price, bounds: Bounds) -> bool:
    return price.exact and price.highest <= bounds.highest and price.mean <= bounds.highest_mean


def _chance(record: bytes, item: int) -> int:
    return int.from_bytes(sha256(_CHANCE_LABEL + record + u64(item)).digest()[:8], "big")
