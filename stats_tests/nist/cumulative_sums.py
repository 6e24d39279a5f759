"""2.13 Cumulative sums: how far the random walk of the sequence gets from where it starts, or ends."""

from dataclasses import dataclass
from math import sqrt
from typing import ClassVar, Final

import numpy as np

from stats_tests.bits import Batch
from stats_tests.nist.mode import Mode
from stats_tests.nist.walk import walks
from stats_tests.results import TestResult, clipped
from stats_tests.special import normal_cdf, normal_tail

__all__ = ["CumulativeSums", "exact_tail", "nist_tail"]

_MINIMUM_BITS: Final = 100
# Φ's tail beyond this is less than 1e-300.
_NEGLIGIBLE: Final = 38.0


@dataclass(frozen=True, slots=True)
class CumulativeSums:
    """SP 800-22 section 2.13: forward, then backward."""

    name: ClassVar[str] = "cumulative_sums"
    p_value_count: ClassVar[int] = 2

    def unsuitable(self, bits: int) -> str | None:
        """At least 100 bits (2.13.7)."""
        return f"needs at least {_MINIMUM_BITS} bits" if bits < _MINIMUM_BITS else None

    def run(self, batch: Batch, mode: Mode) -> list[TestResult]:
        """P that a walk of n steps gets at least as far, by the limit law of its maximum."""
        tail = exact_tail if mode is Mode.EXACT else nist_tail
        results = []
        for walk in walks(batch):
            lowest, highest = walk.extremes()
            forward = max(highest, -lowest)
            backward = max(highest - walk.end, walk.end - lowest)
            results.append(
                TestResult(
                    self.name,
                    (tail(forward, batch.bits), tail(backward, batch.bits)),
                    statistics={"forward": forward, "backward": backward},
                )
            )
        return results


def exact_tail(distance: int, bits: int) -> float:
    """P(max |S_k| ≥ z) = 4 Σ_j (-1)^j (1 - Φ((2j+1) z/√n)): all terms, and no cancellation against 1 far out."""
    step = distance / sqrt(bits)
    terms = np.arange(1.0, _NEGLIGIBLE / step + 2.0, 2.0)
    signs = 1.0 - 2.0 * (np.arange(terms.size) % 2)
    return clipped(float(4.0 * np.sum(signs * normal_tail(terms * step))))


def nist_tail(distance: int, bits: int) -> float:
    """Return the same as sts-2.1.2 does: sums between limits that C's integer division rounds towards nought."""

    def over(first: int, offset: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        low = int((first - bits // distance) / 4)
        high = int((bits // distance - 1) / 4)
        return normal_cdf((4.0 * np.arange(low, high + 1) + offset) * distance / sqrt(bits))

    inner = float(np.sum(over(1, 1) - over(1, -1)))
    outer = float(np.sum(over(-3, 3) - over(-3, 1)))
    return clipped(1.0 - inner + outer)
