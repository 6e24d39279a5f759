"""Whether the slots that were thrown away look like the others: a report, not a verdict.

The first value of an outcome under an empty seed has a known distribution for every kind of step. The opened
voids of each program are counted against it, and the chi-square statistic is stated beside its degrees of
freedom. Floats are used here and nowhere else in the auditor.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rng_service.outcome import Deal, Lookup, LookupTable, Reels, Sample, Shuffle, Step, Uniform, Weighted

_MOST_CLASSES = 64
_LEAST_EXPECTED = 5


@dataclass(frozen=True, slots=True)
class BiasLine:
    """The chi-square statistic of one program's opened voids; None when there are too few."""

    stream: str
    voids: int
    degrees: int
    statistic: float | None

    def text(self) -> str:
        """Return the line for people."""
        if self.statistic is None:
            return f"{self.stream}: {self.voids} voids, too few for a chi-square statistic"
        return (
            f"{self.stream}: {self.voids} voids, chi-square {self.statistic:.2f} with {self.degrees} degrees of freedom"
        )


class VoidOutcomes:
    """Counts the first values of opened voids for one program, in at most 64 classes of neighbours."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._values, self._weights = _first_value(steps[0])
        self._counts = [0] * len(self._weights)
        self._voids = 0

    def add(self, outcome: tuple[int, ...]) -> None:
        """Count one outcome."""
        self._counts[outcome[0] * len(self._counts) // self._values] += 1
        self._voids += 1

    def line(self, stream: str) -> BiasLine:
        """Return what was counted so far."""
        total, degrees = sum(self._weights), len(self._weights) - 1
        expected = [self._voids * weight / total for weight in self._weights]
        if degrees == 0 or min(expected) < _LEAST_EXPECTED:
            return BiasLine(stream, self._voids, degrees, None)
        pairs = zip(self._counts, expected, strict=True)
        return BiasLine(stream, self._voids, degrees, sum((count - wanted) ** 2 / wanted for count, wanted in pairs))


def _first_value(step: Step) -> tuple[int, list[int]]:
    """Return how many values the step's first integer can take, and the weight of each class of them."""
    match step:
        case Weighted(weights) | Deal(weights):
            return _weighted(weights)
        case Lookup(table):
            return table.rows, _lookup(table)
        case Reels(strips, weights):
            return _even(len(strips[0])) if weights is None else _weighted(weights[0])
        case Uniform(n) | Sample(n) | Shuffle(n):
            return _even(n)


def _weighted(weights: Sequence[int]) -> tuple[int, list[int]]:
    classes = min(len(weights), _MOST_CLASSES)
    sums = [0] * classes
    for value, weight in enumerate(weights):
        sums[value * classes // len(weights)] += weight
    return len(weights), sums


def _lookup(table: LookupTable) -> list[int]:
    classes = min(table.rows, _MOST_CLASSES)
    # Row r is in class r * classes // rows, so each class ends before the first row of the next.
    ends = [-(-number * table.rows // classes) for number in range(1, classes + 1)]
    upto = [0, *(table.cumulative[end - 1] for end in ends)]
    return [after - before for before, after in pairwise(upto)]


def _even(values: int) -> tuple[int, list[int]]:
    classes = min(values, _MOST_CLASSES)
    edges = [-(-number * values // classes) for number in range(classes + 1)]
    return values, [after - before for before, after in pairwise(edges)]
