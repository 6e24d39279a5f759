"""Evidence of one series at several weights: where stakes count in proportion up to a limit, and alike above it.

With one limit, high, small stakes would hardly count; with another, low, nobody would notice a fault in high stakes
only. Both are looked at: the mean of e-values of the same plays is an e-value again (`families.average_log_e_value`).
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import log
from typing import NamedTuple

from rng_service.rtp.confidence import Cell, Evidence
from rng_service.rtp.families import average_log_e_value
from rng_service.rtp.stakes import StakeBands

__all__ = ["JointEvidence", "StoredCell", "full_weights"]


class StoredCell(NamedTuple):
    """A kind of play as rollups keep it; fractions are text."""

    weight: int
    multiplier: str
    expected: str


def full_weights(bands: StakeBands, currency: str) -> tuple[int, ...]:
    """Return the weights that count in full, ascending: the powers of two at or below the limits of the stake bands.

    They are settings, so they are fixed before any play and no choice by a result.
    """
    limits = bands.by_currency.get(currency, bands.limits)
    return tuple(sorted({1 << (limit.bit_length() - 1) for limit in limits})) or (1,)


class JointEvidence:
    """The evidence of plays, by how often each kind occurred; ``weights`` are `full_weights`."""

    def __init__(
        self, cells: Mapping[StoredCell, int], weights: Sequence[int], *, highest: Fraction, highest_expected: Fraction
    ) -> None:
        self._parts = [
            Evidence(_cells(cells, full), highest=highest, highest_expected=highest_expected) for full in weights
        ]

    @property
    def plays(self) -> int:
        """The number of plays."""
        return self._parts[0].plays

    @property
    def difference(self) -> Fraction:
        """Realised less theoretical return, at the lowest of the weights; 0 before the first play."""
        return self._parts[0].difference or Fraction(0)

    def log_e_value(self) -> float:
        """Return the natural logarithm of the e-value against "as stated"."""
        return average_log_e_value(part.log_e_value() for part in self._parts)

    def alarm(self, alpha: Fraction) -> bool:
        """Say whether the e-value is 1 / alpha or more."""
        return self.log_e_value() >= -log(alpha)

    def interval(self, alpha: Fraction) -> tuple[float, float]:
        """Return the confidence sequence of `difference` at the level 1 - alpha: valid at every look."""
        return self._parts[0].interval(alpha)


def _cells(cells: Mapping[StoredCell, int], full: int) -> list[Cell]:
    # Every weight at or above the full one is the same: added up first, because fractions cost more than counting.
    found: dict[StoredCell, int] = {}
    for cell, count in cells.items():
        capped = cell._replace(weight=min(cell.weight, full))
        found[capped] = found.get(capped, 0) + count
    return [
        Cell(Fraction(cell.weight, full), Fraction(cell.multiplier), Fraction(cell.expected), count)
        for cell, count in found.items()
    ]
