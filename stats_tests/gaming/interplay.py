"""Interplay between two records of outcomes: two games, two streams, two pools that lie beside each other."""

from dataclasses import dataclass
from math import exp, log
from typing import ClassVar, Final

import numpy as np

from stats_tests.errors import InputError
from stats_tests.gaming.cells import fit
from stats_tests.gaming.duplicates import stretches
from stats_tests.gaming.lists import GamingResult, PublishedList
from stats_tests.gaming.outcomes import Outcomes
from stats_tests.gaming.serial import groups_for
from stats_tests.gaming.tracks import columns_of
from stats_tests.results import TestResult
from stats_tests.special import erfc

__all__ = ["Interplay", "interplay"]

_CHANCE: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Interplay:
    """Column by column of two records, outcome i of the one beside outcome i + shift of the other."""

    name: ClassVar[str] = "interplay between records"
    lists: ClassVar[tuple[PublishedList, ...]] = (PublishedList.GLI_2020, PublishedList.FIFTEEN)

    shifts: tuple[int, ...] = (-1, 0, 1)
    columns: int = 8


def interplay(first: Outcomes, second: Outcomes, *, subject: str, test: Interplay | None = None) -> list[GamingResult]:
    """Return whether two records of outcomes go together: correlation and pairs of values, and common stretches.

    ``subject`` names the pair. Of different lengths the first outcomes of the longer one are used. Common stretches
    are looked for when both have the same shape. Raises InputError for fewer than 1,000 outcomes in common.
    """
    plan = test or Interplay()
    common = min(first.count, second.count)
    if common < 1_000:
        raise InputError(f"the two records have {common} outcomes in common; 1,000 are needed")
    p_values: list[float | None] = []
    pairs = list(zip(columns_of(first)[: plan.columns], columns_of(second)[: plan.columns], strict=False))
    for shift in plan.shifts:
        ahead, behind = max(0, -shift), max(0, shift)
        length = common - abs(shift)
        for left, right in pairs:
            groups = groups_for(length, 2)
            one, other = left.grouped(groups), right.grouped(groups)
            cells = one.values[ahead : ahead + length].astype(np.int64) * other.alphabet
            cells += other.values[behind : behind + length]
            probabilities = np.multiply.outer(one.probabilities, other.probabilities).ravel()
            found = fit(np.bincount(cells, minlength=len(probabilities)), probabilities, ordered=False)
            p_values.append(None if found is None else found.p_value)
            z = left.standardised[ahead : ahead + length] @ right.standardised[behind : behind + length]
            p_values.append(float(erfc(abs(float(z)) / np.sqrt(2.0 * length))))
    reason = "some columns have one value only" if None in p_values else None
    results = [TestResult(plan.name, tuple(p_values), reason, {"outcomes": common, "shifts": list(plan.shifts)})]
    if first.shape == second.shape:
        results.append(_common_stretches(first, second))
    return [GamingResult(result, subject, plan.lists) for result in results]


def _common_stretches(first: Outcomes, second: Outcomes) -> TestResult:
    """Say whether both hold the same stretch of outcomes anywhere, as two streams from one seed do."""
    name = "common stretches"
    surprise = first.shape.least_surprise
    pairs = float(first.count) * second.count
    length = max(1, int(-(-(log(pairs) - log(_CHANCE)) // surprise))) if surprise > 0.0 else first.count
    if length > min(first.count, second.count) // 4:
        return TestResult(name, (None,), f"stretches would have {length} outcomes, and there are too few")
    left, right = (np.unique(stretches(outcomes.fingerprints, length)) for outcomes in (first, second))
    found = len(np.intersect1d(left, right, assume_unique=True))
    bound = min(1.0, pairs * (exp(-length * surprise) + 2.0**-64))
    return TestResult(name, (bound if found else 1.0,), statistics={"common": found, "length": length})
