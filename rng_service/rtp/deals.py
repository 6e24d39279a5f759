"""Evidence about the order of a finite deal, from nothing but how many tickets of each prize have been sold.

A deal's composition is exact and is checked in full at its close; what chance decides is the order. The null hypothesis
is that every order of the tickets is equally likely. Against it stand gamblers who draw with replacement from a tilted
composition, q_i = (c_i / N)(1 + λ (x_i - μ)); the ratio of the two likelihoods of the tickets sold,

    Π_i q_i^(n_i) · N (N - 1) … (N - n + 1) / Π_i c_i (c_i - 1) … (c_i - n_i + 1),

is a non-negative supermartingale at every single ticket and depends on the counts n_i alone, so rollups of any period
will do and the number sold may depend on what was won. docs/rtp.md §5 has the proof, and why a plain product with the
mean left at the beginning of a period would not do for periods cut by the clock.
"""

from collections.abc import Mapping
from fractions import Fraction
from math import exp, inf, lgamma, log

from rng_service.rtp.betting import largest_bet, log_mean_exp, log_wealths, powers_of_two

_LARGEST_EXPONENT = 709.0


class DealEvidence:
    """The sold tickets of one deal against its composition, each the number of tickets by prize.

    ``composition`` is public and fixed before the first sale. Raises ValueError when more tickets of a prize are sold
    than the deal holds: that is no matter of chance, and its verification fails elsewhere.
    """

    def __init__(self, composition: Mapping[Fraction, int], sold: Mapping[Fraction, int]) -> None:
        for prize, count in composition.items():
            if prize < 0 or count < 1:
                raise ValueError(f"a deal holds at least one ticket of each of its prizes, not {count} of {prize}")
        for prize, count in sold.items():
            if not 0 <= count <= composition.get(prize, 0):
                raise ValueError(f"{count} tickets of prize {prize} sold, the deal holds {composition.get(prize, 0)}")
        self._composition = dict(composition)
        self._sold = {prize: count for prize, count in sold.items() if count}

    def log_e_value(self) -> float:
        """Return the natural logarithm of the e-value against "every order is equally likely"; 0 at the beginning.

        Exact up to about 10^-16 times the logarithm of the factorial of the deal's size: 10^-5 at a billion tickets.
        """
        size = sum(self._composition.values())
        mean = sum((prize * count for prize, count in self._composition.items()), Fraction(0)) / size
        highest = max(self._composition)
        if not self._sold or highest == min(self._composition):
            return 0.0
        smallest = 1
        while 4**smallest < size * (highest - mean) * mean:
            smallest += 1
        counts = list(self._sold.values())
        gains = [float(prize - mean) for prize in self._sold]
        tilts = [
            log_mean_exp(list(log_wealths(powers_of_two(largest_bet(loss), smallest), counts, side)))
            for loss, side in ((mean, gains), (highest - mean, [-gain for gain in gains]))
        ]
        return log_mean_exp(tilts) + self._log_replacement(size)

    def e_value(self) -> float:
        """Return the e-value; infinity past the range of floats."""
        log_e_value = self.log_e_value()
        return exp(log_e_value) if log_e_value <= _LARGEST_EXPONENT else inf

    def alarm(self, alpha: Fraction | float) -> bool:
        """Say whether the e-value is 1 / alpha or more."""
        if not 0 < alpha < 1:
            raise ValueError(f"a level alpha is between 0 and 1, not {alpha}")
        return self.log_e_value() >= -log(alpha)

    def _log_replacement(self, size: int) -> float:
        """Return the log ratio of the sold tickets' likelihoods with and without replacement, untilted."""
        log_ratio = _log_falling_share(size, sum(self._sold.values()))
        for prize, count in self._sold.items():
            log_ratio -= _log_falling_share(self._composition[prize], count)
        return log_ratio


def _log_falling_share(size: int, count: int) -> float:
    """Return log(size (size - 1) … (size - count + 1) / size^count)."""
    return lgamma(size + 1) - lgamma(size - count + 1) - count * log(size)
