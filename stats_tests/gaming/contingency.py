"""Pairs of columns that stand beside each other: every pair of values as often as its probability says."""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from stats_tests.gaming.cells import fit
from stats_tests.gaming.lists import PublishedList
from stats_tests.gaming.serial import groups_for
from stats_tests.gaming.values import Values
from stats_tests.results import TestResult, not_applicable

__all__ = ["ColumnPairs"]


@dataclass(frozen=True, slots=True)
class ColumnPairs:
    """χ² of column i with column i + 1, for the first ``pairs`` of them; sees dependence that correlation does not."""

    name: ClassVar[str] = "interplay of neighbouring columns"
    lists: ClassVar[tuple[PublishedList, ...]] = (PublishedList.GLI_2020, PublishedList.FIFTEEN)

    pairs: int = 8

    def run(self, columns: list[Values]) -> TestResult:
        """One P-value for each pair."""
        p_values: list[float | None] = []
        for left, right in pairwise(columns[: self.pairs + 1]):
            groups = groups_for(len(left), 2)
            first, second = left.grouped(groups), right.grouped(groups)
            cells = first.values.astype(np.int64) * second.alphabet + second.values
            probabilities = np.multiply.outer(first.probabilities, second.probabilities).ravel()
            found = fit(np.bincount(cells, minlength=len(probabilities)), probabilities, ordered=False)
            p_values.append(None if found is None else found.p_value)
        if not p_values:
            return not_applicable(self.name, 1, "needs two columns")
        reason = "too few outcomes for the pairs of some columns" if None in p_values else None
        return TestResult(self.name, tuple(p_values), reason)
