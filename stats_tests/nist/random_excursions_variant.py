"""2.15 Random excursions variant: how often the walk visits a state in all."""

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from stats_tests.bits import Batch
from stats_tests.nist.excursions import MINIMUM_BITS, REACH, Excursions, excursions, too_few_cycles
from stats_tests.nist.mode import Mode
from stats_tests.results import TestResult, not_applicable
from stats_tests.special import erfc

__all__ = ["STATES", "RandomExcursionsVariant"]

STATES: Final = (*range(-REACH, 0), *range(1, REACH + 1))


@dataclass(frozen=True, slots=True)
class RandomExcursionsVariant:
    """SP 800-22 section 2.15, for the states -9 … -1, 1 … 9."""

    name: ClassVar[str] = "random_excursions_variant"
    p_value_count: ClassVar[int] = len(STATES)

    def unsuitable(self, bits: int) -> str | None:
        """At least a million bits (2.15.7)."""
        return f"needs at least {MINIMUM_BITS} bits" if bits < MINIMUM_BITS else None

    def run(self, batch: Batch, mode: Mode) -> list[TestResult]:  # noqa: ARG002 - the same in both
        """P = erfc(|ξ(x) - J| / √(2J(4|x| - 2))), ξ(x) the visits to x."""
        results = []
        for found in excursions(batch):
            reason = too_few_cycles(found.cycles, batch.bits)
            if reason is None:
                results.append(TestResult(self.name, state_p_values(found), statistics={"cycles": found.cycles}))
            else:
                results.append(not_applicable(self.name, self.p_value_count, reason, {"cycles": found.cycles}))
        return results


def state_p_values(found: Excursions) -> tuple[float, ...]:
    """Return the P-value of each state, whatever the number of cycles."""
    visits = np.bincount(found.positions + REACH, minlength=2 * REACH + 1)
    states = np.array(STATES)
    spread = np.sqrt(2.0 * found.cycles * (4.0 * np.abs(states) - 2.0))
    return tuple(erfc(np.abs(visits[states + REACH] - found.cycles) / spread).tolist())
