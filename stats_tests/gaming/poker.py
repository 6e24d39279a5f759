"""Poker test: hands of five values, by which of them are equal."""

from dataclasses import dataclass
from math import factorial
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.gaming.cells import fit_result
from stats_tests.gaming.lists import PublishedList
from stats_tests.gaming.values import Values
from stats_tests.results import TestResult

__all__ = ["HANDS", "Poker", "hand_probabilities"]

# From five of a kind to all different: how the five values fall into groups of equal ones.
HANDS: Final = ((5,), (4, 1), (3, 2), (3, 1, 1), (2, 2, 1), (2, 1, 1, 1), (1, 1, 1, 1, 1))


@dataclass(frozen=True, slots=True)
class Poker:
    """χ² over the seven hands (Knuth 3.3.2 E), with their exact probabilities under any weights."""

    name: ClassVar[str] = "poker"
    lists: ClassVar[tuple[PublishedList, ...]] = (PublishedList.FIFTEEN,)

    def run(self, sequence: Values) -> TestResult:
        """One P-value."""
        hands = len(sequence) // 5
        cards = np.sort(sequence.values[: hands * 5].reshape(hands, 5), axis=1)
        equal = (cards[:, 1:] == cards[:, :-1]).astype(np.uint8) @ np.array([1, 2, 4, 8], dtype=np.uint8)
        counts = np.bincount(_HAND_OF_EQUALS[equal], minlength=len(HANDS))
        probabilities = hand_probabilities(sequence.probabilities)
        return fit_result(self.name, counts, probabilities, ordered=False)


def hand_probabilities(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability of each of `HANDS`.

    The number of ways to divide five places into groups of these sizes, times the sum of Π p_v^size over different v,
    which comes from power sums by inclusion and exclusion.
    """
    sums = [0.0, *(float(np.sum(probabilities**power)) for power in range(1, 6))]

    def different(sizes: tuple[int, ...]) -> float:
        if len(sizes) == 1:
            return sums[sizes[0]]
        head, rest = sizes[0], sizes[1:]
        merged = (different((*rest[:i], rest[i] + head, *rest[i + 1 :])) for i in range(len(rest)))
        return sums[head] * different(rest) - sum(merged)

    found = []
    for sizes in HANDS:
        ways = factorial(5)
        for size in sizes:
            ways //= factorial(size)
        for size in set(sizes):
            ways //= factorial(sizes.count(size))
        value = ways * different(sizes) if len(sizes) <= np.count_nonzero(probabilities) else 0.0
        found.append(value if value > 1e-15 else 0.0)
    return np.array(found)


def _hands_of_equals() -> NDArray[np.intp]:
    """Return the hand for each pattern of "equal to the next" in a sorted hand, bit i for places i and i + 1."""
    found = []
    for pattern in range(16):
        sizes = [1]
        for place in range(4):
            if pattern >> place & 1:
                sizes[-1] += 1
            else:
                sizes.append(1)
        found.append(HANDS.index(tuple(sorted(sizes, reverse=True))))
    return np.array(found)


_HAND_OF_EQUALS: Final = _hands_of_equals()
