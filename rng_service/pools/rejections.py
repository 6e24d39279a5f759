"""The rate at which pools fail their tests, against its bound (docs/statistics.md).

Pool i of a perfect service fails with probability at most p_i = 2^-error_bits of its plan, independently of the
others. With m = Σ p_i over the tests so far, k failures or more have a probability of at most the sum, over all sets of
k pools, of the product of their p_i; and that is at most m^k / k!.

The alarm may be looked at after every test. It sounds when there are k failures while 2^k · m^k / k! is still at most
the level. Failures never become fewer and m never smaller: if that ever holds for a k, it holds at the last test whose
m is below the threshold of this k, a place that was fixed beforehand. So for one k the chance is at most level / 2^k,
and over all k and all times together at most the level.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import factorial, log2
from typing import Final

__all__ = ["ALARM_LEVEL", "RejectionRate", "rejection_rate"]

ALARM_LEVEL: Final = Fraction(1, 10_000)
"""The chance that a service whose pools are all perfect ever raises the alarm."""


@dataclass(frozen=True, slots=True)
class RejectionRate:
    """How many pools passed and failed, and ``expected``: how many perfect ones fail on average, at most."""

    passed: int
    failed: int
    expected: Fraction

    @property
    def p_value(self) -> Fraction:
        """An upper bound of the chance that so many perfect pools or more fail; 1 without a failure."""
        return min(Fraction(1), self._tail())

    @property
    def log2_p_value(self) -> float:
        """The binary logarithm of `p_value`, which itself is too small for a float."""
        found = self.p_value
        return log2(found.numerator) - log2(found.denominator)

    @property
    def alarm(self) -> bool:
        """Whether chance alone does not explain the failures, however often this is asked."""
        return self.failed > 0 and 2**self.failed * self._tail() <= ALARM_LEVEL

    def _tail(self) -> Fraction:
        return self.expected**self.failed / factorial(self.failed)


def rejection_rate(tests: Mapping[int, int], failed: int) -> RejectionRate:
    """Return the rate for so many ``tests`` under plans of so many error bits, ``failed`` of which failed.

    Raises ValueError when more failed than were tested.
    """
    tested = sum(tests.values())
    if not 0 <= failed <= tested:
        raise ValueError(f"{failed} of {tested} pools cannot have failed")
    expected = sum((Fraction(count, 2**bits) for bits, count in tests.items()), Fraction())
    return RejectionRate(tested - failed, failed, expected)
