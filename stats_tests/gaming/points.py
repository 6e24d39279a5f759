"""Collision test and birthday spacings over outcomes: many values in a row are one large number."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.discrete import poisson_two_sided, sum_distribution, two_sided
from stats_tests.gaming.lists import PublishedList
from stats_tests.gaming.serial import tuple_numbers
from stats_tests.results import TestResult, not_applicable

__all__ = ["BirthdaySpacings", "Collision", "collision_distribution", "equal_spacings"]

_LEAST_URNS: Final = 1 << 17
_MAX_YEAR: Final = 1 << 62
_MIN_COUNT: Final = 0.5


@dataclass(frozen=True, slots=True)
class Collision:
    """Balls are groups of values, 4,096 balls fall into k^t urns (at least 2^17), again and again.

    The sum of collisions over all rounds is held against its exact distribution (Knuth 3.3.2 I): that of one round by
    recursion, then convolved. Only for equally likely values.
    """

    name: ClassVar[str] = "collision"
    lists: ClassVar[tuple[PublishedList, ...]] = (PublishedList.ADDITIONAL,)

    balls: int = 4_096

    def run(self, values: NDArray[np.unsignedinteger[Any]], n: int) -> TestResult:
        """One P-value for values that are uniform over 0 … n - 1, n ≥ 2."""
        length, urns = 1, n
        while urns < _LEAST_URNS:
            length, urns = length + 1, urns * n
        rounds = len(values) // (length * self.balls)
        if rounds == 0:
            needed = length * self.balls
            return not_applicable(self.name, 1, f"needs {needed} values for a round, and there are {len(values)}")
        expected = rounds * self.balls**2 / (2.0 * urns)
        if expected < _MIN_COUNT:
            return not_applicable(self.name, 1, f"among {urns} values {rounds * self.balls} hardly ever collide")
        used = values[: rounds * self.balls * length].reshape(-1, length)
        numbers = tuple_numbers(used, n) if length > 1 else used[:, 0]
        ordered = np.sort(numbers.reshape(rounds, self.balls), axis=1)
        collisions = int(np.count_nonzero(ordered[:, 1:] == ordered[:, :-1]))
        law = sum_distribution(collision_distribution(self.balls, urns), rounds)
        at_most = float(law[: collisions + 1].sum())
        at_least = float(law[collisions:].sum()) if collisions < len(law) else 0.0
        statistics = {"collisions": collisions, "expected": float(law @ np.arange(len(law))), "rounds": rounds}
        return TestResult(self.name, (two_sided(min(1.0, at_most), min(1.0, at_least)),), statistics=statistics)


@lru_cache(maxsize=64)
def collision_distribution(balls: int, urns: int) -> NDArray[np.float64]:
    """Return P(c collisions) when ``balls`` fall into ``urns``, c from 0 to where it is below 1e-18 for good.

    A ball collides with probability (occupied urns) / urns, and occupied urns are balls so far less collisions.
    """
    mean = balls**2 / (2.0 * urns)
    size = min(balls, int(mean + 12.0 * (mean + 4.0) ** 0.5 + 40.0))
    law = np.zeros(size + 1)
    law[0] = 1.0
    collisions = np.arange(size + 1)
    for thrown in range(balls):
        collides = np.clip((thrown - collisions) / urns, 0.0, 1.0)
        moved = law[:-1] * collides[:-1]
        law *= 1.0 - collides
        law[1:] += moved
    return law


@dataclass(frozen=True, slots=True)
class BirthdaySpacings:
    """Equal spacings among points made of t values each (Marsaglia; Knuth 3.3.2 J).

    All values are used at once: t is the smallest with points³ ≤ (k^t)^(5/4), where the number of equal spacings is
    Poisson with mean points³ / (4 k^t) to well below its own spread (L'Ecuyer and Simard, 2001).
    """

    name: ClassVar[str] = "birthday spacings"
    lists: ClassVar[tuple[PublishedList, ...]] = (PublishedList.ADDITIONAL,)

    def run(self, values: NDArray[np.unsignedinteger[Any]], n: int) -> TestResult:
        """One P-value for values that are uniform over 0 … n - 1, n ≥ 2."""
        length, year = 1, n
        while (len(values) // length) ** 3 > year**1.25 and year * n <= _MAX_YEAR:
            length, year = length + 1, year * n
        points = min(len(values) // length, int(year ** (5.0 / 12.0)))
        mean = points**3 / (4.0 * year)
        if year > _MAX_YEAR or mean < _MIN_COUNT:
            return not_applicable(self.name, 1, f"{len(values)} values make too few points for equal spacings")
        used = values[: points * length].reshape(points, length)
        numbers = tuple_numbers(used, n) if length > 1 else used[:, 0].astype(np.int64)
        found = equal_spacings(numbers)
        statistics = {"equal_spacings": found, "expected": mean, "points": points}
        return TestResult(self.name, (poisson_two_sided(found, mean),), statistics=statistics)


def equal_spacings(points: NDArray[Any]) -> int:
    """Return how many spacings between sorted ``points`` are equal to another one: those less the different ones."""
    spacings = np.sort(np.diff(np.sort(points)))
    return int(np.count_nonzero(spacings[1:] == spacings[:-1]))
