"""Birthday spacings of raw words: catches congruential generators, also truncated ones, and counters."""

from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.discrete import poisson_two_sided
from stats_tests.results import TestResult
from stats_tests.weakness.words import Order, words

__all__ = ["BirthdayPairs", "BirthdayWords", "equal_spacings"]

_ORDERS: Final[tuple[Order, ...]] = ("big", "little")


def equal_spacings(points: NDArray[np.unsignedinteger[Any]]) -> int:
    """Return how many spacings between sorted points equal another one, over all rows."""
    spacings = np.sort(np.diff(np.sort(points, axis=-1), axis=-1), axis=-1)
    return int(np.count_nonzero(spacings[..., 1:] == spacings[..., :-1]))


@dataclass(frozen=True, slots=True)
class BirthdayWords:
    """Rounds of ``points`` words of 32 bits each in a year of 2^32 days, both byte orders.

    With 4,096 points the equal spacings of a round are Poisson with mean 4096³ / (4 · 2^32) = 4; the rounds are added.
    """

    name: ClassVar[str] = "birthday spacings, words"

    points: int = 4_096
    rounds: int = 128

    @property
    def p_value_count(self) -> int:
        """One for each byte order."""
        return len(_ORDERS)

    def unsuitable(self, size: int) -> str | None:
        """At least one round."""
        return f"needs at least {self.points * 4} bytes" if size < self.points * 4 else None

    def run(self, data: NDArray[np.uint8]) -> TestResult:
        """Both byte orders, first the big end."""
        rounds = min(self.rounds, len(data) // (4 * self.points))
        mean = rounds * self.points**3 / 2.0**34
        counts = [
            equal_spacings(words(data, 32, order)[: rounds * self.points].reshape(rounds, -1)) for order in _ORDERS
        ]
        statistics = {"equal_spacings": counts, "expected": mean}
        return TestResult(self.name, tuple(poisson_two_sided(count, mean) for count in counts), statistics=statistics)


@dataclass(frozen=True, slots=True)
class BirthdayPairs:
    """All words at once, two leading halves making a point: days of a year of up to 2^60, both byte orders.

    From each of two neighbouring 32-bit words the leading b bits are taken. b is as small as the Poisson law allows,
    points³ ≤ (2^2b)^(5/4) (L'Ecuyer and Simard, 2001), where the lattice of a congruential generator shows best. With
    10 million words this is the test of TestU01's SmallCrush (5 million points in a year of 2^60 days).
    """

    name: ClassVar[str] = "birthday spacings, pairs of words"

    most_points: int = 5_000_000

    @property
    def p_value_count(self) -> int:
        """One for each byte order."""
        return len(_ORDERS)

    def unsuitable(self, size: int) -> str | None:
        """Some thousand points, so that there are equal spacings to count."""
        return "needs at least 131072 bytes, for 16384 points" if size < 131_072 else None

    def run(self, data: NDArray[np.uint8]) -> TestResult:
        """Both byte orders, first the big end."""
        points = min(self.most_points, len(data) // 8)
        bits = next(bits for bits in range(8, 32) if 2.0 ** (2.5 * bits) >= float(points) ** 3 or bits == 30)
        mean = points**3 / 4.0 / 4.0**bits
        counts = []
        for order in _ORDERS:
            leading = words(data, 32, order)[: points * 2].reshape(points, 2) >> np.uint32(32 - bits)
            numbers = leading[:, 0].astype(np.uint64) << np.uint64(bits) | leading[:, 1]
            counts.append(equal_spacings(numbers))
        statistics = {"equal_spacings": counts, "expected": mean, "points": points, "bits": 2 * bits}
        return TestResult(self.name, tuple(poisson_two_sided(count, mean) for count in counts), statistics=statistics)
