"""2.1 Frequency (monobit): whether there are as many ones as zeros."""

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.bits import Batch
from stats_tests.nist.mode import Mode
from stats_tests.results import TestResult
from stats_tests.special import erfc

__all__ = ["Frequency", "count_of_ones"]

_MINIMUM_BITS: Final = 100


@dataclass(frozen=True, slots=True)
class Frequency:
    """SP 800-22 section 2.1."""

    name: ClassVar[str] = "frequency"
    p_value_count: ClassVar[int] = 1

    def unsuitable(self, bits: int) -> str | None:
        """At least 100 bits (2.1.7)."""
        return f"needs at least {_MINIMUM_BITS} bits" if bits < _MINIMUM_BITS else None

    def run(self, batch: Batch, mode: Mode) -> list[TestResult]:  # noqa: ARG002 - the same in both
        """P = erfc(|S_n| / √(2n)), S_n the sum of the bits as ±1."""
        ones = count_of_ones(batch)
        excess = 2 * ones - batch.bits
        p_values = erfc(np.abs(excess) / np.sqrt(2.0 * batch.bits))
        return [
            TestResult(self.name, (float(p_value),), statistics={"ones": int(count), "sum": int(total)})
            for p_value, count, total in zip(p_values, ones, excess, strict=True)
        ]


def count_of_ones(batch: Batch) -> NDArray[np.int64]:
    """Return the number of ones in each sequence."""
    if "ones" not in batch.memo:
        batch.memo["ones"] = np.bitwise_count(batch.packed).sum(axis=1, dtype=np.int64)
    ones: NDArray[np.int64] = batch.memo["ones"]
    return ones
