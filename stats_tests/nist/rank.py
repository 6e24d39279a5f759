"""2.5 Binary matrix rank: whether matrices filled with the bits have dependent rows more often than by chance."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.bits import Batch
from stats_tests.nist.mode import Mode
from stats_tests.results import TestResult, not_applicable
from stats_tests.special import chi_squared_tail

__all__ = ["Rank", "p_value_of_counts", "rank_probabilities", "ranks"]

_MINIMUM_MATRICES: Final = 38


@dataclass(frozen=True, slots=True)
class Rank:
    """SP 800-22 section 2.5; ``rows`` and ``columns`` are the publication's M and Q, at most 64 each."""

    name: ClassVar[str] = "rank"
    p_value_count: ClassVar[int] = 1

    rows: int = 32
    columns: int = 32

    def __post_init__(self) -> None:
        if not (2 <= self.rows <= 64 and 2 <= self.columns <= 64):
            raise ValueError("a matrix has from 2 to 64 rows and columns")

    def unsuitable(self, bits: int) -> str | None:
        """At least 38 matrices (2.5.7)."""
        needed = _MINIMUM_MATRICES * self.rows * self.columns
        return f"needs at least {needed} bits, for {_MINIMUM_MATRICES} matrices" if bits < needed else None

    def run(self, batch: Batch, mode: Mode) -> list[TestResult]:  # noqa: ARG002 - NIST computes these constants right
        """χ² over three classes: full rank, one less, and everything below."""
        full = min(self.rows, self.columns)
        found = ranks(self._matrices(batch)).reshape(batch.sequences, -1)
        if found.shape[1] == 0:
            return [not_applicable(self.name, 1, "no whole matrix") for _ in range(batch.sequences)]
        results = []
        for row in found:
            most, less = int(np.count_nonzero(row == full)), int(np.count_nonzero(row == full - 1))
            counts = (most, less, row.size - most - less)
            p_value, chi_squared = p_value_of_counts(counts, rank_probabilities(self.rows, self.columns))
            statistics = {"counts": list(counts), "chi_squared": chi_squared}
            results.append(TestResult(self.name, (p_value,), statistics=statistics))
        return results

    def _matrices(self, batch: Batch) -> NDArray[np.unsignedinteger[Any]]:
        """Return the matrices of all sequences: shape (rows, matrices), a row of a matrix as one number."""
        size = self.rows * self.columns
        matrices = batch.bits // size
        if self.columns == 32:
            data = np.ascontiguousarray(batch.packed[:, : matrices * size // 8])
            numbers = data.view(">u4").reshape(batch.sequences * matrices, self.rows)
            return np.ascontiguousarray(numbers.T).astype(np.uint32)
        bits = batch.unpacked[:, : matrices * size].reshape(-1, self.rows, self.columns)
        weights = np.uint64(1) << np.arange(self.columns - 1, -1, -1, dtype=np.uint64)
        return np.ascontiguousarray((bits.astype(np.uint64) @ weights).T)


def ranks(matrices: NDArray[np.unsignedinteger[Any]]) -> NDArray[np.int64]:
    """Return the rank over GF(2) of each column of ``matrices``, shape (rows, matrices); their contents are lost.

    Each row in turn is taken off those below that have its leading bit. Adding it there clears that bit and makes the
    number smaller, adding it elsewhere sets the bit and makes it larger: the smaller one of the two is the answer, for
    all matrices at once, without a search for pivots. What is not nought in the end is independent.
    """
    for index in range(matrices.shape[0] - 1):
        below = matrices[index + 1 :]
        np.minimum(below, below ^ matrices[index], out=below)
    return np.asarray(np.count_nonzero(matrices, axis=0), dtype=np.int64)


@lru_cache(maxsize=32)
def rank_probabilities(rows: int, columns: int) -> tuple[float, float, float]:
    """Return P(full rank), P(one less), P(less than that) of a random matrix over GF(2) (section 3.5).

    The third is what the other two leave. (P(exactly two less), in its place, is a known mistake of other suites.)
    """

    def of(rank: int) -> float:
        product = 1.0
        for i in range(rank):
            product *= (1.0 - 2.0 ** (i - columns)) * (1.0 - 2.0 ** (i - rows)) / (1.0 - 2.0 ** (i - rank))
        return product * 2.0 ** (rank * (rows + columns - rank) - rows * columns)

    full = min(rows, columns)
    return of(full), of(full - 1), 1.0 - of(full) - of(full - 1)


def p_value_of_counts(counts: tuple[int, ...], probabilities: tuple[float, ...]) -> tuple[float, float]:
    """Return P and χ² of the three class counts: with two degrees of freedom the tail is exp(-χ²/2)."""
    expected = sum(counts) * np.array(probabilities)
    chi_squared = float(np.sum((np.array(counts) - expected) ** 2 / expected))
    return float(chi_squared_tail(2, chi_squared)), chi_squared
