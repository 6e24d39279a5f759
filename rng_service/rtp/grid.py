"""The grid of multipliers: how a game with thousands of prizes leaves a histogram of bounded size.

A multiplier that does not lie on the grid is moved to the point below or above it, by chance, so that its mean does not
change: x between a and b goes to b with probability (x - a) / (b - a). The chance comes from the hash of the record, so
it is the same whenever the record is read again, and nobody chose it. Given everything before, the moved multiplier
has the mean that the multiplier had, so evidence about the mean stays valid; its variance grows by less than x² / 4096.
"""

from fractions import Fraction
from functools import lru_cache
from typing import Final

__all__ = ["grid_point", "highest_point", "stake_weight"]

# Points between a power of two and the next, and the finest step: 1/1024 below 1/32.
_POINTS_AN_OCTAVE: Final = 32
_FINEST: Final = Fraction(1, 1024)
_CHANCES: Final = 1 << 64


def stake_weight(stake_minor: int) -> int:
    """Return the weight of a play in the histogram: the power of two at or below its stake.

    Any weight that is fixed before the outcome is known is as valid as the stake itself; these are few.
    """
    return 1 << (stake_minor.bit_length() - 1)


def grid_point(multiplier: Fraction, chance: int) -> Fraction:
    """Return the point to which ``multiplier`` moves when ``chance``, uniform on 0 … 2^64 - 1, was drawn."""
    low, high, odds = _around(multiplier.numerator, multiplier.denominator)
    return high if chance < odds else low


def highest_point(multiplier: Fraction) -> Fraction:
    """Return the highest point to which a multiplier of at most ``multiplier`` can move."""
    return _around(multiplier.numerator, multiplier.denominator)[1]


@lru_cache(maxsize=65_536)
def _around(numerator: int, denominator: int) -> tuple[Fraction, Fraction, int]:
    """Return the points around a multiplier, and how many of the 2^64 chances go to the upper; one point if on it."""
    multiplier = Fraction(numerator, denominator)
    step = _step(multiplier)
    low = multiplier // step * step
    if low == multiplier:
        return low, low, 0
    return low, low + step, int((multiplier - low) / step * _CHANCES)


def _step(multiplier: Fraction) -> Fraction:
    whole = multiplier.numerator // multiplier.denominator
    octave = Fraction(1 << (whole.bit_length() - 1)) if whole else Fraction(1)
    while octave > multiplier and octave > _FINEST * _POINTS_AN_OCTAVE:
        octave /= 2
    return max(octave / _POINTS_AN_OCTAVE, _FINEST)
