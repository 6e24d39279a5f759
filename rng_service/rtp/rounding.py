"""Roots and percentages that come out the same in every program, to the last printed digit."""

from fractions import Fraction
from math import isqrt

ROOT_PLACES = 12


def root_up(square: Fraction) -> Fraction:
    """Return the square root of ``square``, rounded up to a multiple of 10^-12.

    Integers only: for square = p/q the result is k / 10^12 with the least k for which k² q >= 10^24 p.
    Raises ValueError for a negative number.
    """
    if square < 0:
        raise ValueError(f"a negative number has no square root here: {square}")
    scaled = -(-square.numerator * 10 ** (2 * ROOT_PLACES) // square.denominator)  # k² >= a fraction iff >= its ceiling
    root = isqrt(scaled)
    return Fraction(root + (root * root < scaled), 10**ROOT_PLACES)


def percent_text(value: Fraction, places: int = 4) -> str:
    """Return ``value`` in percent with ``places`` decimals (at least one), rounded half to even: 36/37 is 97.2973."""
    units = round(value * 100 * 10**places)
    whole, part = divmod(abs(units), 10**places)
    return f"{'-' if units < 0 else ''}{whole}.{part:0{places}d}"
