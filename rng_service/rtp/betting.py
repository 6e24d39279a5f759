"""Bets against a stated mean: the fixed grid and the wealth of each bet on it.

A gambler who doubts a game's stated return starts with 1 and, before each play, stakes a fixed share of his wealth on
the multiplier being above (or below) its mean. If the statement is true his wealth is a martingale and, by Ville's
inequality, ever reaches 1 / alpha with probability at most alpha, however often one looks. Waudby-Smith and Ramdas,
"Estimating means of bounded random variables by betting" (J. R. Stat. Soc. B 86, 2024); the mixture over a grid is the
method of mixtures of Howard, Ramdas, McAuliffe and Sekhon (Ann. Statist. 49, 2021).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import exp, fsum, inf, log, log1p
from operator import mul

# Bets are kept so small that no factor of the wealth falls below 1/16: the logarithms stay tame at every difference.
_LARGEST_LOSS = Fraction(15, 16)
# Up to this many plays the grid reaches down to the best bet; beyond, bounds stay valid and shrink less quickly.
_HORIZON_PLAYS = 10**12


@dataclass(frozen=True, slots=True)
class BetGrid:
    """The bets of one row, powers of two, fixed before its first play: sizes of bets that the return is higher, lower.

    With the bet λ a play multiplies the wealth by 1 + λ w (x - r - δ) (higher) or 1 - λ w (x - r - δ) (lower).
    ``lowest_difference`` and ``highest_difference`` bound δ; bets on higher are placed for δ up to ``reach`` only, and
    past it that half of the wealth is left unstaked (the constant 1).
    """

    higher: tuple[float, ...]
    lower: tuple[float, ...]
    lowest_difference: float
    highest_difference: float
    reach: float


def bet_grid(highest: Fraction, highest_expected: Fraction) -> BetGrid:
    """Return the grid for multipliers in [0, ``highest``] with returns in [0, ``highest_expected``].

    A factor is at least 1/16 for every weight in (0, 1], multiplier, return r and difference δ in its domain:
    λ w (r + δ - x) <= λ (R + 7R/8) on the higher side, and λ w (x - r - δ) <= λ (highest + R) on the lower.
    """
    if highest_expected <= 0 or highest < highest_expected:
        raise ValueError(f"0 < highest return <= highest multiplier, not {highest_expected} and {highest}")
    reach = highest_expected * Fraction(7, 8)
    smallest = 1
    while 4**smallest < _HORIZON_PLAYS * highest * highest_expected:
        smallest += 1
    return BetGrid(
        higher=powers_of_two(_LARGEST_LOSS / (highest_expected + reach), smallest),
        lower=powers_of_two(_LARGEST_LOSS / (highest + highest_expected), smallest),
        lowest_difference=-float(highest_expected),
        highest_difference=float(highest),
        reach=float(reach),
    )


def largest_bet(loss: Fraction) -> Fraction:
    """Return the bound on a bet whose factor falls by λ · ``loss`` at worst."""
    return _LARGEST_LOSS / loss


def powers_of_two(largest: Fraction, smallest: int) -> tuple[float, ...]:
    """Return the powers of two from the last one within ``largest`` down to 2^-``smallest``: at least one."""
    power = 0
    while Fraction(1, 2**power) > largest:
        power += 1
    return tuple(2.0**-exponent for exponent in range(power, max(power, smallest) + 1))


def log_wealths(bets: Sequence[float], counts: Sequence[int], gains: Sequence[float]) -> Iterator[float]:
    """Yield for each bet λ the logarithm of Π (1 + λ gain)^count, the sum correctly rounded in any order of plays."""
    for bet in bets:
        yield fsum(map(mul, counts, [log1p(bet * gain) for gain in gains]))


def log_mean_exp(values: Sequence[float]) -> float:
    """Return the logarithm of the mean of exp(value), without leaving the range of floats on the way."""
    largest = max(values)
    if largest == -inf:
        return -inf
    return largest + log(fsum(exp(value - largest) for value in values) / len(values))
