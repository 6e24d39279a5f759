"""2.3 Runs: whether the sequence changes from one to zero as often as it should."""

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.bits import Batch
from stats_tests.nist.frequency import count_of_ones
from stats_tests.nist.mode import Mode
from stats_tests.results import TestResult, not_applicable
from stats_tests.special import erfc

__all__ = ["Runs"]

_MINIMUM_BITS: Final = 100


@dataclass(frozen=True, slots=True)
class Runs:
    """SP 800-22 section 2.3.

    The test presupposes a sequence that is nearly balanced. Where it is not, the publication prints P = 0 and so does
    the parity mode; but no P-value was computed, so the exact mode says "not applicable", and the frequency test,
    whose P-value is then below 6.4e-5, is what fails the sequence.
    """

    name: ClassVar[str] = "runs"
    p_value_count: ClassVar[int] = 1

    def unsuitable(self, bits: int) -> str | None:
        """At least 100 bits (2.3.7)."""
        return f"needs at least {_MINIMUM_BITS} bits" if bits < _MINIMUM_BITS else None

    def run(self, batch: Batch, mode: Mode) -> list[TestResult]:
        """P = erfc(|V - 2nπ(1-π)| / (2 √(2n) π(1-π))), V the number of runs."""
        runs = 1 + _changes(batch)
        return [
            self._one(int(count), int(ones), batch.bits, mode)
            for count, ones in zip(runs, count_of_ones(batch), strict=True)
        ]

    def _one(self, runs: int, ones: int, bits: int, mode: Mode) -> TestResult:
        share = ones / bits
        statistics = {"runs": runs, "ones": ones}
        # NIST's program refuses what lies beyond the bound, the text also what lies on it; an exact mode that is asked
        # for a sequence on the bound (only with n a square) follows the text.
        limit = min(2.0 / np.sqrt(bits), 0.5 - 0.5 / bits)  # sixteen equal bits have no spread either
        if abs(share - 0.5) > limit or (mode is Mode.EXACT and abs(share - 0.5) == 2.0 / np.sqrt(bits)):
            if mode is Mode.NIST_2_1_2:
                return TestResult(self.name, (0.0,), statistics=statistics)
            return not_applicable(
                self.name, 1, f"the sequence is too unbalanced ({ones} ones of {bits} bits): see frequency", statistics
            )
        spread = share * (1.0 - share)
        p_value = erfc(abs(runs - 2.0 * bits * spread) / (2.0 * np.sqrt(2.0 * bits) * spread))
        return TestResult(self.name, (float(p_value),), statistics=statistics)


def _changes(batch: Batch) -> NDArray[np.int64]:
    """Return how often two neighbouring bits differ, in each sequence."""
    packed = batch.packed
    # Bit i against bit i + 1: the byte against itself shifted by one, with the first bit of the next byte.
    following = packed << np.uint8(1)
    following[:, :-1] |= packed[:, 1:] >> np.uint8(7)
    differing = packed ^ following
    # The last bit has no neighbour, and neither has what only fills its byte.
    differing[:, -1] &= 0xFF << (8 - (batch.bits - 1) % 8) & 0xFF
    return np.asarray(np.bitwise_count(differing).sum(axis=1), dtype=np.int64)
