"""All ten estimators on one set of samples, and the least of what they say (SP 800-90B sections 3.1.3 and 6.2).

The initial estimate of an entropy source without the claim of its maker: the least over the samples as they are, and
the least over the bits that they are written with, times the bits of a sample. It means something for the raw samples
of a noise source. A generator's output passes whatever its seed was.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.entropy.collision import collision
from stats_tests.entropy.compression import compression
from stats_tests.entropy.lag import lag
from stats_tests.entropy.longest_repeat import longest_repeat
from stats_tests.entropy.lz78y import lz78y
from stats_tests.entropy.markov import markov
from stats_tests.entropy.most_common_value import most_common_value
from stats_tests.entropy.multi_mcw import multi_mcw
from stats_tests.entropy.multi_mmc import multi_mmc
from stats_tests.entropy.results import Estimate
from stats_tests.entropy.symbols import Symbols, bit_string, symbols_of
from stats_tests.entropy.t_tuple import t_tuple

__all__ = ["ENOUGH_SAMPLES", "ESTIMATORS", "Assessment", "Estimator", "assess"]

Estimator = Callable[[Symbols], Estimate]

# Section 3.1.1 asks for so many.
ENOUGH_SAMPLES: Final = 1_000_000
# In the order of section 6.3, and whether an estimator takes bits only.
ESTIMATORS: Final[tuple[tuple[Estimator, bool], ...]] = (
    (most_common_value, False),
    (collision, True),
    (markov, True),
    (compression, True),
    (t_tuple, False),
    (longest_repeat, False),
    (multi_mcw, False),
    (lag, False),
    (multi_mmc, False),
    (lz78y, False),
)


@dataclass(frozen=True)
class Assessment:
    """What the estimators say. ``bits`` is empty for samples of two values: they are a bit string already."""

    samples: int
    symbol_bits: int
    alphabet: int
    original: tuple[Estimate, ...]
    bits: tuple[Estimate, ...]

    @property
    def original_bits(self) -> float:
        """H_original: bits of min-entropy a sample, by the samples as they are; 0 when all are the same."""
        return 0.0 if self.alphabet < 2 else _least(self.original, self.symbol_bits)

    @property
    def bit_string_bits(self) -> float | None:
        """H_bitstring: bits of min-entropy a bit."""
        return _least(self.bits, 1) if self.bits else None

    @property
    def min_entropy(self) -> float:
        """The assessed min-entropy in bits a sample."""
        per_bit = self.bit_string_bits
        return self.original_bits if per_bit is None else min(self.original_bits, self.symbol_bits * per_bit)

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON."""
        return {
            "samples": self.samples,
            "symbol_bits": self.symbol_bits,
            "alphabet": self.alphabet,
            "original": [estimate.as_json() for estimate in self.original],
            "bits": [estimate.as_json() for estimate in self.bits],
            "h_original": self.original_bits,
            "h_bitstring": self.bit_string_bits,
            "min_entropy": self.min_entropy,
        }


def assess(
    samples: NDArray[np.uint8], symbol_bits: int, progress: Callable[[int, int], None] = lambda _done, _all: None
) -> Assessment:
    """Run every estimator that applies; ``samples`` are below 2^``symbol_bits``. Raises ValueError when there are none.

    A million samples of eight bits take half a minute, most of it for the eight million bits, and 0.9 GB of memory.
    ``progress`` hears how many estimators of how many are done.
    """
    if not len(samples):
        raise ValueError("there are no samples")
    alphabet = len(np.unique(samples))
    if alphabet < 2:
        return Assessment(len(samples), symbol_bits, alphabet, (), ())
    original = [estimator for estimator, bits_only in ESTIMATORS if alphabet == 2 or not bits_only]
    bits = [estimator for estimator, _ in ESTIMATORS] if alphabet > 2 else []
    total = len(original) + len(bits)

    def run(estimators: list[Estimator], symbols: Symbols, done: int) -> tuple[Estimate, ...]:
        found = []
        for number, estimator in enumerate(estimators, 1):
            found.append(estimator(symbols))
            progress(done + number, total)
        return tuple(found)

    progress(0, total)
    of_original = run(original, symbols_of(samples), 0)
    of_bits = run(bits, bit_string(samples, symbol_bits), len(original)) if bits else ()
    return Assessment(len(samples), symbol_bits, alphabet, of_original, of_bits)


def _least(estimates: tuple[Estimate, ...], most: int) -> float:
    return min((found.min_entropy for found in estimates if found.min_entropy is not None), default=float(most))
