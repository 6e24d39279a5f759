"""Narrower questions to the same plays, for games whose return hangs on a rare prize.

The mean of a heavy tail is learned at the pace of its top prize. The paytable says more than the mean, though: how
often anything is won, and what the return is with rare prizes counted only up to a cap. Each is a bounded variable with
a known mean, so the same `Evidence` watches it: `Cell`s with the capped multiplier and the capped return, and the cap
as ``highest``.
"""

from fractions import Fraction

from rng_service.games.prizes import PrizeDistribution


def capped_prizes(prizes: PrizeDistribution, cap: Fraction) -> PrizeDistribution:
    """Return the distribution of the multiplier, or of ``cap`` where it is larger. The cap is fixed before play."""
    if cap <= 0:
        raise ValueError(f"a cap is positive, not {cap}")
    return _mapped(prizes, {prize: min(prize, cap) for prize in prizes.probabilities})


def hit_prizes(prizes: PrizeDistribution) -> PrizeDistribution:
    """Return the distribution of "anything won": 1 with the hit frequency, else 0."""
    return _mapped(prizes, {prize: Fraction(prize > 0) for prize in prizes.probabilities})


def _mapped(prizes: PrizeDistribution, values: dict[Fraction, Fraction]) -> PrizeDistribution:
    found: dict[Fraction, Fraction] = {}
    for prize, chance in prizes.probabilities.items():
        found[values[prize]] = found.get(values[prize], Fraction(0)) + chance
    return PrizeDistribution(found)
