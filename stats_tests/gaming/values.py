"""Sequences of independent values with known probabilities: what most classical tests are about."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_ALPHABET", "Values", "group_edges", "uniform_values", "weighted_values"]

# Larger ranges are looked at in groups: their leading part, and what is left over modulo this number.
MAX_ALPHABET: Final = 65_536
_BLOCK: Final = 1 << 20


class Values:
    """``values[i]`` is v with the probability ``probabilities[v]``, independently for every i.

    ``uniform`` says that all probabilities are equal. Nothing here is ever written to.
    """

    def __init__(self, values: NDArray[Any], probabilities: NDArray[np.float64], *, uniform: bool) -> None:
        self.values = values
        self.probabilities = probabilities
        self.uniform = uniform
        self._grouped: dict[int, Values] = {}

    def __len__(self) -> int:
        return len(self.values)

    @property
    def alphabet(self) -> int:
        """How many different values there are."""
        return len(self.probabilities)

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """How often each value was seen."""
        counts = np.zeros(self.alphabet, dtype=np.int64)
        for first in range(0, len(self.values), _BLOCK):  # counting makes a copy of eight bytes a value
            counts += np.bincount(self.values[first : first + _BLOCK], minlength=self.alphabet)
        return counts

    @cached_property
    def cumulative(self) -> NDArray[np.float64]:
        """P(value ≤ v) for each v."""
        total = np.cumsum(self.probabilities)
        return np.asarray(np.minimum(total / total[-1], 1.0), dtype=np.float64)

    @cached_property
    def standardised(self) -> NDArray[np.float64]:
        """The values less their exact mean, over their exact standard deviation."""
        scores = np.arange(self.alphabet, dtype=np.float64)
        scores -= scores @ self.probabilities
        scores /= np.sqrt(scores**2 @ self.probabilities)
        return np.asarray(scores[self.values], dtype=np.float64)

    def power_sum(self, power: int) -> float:
        """Return Σ p^power, the probability that ``power`` values are all equal."""
        return float(np.sum(self.probabilities**power))

    def first(self, count: int) -> "Values":
        """Return the first ``count`` values."""
        return self if count >= len(self) else Values(self.values[:count], self.probabilities, uniform=self.uniform)

    def grouped(self, at_most: int) -> "Values":
        """Return the values with neighbours put together into at most so many groups of about equal probability."""
        if at_most >= self.alphabet:
            return self
        found = self._grouped.get(at_most)
        if found is None:
            edges = group_edges(self.probabilities, at_most)
            table = np.searchsorted(edges, np.arange(self.alphabet), side="right").astype(
                np.min_scalar_type(max(1, len(edges)))
            )
            probabilities = _summed(table, self.probabilities)
            even = self.uniform and self.alphabet % len(probabilities) == 0 and bool(np.ptp(np.bincount(table)) == 0)
            found = Values(table[self.values], probabilities, uniform=even)
            self._grouped[at_most] = found
        return found


def group_edges(probabilities: NDArray[np.float64], groups: int) -> NDArray[np.int64]:
    """Return where the second and every later group begins, for at most ``groups`` groups of about equal probability.

    A value belongs to the group that the middle of its own stretch of probability falls into; a value that is
    likelier than a group is one by itself, and there are fewer groups then.
    """
    cumulative = np.cumsum(probabilities)
    middles = (cumulative - probabilities / 2.0) / cumulative[-1]
    group = np.minimum((middles * groups).astype(np.int64), groups - 1)
    return np.flatnonzero(np.diff(group)) + 1


def uniform_values(values: NDArray[np.unsignedinteger[Any]], n: int) -> list[tuple[str, Values]]:
    """Return the views of values that are uniform over 0 … n - 1, each with a name ("" for the only one).

    More than 65,536 values are looked at twice: by their leading bits, and modulo 4,096, where faults of the low
    bits show. Both have exact probabilities, and in general neither is quite uniform.
    """
    if n <= MAX_ALPHABET:
        return [("", Values(values, np.full(n, 1.0 / n), uniform=True))]
    shift = (n - 1).bit_length() - 12
    groups = ((n - 1) >> shift) + 1
    sizes = [1 << shift] * (groups - 1) + [n - ((groups - 1) << shift)]
    leading = (values >> values.dtype.type(shift)).astype(np.uint16)
    low = [n // 4096 + (residue < n % 4096) for residue in range(4096)]
    trailing = (values & values.dtype.type(4095)).astype(np.uint16)
    return [("leading bits", _of(leading, sizes)), ("modulo 4096", _of(trailing, low))]


def weighted_values(values: NDArray[np.unsignedinteger[Any]], weights: Sequence[int]) -> Values:
    """Return values with ``weights``; more than 65,536 of them are put together into at most 4,096 groups."""
    if len(weights) <= MAX_ALPHABET:
        return _of(values, weights)
    total = float(sum(weights))
    probabilities = np.array(weights, dtype=np.float64) / total
    edges = group_edges(probabilities, 4_096)
    table = np.searchsorted(edges, np.arange(len(weights)), side="right").astype(np.uint16)
    return Values(table[values], _summed(table, probabilities), uniform=False)


def _summed(table: NDArray[Any], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability of each group of ``table``."""
    return np.asarray(np.bincount(table, weights=probabilities), dtype=np.float64)


def _of(values: NDArray[Any], weights: Sequence[int]) -> Values:
    total = sum(weights)
    probabilities = np.array([weight / total for weight in weights], dtype=np.float64)
    return Values(values, probabilities, uniform=min(weights) == max(weights))
