"""Permutation test: the relative order of values that follow each other."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.gaming.cells import fit_result
from stats_tests.gaming.lists import PublishedList
from stats_tests.gaming.values import Values
from stats_tests.results import TestResult

__all__ = ["PermutationOrder", "order_probabilities", "weak_orders"]

_LENGTH: Final = 4


@dataclass(frozen=True, slots=True)
class PermutationOrder:
    """χ² over the orders of groups of four values (Knuth 3.3.2 G), equal values included.

    Four values can stand in 75 orders when ties count; P(order) is the sum of Π p^(how many share a rank) over
    increasing values, so it is exact for few values and for weights too.
    """

    name: ClassVar[str] = "permutation"
    lists: ClassVar[tuple[PublishedList, ...]] = (PublishedList.FIFTEEN,)

    def run(self, sequence: Values) -> TestResult:
        """One P-value."""
        groups = len(sequence) // _LENGTH
        columns = sequence.values[: groups * _LENGTH].reshape(groups, _LENGTH).T
        code = np.zeros(groups, dtype=np.int16)
        for i in range(_LENGTH):
            for j in range(i + 1, _LENGTH):
                code *= 3
                code += columns[i] > columns[j]
                code += columns[i] >= columns[j]
        orders = list(weak_orders())
        counts = np.bincount(_order_of_codes()[code], minlength=len(orders))
        return fit_result(self.name, counts, order_probabilities(sequence.probabilities), ordered=False)


def weak_orders() -> Iterator[tuple[int, ...]]:
    """Yield the ranks of four values in every order with ties: 75 of them, ranks from 0 without holes."""
    for ranks in product(range(_LENGTH), repeat=_LENGTH):
        if set(ranks) == set(range(max(ranks) + 1)):
            yield ranks


def order_probabilities(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability of each of `weak_orders`."""
    known: dict[tuple[int, ...], float] = {}
    found = []
    for ranks in weak_orders():
        sizes = tuple(ranks.count(rank) for rank in range(max(ranks) + 1))
        if sizes not in known:
            below = probabilities ** sizes[0]
            for size in sizes[1:]:
                before = np.concatenate([[0.0], np.cumsum(below)[:-1]])
                below = before * probabilities**size
            known[sizes] = float(below.sum())
        found.append(known[sizes])
    return np.array(found)


@lru_cache(maxsize=1)
def _order_of_codes() -> NDArray[np.int16]:
    """Return the index among `weak_orders` for each code of comparisons."""
    table = np.zeros(3 ** (_LENGTH * (_LENGTH - 1) // 2), dtype=np.int16)
    for index, ranks in enumerate(weak_orders()):
        code = 0
        for i in range(_LENGTH):
            for j in range(i + 1, _LENGTH):
                code = code * 3 + (ranks[i] > ranks[j]) + (ranks[i] >= ranks[j])
        table[code] = index
    return table
