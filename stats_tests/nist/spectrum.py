"""How many peaks of a sequence's spectrum are below a threshold.

A fast transform in single precision answers for all bins but the few that lie so close to the threshold that its error
could decide; these are computed again in double precision. The transform is the four-step one: with n = n1 · n2 the
bits are a matrix of n1 rows, transformed along columns, twisted, and transformed along rows. It vectorises over many
short transforms, which is what a library does well, and the order in which it leaves the bins does not matter here.
"""

from functools import lru_cache
from math import isqrt, sqrt
from typing import Final

import numpy as np
import scipy.fft  # type: ignore[import-untyped]
from numpy.typing import NDArray

from stats_tests.bits import Batch

__all__ = ["peaks_below"]

# Shorter transforms are fast enough as they are.
_FOUR_STEP_BITS: Final = 1 << 16
_COLUMNS: Final = 128
_ROWS: Final = 32
# On random sequences the errors of bins have a deviation of 1.7e-7 √n, half of it towards the threshold, and the
# largest of 500,000 was 7e-7 √n. They grow with the highest peak, to 2e-6 √n for one of 200 √n: sequences with a peak
# beyond 10 √n (random ones stay below 5 √n) get double precision.
_ERROR: Final = 1e-6
_HIGHEST_PEAK: Final = 10.0
_MOST_DOUBTFUL: Final = 64


def peaks_below(batch: Batch, threshold: float) -> list[int]:
    """Return for each sequence how many of the bins 0 … n/2 - 1 have a squared modulus below ``threshold`` · n.

    The bits count as ±1; bin 0 is their sum.
    """
    split = _split(batch.bits) if batch.bits >= _FOUR_STEP_BITS else None
    limit = threshold * batch.bits
    signs = (_signs(batch, row) for row in range(batch.sequences))
    return [_plain(row, limit) if split is None else _four_step(row.reshape(split), limit) for row in signs]


def _signs(batch: Batch, row: int) -> NDArray[np.int8]:
    signs = np.unpackbits(batch.packed[row], count=batch.bits).view(np.int8)
    signs *= 2
    signs -= 1
    return signs


def _plain(signs: NDArray[np.int8], limit: float) -> int:
    bins = scipy.fft.rfft(signs.astype(np.float64))[: len(signs) // 2]
    return int(np.count_nonzero(bins.real**2 + bins.imag**2 < limit))


def _four_step(matrix: NDArray[np.int8], limit: float) -> int:
    """Count bins below ``limit``; the signs of the sequence lie in the rows of ``matrix`` one behind the other."""
    rows, columns = matrix.shape
    bits = matrix.size
    twiddles = _twiddles(rows, columns)
    middle = scipy.fft.rfft(matrix.astype(np.float32), axis=0)
    powers = np.empty(middle.shape, dtype=np.float32)
    for first in range(0, len(middle), _ROWS):
        # So many rows stay in the cache for twist, transform and squares.
        part = slice(first, first + _ROWS)
        middle[part] *= twiddles[part]
        bins = scipy.fft.fft(middle[part], axis=1, overwrite_x=True).view(np.float32)
        np.square(bins, out=bins)
        np.add(bins[:, ::2], bins[:, 1::2], out=powers[part])
    if powers.max() > _HIGHEST_PEAK**2 * bits:
        return _plain(matrix.reshape(-1), limit)
    # Element (k1, k2) is bin k1 + rows · k2. The bins of the rows between the first and the last stand there instead of
    # their mirror images; of those two rows only the first halves are bins below n/2.
    half = bits // 2
    powers[0, -(-half // rows) :] = np.inf
    powers[-1, -(-(half - rows // 2) // rows) :] = np.inf

    error = np.float32(_ERROR * sqrt(bits) * 2.0 * sqrt(limit))
    low, high = np.float32(limit) - error, np.float32(limit) + error
    below = int(np.count_nonzero(powers < low))
    doubtful = int(np.count_nonzero(powers <= high)) - below
    if doubtful == 0:
        return below
    if doubtful > _MOST_DOUBTFUL:
        return _plain(matrix.reshape(-1), limit)
    flat = powers.reshape(-1)
    k1, k2 = np.divmod(np.flatnonzero((flat >= low) & (flat <= high)), columns)
    return below + int(np.count_nonzero(_exact_powers(matrix, k1 + rows * k2) < limit))


def _exact_powers(matrix: NDArray[np.int8], bins: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return |X_k|² of the bins ``bins`` in double precision, by the definition: a product with two phase tables."""
    rows, columns = matrix.shape
    total = rows * columns
    over_rows = np.exp(-2j * np.pi * (np.outer(bins, np.arange(rows)) % rows) / rows)
    over_columns = np.exp(-2j * np.pi * (np.outer(bins, np.arange(columns)) % total) / total)
    phases = np.vstack([over_rows.real, over_rows.imag])
    sums = np.zeros(len(bins), dtype=np.complex128)
    for first in range(0, columns, _COLUMNS):
        part = slice(first, first + _COLUMNS)
        inner = phases @ matrix[:, part].astype(np.float64)
        sums += ((inner[: len(bins)] + 1j * inner[len(bins) :]) * over_columns[:, part]).sum(axis=1)
    return np.asarray(sums.real**2 + sums.imag**2)


@lru_cache(maxsize=2)
def _twiddles(rows: int, columns: int) -> NDArray[np.complex64]:
    turns = np.outer(np.arange(rows // 2 + 1), np.arange(columns)) / (rows * columns)
    twiddles: NDArray[np.complex64] = np.exp(-2j * np.pi * turns).astype(np.complex64)
    return twiddles


@lru_cache(maxsize=16)
def _split(bits: int) -> tuple[int, int] | None:
    """Return factors (even, any) of ``bits`` near its root, or None if there are none that are any good."""
    for rows in range(isqrt(bits), isqrt(bits) // 8, -1):
        if rows % 2 == 0 and bits % rows == 0:
            return rows, bits // rows
    return None
