"""The grid of multipliers: how a game with thousands of prizes leaves a histogram of bounded size.

A multiplier that does not lie on the grid is moved to the point below or above it, by chance, so that its mean does not
change: x between a and b goes to b with probability (x - a) / (b - a). The chance comes from the hash of the record, so
it is the same whenever the record is read again, and nobody chose it. Given everything before, the moved multiplier
has the mean that the multiplier had, so evidence about the mean stays valid; its variance grows by less than x² / 4096.
"""

from fractions import Fraction
from functools import lru_cache
from typing import Final, NamedTuple

__all__ = ["Around", "around", "highest_point", "stake_weight"]

# Points between a power of two and the next, and the finest step: 1/1024 below 1/32.
_POINTS_AN_OCTAVE: Final = 32
_FINEST: Final = Fraction(1, 1024)
_CHANCES: Final = 1 << 64


def stake_weight(stake_minor: int) -> int:
    """Return the weight of a play in the histogram: the power of two at or below its stake.

    Any weight that is fixed before the outcome is known is as valid as the stake itself; these are few.
    """
    return 1 << (stake_minor.bit_length() - 1)


class Around(NamedTuple):
    """The points of the grid below and above a multiplier, as (numerator, denominator), the same one if it is on it.

    A multiplier moves up when its chance, uniform on 0 … 2^64 - 1, is below ``odds``.
    """

    low: tuple[int, int]
    high: tuple[int, int]
    odds: int


@lru_cache(maxsize=65_536)
def around(numerator: int, denominator: int) -> Around:
    """Return the points around the multiplier ``numerator`` / ``denominator``."""
    multiplier = Fraction(numerator, denominator)
    step = _step(multiplier)
    low = multiplier // step * step
    if low == multiplier:
        return Around(_parts(low), _parts(low), 0)
    return Around(_parts(low), _parts(low + step), int((multiplier - low) / step * _CHANCES))


def highest_point(multiplier: Fraction) -> Fraction:
    """Return the highest point to which a multiplier of at most ``multiplier`` can move."""
    return Fraction(*around(multiplier.numerator, multiplier.denominator).high)


def _parts(value: Fraction) -> tuple[int, int]:
    # Fractions are slow to hash, and these are counted by.
    return value.numerator, value.denominator


def _step(multiplier: Fraction) -> Fraction:
    whole = multiplier.numerator // multiplier.denominator
    octave = Fraction(1 << (whole.bit_length() - 1)) if whole else Fraction(1)
    while octave > multiplier and octave > _FINEST * _POINTS_AN_OCTAVE:
        octave /= 2
    return max(octave / _POINTS_AN_OCTAVE, _FINEST)
