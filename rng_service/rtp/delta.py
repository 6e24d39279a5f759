"""What one digest adds to the rollups, as the ledger keeps it until it is folded in: JSON text, exact throughout."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from rng_service.rtp.grid import highest_point
from rng_service.rtp.prices import Bounds
from rng_service.rtp.rollup import CellKey, RollupFold, RollupKey, SeriesKey, Sums

__all__ = ["Delta", "SeriesDelta"]


@dataclass(frozen=True, slots=True)
class SeriesDelta:
    """A series' new cells with what bounds them; ``without_evidence`` counts the plays that are in none."""

    highest: Fraction
    highest_mean: Fraction
    without_evidence: int
    cells: Mapping[CellKey, int]


@dataclass(frozen=True, slots=True)
class Delta:
    """The rows and cells of the records of one digest; ``hour`` is that of its time."""

    hour: int
    rows: Mapping[RollupKey, Sums]
    series: Mapping[SeriesKey, SeriesDelta]

    @classmethod
    def of_fold(cls, hour: int, fold: RollupFold) -> "Delta":
        """Return what ``fold`` came to."""
        series = {
            key: SeriesDelta(*_bounds(item.bounds), item.without_evidence, item.cells)
            for key, item in fold.series().items()
        }
        return cls(hour, fold.rows(), series)

    def to_bytes(self) -> bytes:
        """Return the delta as it is stored: the same for the same rows and cells."""
        document = {
            "hour": self.hour,
            "rows": [[*key, *sums.texts()] for key, sums in sorted(self.rows.items())],
            "series": [
                {
                    "key": list(key),
                    "highest": str(item.highest),
                    "highest_mean": str(item.highest_mean),
                    "without": item.without_evidence,
                    "cells": [
                        [cell.weight, str(cell.multiplier), str(cell.expected), count]
                        for cell, count in sorted(item.cells.items())
                    ],
                }
                for key, item in sorted(self.series.items())
            ],
        }
        return json.dumps(document, separators=(",", ":")).encode("ascii")

    @classmethod
    def parse(cls, data: bytes) -> "Delta":
        """Return the delta of these bytes, which the ledger itself wrote."""
        document = json.loads(data)
        width = len(RollupKey._fields)
        return cls(
            document["hour"],
            {RollupKey(*row[:width]): Sums.of_texts(row[width:]) for row in document["rows"]},
            {
                SeriesKey(*item["key"]): SeriesDelta(
                    Fraction(item["highest"]),
                    Fraction(item["highest_mean"]),
                    item["without"],
                    {
                        CellKey(weight, Fraction(multiplier), Fraction(expected)): count
                        for weight, multiplier, expected, count in item["cells"]
                    },
                )
                for item in document["series"]
            },
        )


def _bounds(bounds: Bounds | None) -> tuple[Fraction, Fraction]:
    # The grid may move a multiplier above the highest prize.
    return (Fraction(0), Fraction(0)) if bounds is None else (highest_point(bounds.highest), bounds.highest_mean)
