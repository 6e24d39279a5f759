"""2.14 Random excursions: how often the walk visits a state within one cycle."""

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Final

import numpy as np

from stats_tests.bits import Batch
from stats_tests.nist.excursions import MINIMUM_BITS, Excursions, excursions, too_few_cycles
from stats_tests.nist.mode import Mode
from stats_tests.results import TestResult, not_applicable
from stats_tests.special import chi_squared_tail

__all__ = ["STATES", "RandomExcursions", "visit_probabilities"]

STATES: Final = (-4, -3, -2, -1, 1, 2, 3, 4)
_MOST_VISITS: Final = 5
# As sts-2.1.2 has them in its source: right, to ten places.
_NIST: Final = (
    (0.5, 0.25, 0.125, 0.0625, 0.03125, 0.03125),
    (0.75, 0.0625, 0.046875, 0.03515625, 0.0263671875, 0.0791015625),
    (0.8333333333, 0.02777777778, 0.02314814815, 0.01929012346, 0.01607510288, 0.0803755143),
    (0.875, 0.015625, 0.013671875, 0.01196289063, 0.0104675293, 0.0732727051),
)


@dataclass(frozen=True, slots=True)
class RandomExcursions:
    """SP 800-22 section 2.14, for the states -4 … -1, 1 … 4."""

    name: ClassVar[str] = "random_excursions"
    p_value_count: ClassVar[int] = len(STATES)

    def unsuitable(self, bits: int) -> str | None:
        """At least a million bits (2.14.7)."""
        return f"needs at least {MINIMUM_BITS} bits" if bits < MINIMUM_BITS else None

    def run(self, batch: Batch, mode: Mode) -> list[TestResult]:
        """Take the χ² of each state over the cycles with 0, 1, … 4, and at least 5 visits."""
        results = []
        for found in excursions(batch):
            reason = too_few_cycles(found.cycles, batch.bits) or _overflow(found.cycles, batch.bits, mode)
            if reason is None:
                results.append(TestResult(self.name, state_p_values(found, mode), statistics={"cycles": found.cycles}))
            else:
                results.append(not_applicable(self.name, self.p_value_count, reason, {"cycles": found.cycles}))
        return results


def state_p_values(found: Excursions, mode: Mode) -> tuple[float, ...]:
    """Return the P-value of each state, whatever the number of cycles."""
    inside = (found.positions != 0) & (np.abs(found.positions) <= STATES[-1])
    width = 2 * STATES[-1] + 1
    keys = found.cycle_of[inside] * width + found.positions[inside] + STATES[-1]
    visits = np.bincount(keys, minlength=found.cycles * width).reshape(found.cycles, width)
    np.minimum(visits, _MOST_VISITS, out=visits)
    p_values = []
    for state in STATES:
        counts = np.bincount(visits[:, state + STATES[-1]], minlength=_MOST_VISITS + 1)
        law = visit_probabilities(abs(state)) if mode is Mode.EXACT else _NIST[abs(state) - 1]
        expected = found.cycles * np.array(law)
        chi_squared = np.sum((counts - expected) ** 2 / expected)
        p_values.append(float(chi_squared_tail(_MOST_VISITS, chi_squared)))
    return tuple(p_values)


@lru_cache(maxsize=16)
def visit_probabilities(distance: int) -> tuple[float, ...]:
    """Return P of 0 … 4 and of at least 5 visits to a state at ``distance`` within one cycle (section 3.14)."""
    away = 1.0 - 1.0 / (2.0 * distance)
    back = 1.0 - away
    return (away, *(back**2 * away ** (visits - 1) for visits in range(1, _MOST_VISITS)), back * away**4)


def _overflow(cycles: int, bits: int, mode: Mode) -> str | None:
    """Say when sts-2.1.2 gives up without a P-value: its table of cycles is full."""
    room = max(1_000, bits // 100)
    if mode is Mode.NIST_2_1_2 and cycles > room:
        return f"sts-2.1.2 has room for {room} cycles and writes no P-value for {cycles}; mode exact does"
    return None
