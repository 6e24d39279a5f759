"""The customary band: how far chance alone carries a realised return from the theoretical one, at one planned look.

Everything is exact up to the square root, and that is rounded up to twelve decimals (`rounding.root_up`), so two
programs that follow the formulas agree on every digit. docs/rtp.md says where the band misleads: it is normal theory,
it holds for one look at a time fixed in advance, and not before the largest prizes have been hit often.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

from rng_service.games.prizes import PrizeDistribution
from rng_service.rtp.rounding import root_up

# Two-sided quantiles of the normal distribution: P(|Z| <= z) = level, with sixteen decimals.
LEVELS: Mapping[int, Fraction] = {
    90: Fraction("1.6448536269514722"),
    95: Fraction("1.9599639845400545"),
    99: Fraction("2.5758293035489004"),
}
TABLE_PLAYS = tuple(10**power for power in range(3, 10))
# Cochran's rule asks for 25 times the squared skewness.
_PLAYS_PER_SQUARED_SKEWNESS = 25


@dataclass(frozen=True, slots=True)
class StakeSums:
    """What a band needs to know about plays: exact sums over any number of rows, bets and stakes.

    ``plays`` is their number, ``stake`` Σ s, ``expected`` Σ s r and ``variance`` Σ s² v, for stake s in minor units
    and the exact return r and variance v of the multiplier of the bet that was played. Rows add up with ``+``.
    """

    plays: int = 0
    stake: int = 0
    expected: Fraction = Fraction(0)
    variance: Fraction = Fraction(0)

    @classmethod
    def of_bet(cls, prizes: PrizeDistribution, *, plays: int, stake: int, stake_squares: int) -> Self:
        """Return the sums of the plays of one bet, from their number, Σ s and Σ s²; ValueError when these disagree."""
        if min(plays, stake, stake_squares) < 0 or stake * stake > plays * stake_squares:
            raise ValueError(f"no {plays} stakes add up to {stake} with squares that add up to {stake_squares}")
        return cls(plays, stake, stake * prizes.mean, stake_squares * prizes.variance)

    def __add__(self, other: "StakeSums") -> "StakeSums":
        return StakeSums(
            self.plays + other.plays,
            self.stake + other.stake,
            self.expected + other.expected,
            self.variance + other.variance,
        )


@dataclass(frozen=True, slots=True)
class Band:
    """The theoretical return of the rows played and the band's half-width around it, as fractions of the stake."""

    theoretical: Fraction
    half_width: Fraction

    @property
    def lower(self) -> Fraction:
        """The lower end; 0 where the formula falls below, since no return is negative."""
        return max(Fraction(0), self.theoretical - self.half_width)

    @property
    def upper(self) -> Fraction:
        """The upper end."""
        return self.theoretical + self.half_width

    def holds(self, realised: Fraction) -> bool:
        """Say whether a realised return lies in the band, its ends included."""
        return self.lower <= realised <= self.upper


@dataclass(frozen=True, slots=True)
class ConfidenceRow:
    """One row of a PAR sheet's confidence table: the bands of ``plays`` equal bets, by level in percent."""

    plays: int
    bands: Mapping[int, Band]


def band(sums: StakeSums, level: int) -> Band:
    """Return the band of the plays in ``sums`` at 90, 95 or 99 percent: ± z · √(Σ s² v) / Σ s.

    With one bet this is z · SD · √(Σ s²) / Σ s, and with equal stakes z · SD / √n. Raises ValueError when nothing was
    staked or the level is not in `LEVELS`.
    """
    if sums.stake <= 0:
        raise ValueError("a band needs at least one play with a stake")
    variance = sums.variance / sums.stake**2
    return Band(sums.expected / sums.stake, root_up(_quantile(level) ** 2 * variance))


def deal_band(composition: Mapping[Fraction, int], *, sold: int, level: int) -> Band:
    """Return the band of the first ``sold`` tickets of a deal: ± z · SD / √n · √((N - n) / (N - 1)).

    ``composition`` is the number of tickets for each prize as a multiple of the ticket's price. Drawing without
    replacement narrows the band, to nothing at the last ticket. Raises ValueError unless 1 <= sold <= N.
    """
    size = sum(composition.values())
    if not 1 <= sold <= size:
        raise ValueError(f"a band of a deal of {size} tickets is for 1 to {size} sold, not {sold}")
    prizes = PrizeDistribution({prize: Fraction(count, size) for prize, count in composition.items()})
    left = Fraction(size - sold, size - 1) if size > 1 else Fraction(0)
    return Band(prizes.mean, root_up(_quantile(level) ** 2 * prizes.variance / sold * left))


def plays_for(prizes: PrizeDistribution, half_width: Fraction, level: int) -> int:
    """Return the least number of equal bets whose band is at most ``half_width`` (1/200 is half a point)."""
    if half_width <= 0:
        raise ValueError(f"a half-width is positive, not {half_width}")
    return max(1, _ceiling(_quantile(level) ** 2 * prizes.variance / half_width**2))


def plays_for_normality(prizes: PrizeDistribution) -> int:
    """Return the number of equal bets below which the band is not to be relied on: 25 times the squared skewness.

    Cochran, Sampling Techniques, 3rd ed. (1977), §2.15: from there on a 95 % statement errs at most 6 % of the time.
    A rule of thumb, checked by simulation in docs/rtp.md.
    """
    variance = prizes.variance
    if not variance:
        return 1
    mean = prizes.mean
    third = sum((chance * (prize - mean) ** 3 for prize, chance in prizes.probabilities.items()), Fraction(0))
    return max(1, _ceiling(_PLAYS_PER_SQUARED_SKEWNESS * third**2 / variance**3))


def confidence_table(prizes: PrizeDistribution, plays: Iterable[int] = TABLE_PLAYS) -> tuple[ConfidenceRow, ...]:
    """Return a PAR sheet's confidence table: for each number of equal bets, the band at every level of `LEVELS`."""
    return tuple(
        ConfidenceRow(number, {level: band(_equal_bets(prizes, number), level) for level in LEVELS}) for number in plays
    )


def _equal_bets(prizes: PrizeDistribution, plays: int) -> StakeSums:
    return StakeSums.of_bet(prizes, plays=plays, stake=plays, stake_squares=plays)


def _quantile(level: int) -> Fraction:
    if level not in LEVELS:
        raise ValueError(f"a band is made for {', '.join(map(str, LEVELS))} percent, not {level}")
    return LEVELS[level]


def _ceiling(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)
