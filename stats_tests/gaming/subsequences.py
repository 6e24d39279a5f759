"""Subsequences: outcomes split by a key (every k-th, per caller, per hour), which must not differ from each other."""

from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.errors import InputError
from stats_tests.gaming.cells import LEAST_EXPECTED, guarded_tail, likelihood_ratio
from stats_tests.gaming.lists import PublishedList
from stats_tests.gaming.values import Values
from stats_tests.results import TestResult, not_applicable

__all__ = ["EveryKth", "Split", "split_by_key"]

_LISTS: Final = (PublishedList.FIFTEEN,)


@dataclass(frozen=True, eq=False)
class Split:
    """``keys[i]`` says which group outcome i belongs to: any whole numbers. ``name`` says what they are ("caller")."""

    name: str
    keys: NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class EveryKth:
    """Every k-th value against the others, for each k of ``steps``."""

    name: ClassVar[str] = "subsequences"
    lists: ClassVar[tuple[PublishedList, ...]] = _LISTS

    steps: tuple[int, ...] = (2, 3, 5, 8)

    def run(self, sequence: Values) -> TestResult:
        """One P-value for each step."""
        place = np.arange(len(sequence))
        found = [split_by_key(sequence, Split(f"every {step}", place % step)) for step in self.steps]
        p_values = tuple(result.p_values[0] for result in found)
        reason = next((result.reason for result in found if result.reason is not None), None)
        return TestResult(self.name, p_values, reason)


def split_by_key(sequence: Values, split: Split) -> TestResult:
    """Return whether the groups of ``split`` differ in how often values come up.

    The sum of the χ² of every group less the χ² of all together has (groups - 1)(cells - 1) degrees, independent of
    the latter. Values are put together into so few groups of equal probability that each is expected 25 times in the
    smallest group; groups with fewer than 250 values are taken together as the rest.

    Two P-values: all groups together, and the group that is furthest off, after Šidák's correction for the choice.
    Raises InputError when there is not one key for each value.
    """
    name = f"subsequences by {split.name}"
    if len(split.keys) != len(sequence):
        raise InputError(f"{len(split.keys)} keys were given for {len(sequence)} outcomes")
    group, sizes = _numbered(split.keys)
    large = np.flatnonzero(sizes >= 250)
    names = np.full(len(sizes), len(large))
    names[large] = np.arange(len(large))
    group = names[group]
    sizes = np.bincount(group, minlength=len(large) + 1)
    groups = len(sizes) if sizes[-1] >= 250 else len(sizes) - 1
    if groups < 2:
        return not_applicable(name, 2, "needs two groups of 250 outcomes each")
    smallest = int(sizes[:groups].min())
    cells = sequence.grouped(max(2, min(256, int(smallest / LEAST_EXPECTED))))
    if cells.alphabet < 2 or float(cells.probabilities.min()) * smallest < 5.0:
        return not_applicable(name, 2, f"the smallest group has {smallest} values, too few for the rarest of them")
    table = np.bincount(group * cells.alphabet + cells.values, minlength=len(sizes) * cells.alphabet)
    counts = table.reshape(-1, cells.alphabet)[:groups].astype(np.float64)
    expected = sizes[:groups, np.newaxis] * cells.probabilities
    each = np.sum((counts - expected) ** 2 / expected, axis=1)
    total = expected.sum(axis=0)
    together = float(np.sum((counts.sum(axis=0) - total) ** 2 / total))
    degrees = cells.alphabet - 1
    farthest = int(np.argmax(each))
    furthest = guarded_tail(
        degrees, float(each[farthest]), lambda: likelihood_ratio(counts[farthest], expected[farthest])
    )
    difference = guarded_tail(
        (groups - 1) * degrees,
        float(each.sum()) - together,
        lambda: likelihood_ratio(counts, expected) - likelihood_ratio(counts.sum(axis=0), total),
    )
    p_values = (difference, 1.0 if furthest >= 1.0 else float(-np.expm1(groups * np.log1p(-furthest))))
    return TestResult(name, p_values, statistics={"groups": groups, "cells": cells.alphabet})


def _numbered(keys: NDArray[np.integer[Any]]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return which group each key belongs to, numbered from 0, and how many keys each group has."""
    low, high = int(keys.min()), int(keys.max())
    if high - low < len(keys):
        sizes = np.bincount(keys - low)
        numbers = np.cumsum(sizes > 0) - 1
        return numbers[keys - low], sizes[sizes > 0]
    _, group, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    return group, sizes
