"""What is said about a row of realised return: exact figures, the customary bands, and why there are none."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from rng_service.rtp.bands import Band, StakeSums, band
from rng_service.rtp.prices import VARIANCE_UNIT
from rng_service.rtp.rollup import Sums

__all__ = ["LEVELS_SHOWN", "Figures", "figures"]

LEVELS_SHOWN: Final = (95, 99)


@dataclass(frozen=True, slots=True)
class Figures:
    """The return of the plays in some sums. ``theoretical`` is that of the bets that were played, by their stakes.

    None where nothing was staked or, for the theory, where ``reason`` says why there is none.
    """

    theoretical: Fraction | None
    realised: Fraction | None
    theoretical_hit_rate: Fraction | None
    hit_rate: Fraction | None
    bands: tuple[Band, ...]
    reason: str


def figures(sums: Sums) -> Figures:
    """Return the figures of a row; ``bands`` are those of `LEVELS_SHOWN`, in this order, or none."""
    realised = Fraction(sums.payout_minor, sums.stake_minor) if sums.stake_minor else None
    hit_rate = Fraction(sums.hits, sums.plays) if sums.plays else None
    reason = _reason(sums)
    if reason or not sums.stake_minor:
        return Figures(None, realised, None, hit_rate, (), reason or "nothing was staked")
    played = StakeSums(
        sums.plays, sums.stake_minor, sums.expected_payout, Fraction(sums.expected_variance, VARIANCE_UNIT)
    )
    bands = tuple(band(played, level) for level in LEVELS_SHOWN)
    said = f"{sums.by_strategy} plays are priced by the game's reference strategy" if sums.by_strategy else ""
    return Figures(
        sums.expected_payout / sums.stake_minor, realised, sums.expected_hits / sums.plays, hit_rate, bands, said
    )


def _reason(sums: Sums) -> str:
    if sums.unpriced:
        return (
            f"{sums.unpriced} of {sums.plays} plays have no exact theory, and the game lists no one strategy for them"
        )
    return ""
