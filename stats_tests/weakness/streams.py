"""Several streams beside each other: sessions, pools or machines that should have nothing in common."""

from dataclasses import dataclass
from itertools import pairwise
from math import expm1, log1p
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.discrete import binomial_two_sided
from stats_tests.errors import InputError
from stats_tests.results import TestResult
from stats_tests.weakness.duplicates import StreamDuplicates

__all__ = ["AcrossStreams"]

_LEAST_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class AcrossStreams:
    """Whether streams share what independent ones do not: three P-values, each with an exact law or a bound.

    0. ``beginnings``: two streams begin with the same 128 bits, as from one seed. Among m streams this happens by
       chance with at most m(m-1)/2^129. A generator with s bits of seed is found after some 2^(s/2) streams.
    1. ``anywhere``: 128 bits of any stream come back anywhere in any stream, so also seeds shared with an offset
       (`StreamDuplicates` over all of them, which bounds memory).
    2. ``agreement``: bits of neighbouring streams at the same place that agree. The neighbours' sums modulo 2 are
       independent and uniform, so each count is binomial; the P-value is that of the most extreme of the m - 1 pairs.
    """

    name: ClassVar[str] = "across streams"

    @property
    def p_value_count(self) -> int:
        """Beginnings, anywhere, agreement."""
        return 3

    def run(self, streams: NDArray[np.uint8]) -> TestResult:
        """Test ``streams``, shape (streams, bytes of each), in the order in which they were made.

        Raises InputError for fewer than two streams, or fewer than 16 bytes of each.
        """
        if streams.ndim != 2 or len(streams) < 2 or streams.shape[1] < _LEAST_BYTES:
            raise InputError(f"expected at least two streams of {_LEAST_BYTES} bytes, found the shape {streams.shape}")
        count = len(streams)
        starts = np.ascontiguousarray(streams[:, :_LEAST_BYTES])
        shared = count - len(np.unique(starts, axis=0))
        bound = min(1.0, count * (count - 1) / 2.0**129)
        duplicates = StreamDuplicates()
        duplicates.update(np.ascontiguousarray(streams).reshape(-1))
        anywhere = duplicates.result()
        agreement, pair = _agreement(streams)
        statistics = {
            "streams": count,
            "shared_beginnings": shared,
            "repeated": anywhere.statistics["repeated"],
            "most_extreme_pair": pair,
        }
        p_values = (bound if shared else 1.0, anywhere.p_values[0], agreement)
        return TestResult(self.name, p_values, statistics=statistics)


def _agreement(streams: NDArray[np.uint8]) -> tuple[float, int]:
    """Return the P-value of the pair of neighbours that agrees most or least, and the number of its first stream."""
    differing = np.array([int(np.bitwise_count(left ^ right).sum()) for left, right in pairwise(streams)])
    trials = streams.shape[1] * 8
    pair = int(np.argmax(np.abs(2 * differing - trials)))
    one = binomial_two_sided(int(differing[pair]), trials, 0.5)
    return 1.0 if one >= 1.0 else -expm1(len(differing) * log1p(-one)), pair
