"""What is known exactly of a random permutation: rising sequences, fixed points, cycles, inversions."""

from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.gaming.cells import fit
from stats_tests.gaming.lists import PublishedList
from stats_tests.gaming.outcomes import Outcomes
from stats_tests.gaming.tracks import Deal, ranks_of
from stats_tests.results import TestResult, not_applicable

__all__ = [
    "Arrangements",
    "cycle_law",
    "cycles",
    "fixed_point_law",
    "inversion_law",
    "rising_law",
    "rising_sequences",
]

_MAX_CARDS: Final = 128
_BLOCK: Final = 1 << 11  # what is done to a block stays in the cache


@dataclass(frozen=True, slots=True)
class Arrangements:
    """χ² of four counts of every shuffle against their exact distributions, for decks of up to 128 cards.

    Rising sequences (Eulerian numbers) stay few after riffles; fixed points (rencontres numbers) and cycles (Stirling
    numbers of the first kind) betray swaps chosen from the wrong range; inversions (Mahonian numbers) betray sorting
    by a careless comparison.
    """

    name: ClassVar[str] = "arrangements"
    lists: ClassVar[tuple[PublishedList, ...]] = (PublishedList.FIFTEEN,)

    def run(self, outcomes: Outcomes, deal: Deal) -> TestResult:
        """Four P-values: rising sequences, fixed points, cycles, inversions."""
        n = deal.n
        if n > _MAX_CARDS:
            return not_applicable(self.name, 4, f"the exact distributions are made for {_MAX_CARDS} cards, not {n}")
        cards = outcomes.parts[deal.part]
        inversions = ranks_of(outcomes, deal)
        laws = (rising_law(n), fixed_point_law(n), cycle_law(n), inversion_law(n))
        counts = [np.zeros(len(law), dtype=np.int64) for law in laws]
        identity = np.arange(n, dtype=cards.dtype)
        for first in range(0, outcomes.count, _BLOCK):
            block = np.ascontiguousarray(cards[first : first + _BLOCK])
            found = (
                rising_sequences(block),
                np.count_nonzero(block == identity, axis=1),
                cycles(block),
                inversions[first : first + _BLOCK].sum(axis=1, dtype=np.int64),
            )
            for index, values in enumerate(found):
                counts[index] += np.bincount(values, minlength=len(counts[index]))
        fits = [fit(count, law) for count, law in zip(counts, laws, strict=True)]
        p_values = tuple(None if one is None else one.p_value for one in fits)
        names = ("rising sequences", "fixed points", "cycles", "inversions")
        statistics = {name: one.chi_squared for name, one in zip(names, fits, strict=True) if one is not None}
        reason = f"{outcomes.count} shuffles are too few for some of the counts" if None in p_values else None
        return TestResult(self.name, p_values, reason, statistics)


def rising_sequences(cards: NDArray[Any]) -> NDArray[np.intp]:
    """Return for each row how many runs v, v + 1, v + 2 … lie in order: descents of the inverse, and one."""
    n = cards.shape[1]
    places = np.empty(cards.size, dtype=cards.dtype)
    places[_flat(cards)] = np.tile(np.arange(n, dtype=cards.dtype), len(cards))
    places = places.reshape(cards.shape)
    return np.asarray(1 + np.count_nonzero(places[:, 1:] < places[:, :-1], axis=1), dtype=np.intp)


def cycles(cards: NDArray[Any]) -> NDArray[np.intp]:
    """Return for each row the number of cycles of i → row[i]: the cards that are the lowest of their cycle.

    By doubling: after k rounds ``lowest`` is the lowest card met on 2^k steps.
    """
    n = cards.shape[1]
    onward = _flat(cards)
    identity = np.tile(np.arange(n, dtype=cards.dtype), len(cards))
    lowest = identity.copy()
    steps = 1
    while steps < n:
        np.minimum(lowest, lowest[onward], out=lowest)
        steps *= 2
        if steps < n:
            onward = onward[onward]
    return np.asarray(np.count_nonzero((lowest == identity).reshape(len(cards), n), axis=1), dtype=np.intp)


def _flat(cards: NDArray[Any]) -> NDArray[np.intp]:
    """Return the cards as places in all rows laid end to end."""
    rows = np.arange(len(cards), dtype=np.intp)[:, np.newaxis] * cards.shape[1]
    return np.asarray((cards + rows).ravel(), dtype=np.intp)


def rising_law(n: int) -> NDArray[np.float64]:
    """Return P(r rising sequences), r = 0 … n: Eulerian numbers over n!."""
    law = np.array([0.0, 1.0])
    for size in range(2, n + 1):
        longer = np.zeros(size + 1)
        runs = np.arange(1, size + 1)
        longer[1:size] += runs[:-1] * law[1:] / size
        longer[2:] += (size - runs[1:] + 1) * law[1:] / size
        law = longer
    return law


def fixed_point_law(n: int) -> NDArray[np.float64]:
    """Return P(f fixed points), f = 0 … n: (Σ_{j ≤ n - f} (-1)^j / j!) / f!."""
    inverse = np.ones(n + 1)
    for size in range(1, n + 1):
        inverse[size] = inverse[size - 1] / size
    deranged = np.cumsum(inverse * (-1.0) ** np.arange(n + 1))
    return np.asarray((deranged[::-1] * inverse).clip(0.0), dtype=np.float64)


def cycle_law(n: int) -> NDArray[np.float64]:
    """Return P(c cycles), c = 0 … n: a sum of independent events with probabilities 1, 1/2, …, 1/n."""
    law = np.ones(1)
    for size in range(1, n + 1):
        law = np.convolve(law, [1.0 - 1.0 / size, 1.0 / size])
    return law


def inversion_law(n: int) -> NDArray[np.float64]:
    """Return P(i inversions), i = 0 … n (n - 1) / 2: a sum of independent uniform values over 0 … k - 1, k ≤ n."""
    law = np.ones(1)
    for size in range(2, n + 1):
        total = np.cumsum(np.concatenate([law, np.zeros(size - 1)]))
        total[size:] -= total[:-size].copy()
        law = total / size
    return law.clip(0.0)
