"""2.6 Discrete Fourier transform (spectral): whether there are periodic features."""

from dataclasses import dataclass
from math import log, sqrt
from typing import ClassVar, Final

from stats_tests.bits import Batch
from stats_tests.nist.mode import Mode
from stats_tests.nist.spectrum import peaks_below
from stats_tests.results import TestResult
from stats_tests.special import erfc

__all__ = ["Dft"]

_MINIMUM_BITS: Final = 1_000
_SHARE_BELOW: Final = 0.95
# T² / n, beyond which a twentieth of the peaks lies: -ln 0.05, in sts-2.1.2 with nine places.
_THRESHOLD: Final = {Mode.EXACT: log(20.0), Mode.NIST_2_1_2: 2.995732274}
# The variance of the count is n · 0.95 · 0.05 / divisor: 4 is an empirical value (Kim, Umeno, Hasegawa 2004); 3.8 is
# what Pareschi, Rovatti and Setti derived in 2012, because the peaks of one sequence are not independent.
_DIVISOR: Final = {Mode.EXACT: 3.8, Mode.NIST_2_1_2: 4.0}


@dataclass(frozen=True, slots=True)
class Dft:
    """SP 800-22 section 2.6."""

    name: ClassVar[str] = "dft"
    p_value_count: ClassVar[int] = 1

    def unsuitable(self, bits: int) -> str | None:
        """At least 1,000 bits (2.6.7)."""
        return f"needs at least {_MINIMUM_BITS} bits" if bits < _MINIMUM_BITS else None

    def run(self, batch: Batch, mode: Mode) -> list[TestResult]:
        """P = erfc(|N1 - N0| / √2 / deviation), N1 of the first n/2 peaks being below T."""
        expected = _SHARE_BELOW * batch.bits / 2.0
        deviation = sqrt(batch.bits * _SHARE_BELOW * (1.0 - _SHARE_BELOW) / _DIVISOR[mode])
        return [
            TestResult(
                self.name,
                (float(erfc(abs(below - expected) / deviation / sqrt(2.0))),),
                statistics={"below": below, "expected": expected},
            )
            for below in peaks_below(batch, _THRESHOLD[mode])
        ]
