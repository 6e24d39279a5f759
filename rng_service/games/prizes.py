"""The exact distribution of what a bet gets back for each unit staked."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class PrizeDistribution:
    """Probabilities of the multipliers of one bet, the losing multiplier 0 among them; they sum to 1."""

    probabilities: Mapping[Fraction, Fraction]

    def __post_init__(self) -> None:
        total = sum(self.probabilities.values())
        if total != 1:
            raise ValueError(f"the probabilities of a prize distribution sum to 1, these to {total}")

    @property
    def mean(self) -> Fraction:
        """The return to player."""
        return sum((prize * chance for prize, chance in self.probabilities.items()), Fraction(0))

    @property
    def hit_frequency(self) -> Fraction:
        """The probability of getting anything back."""
        return 1 - self.probabilities.get(Fraction(0), Fraction(0))

    @property
    def variance(self) -> Fraction:
        """The variance of the multiplier."""
        squares = sum((prize * prize * chance for prize, chance in self.probabilities.items()), Fraction(0))
        return squares - self.mean**2

    @property
    def top(self) -> tuple[Fraction, Fraction]:
        """The largest multiplier that can occur, and its probability."""
        prize = max(prize for prize, chance in self.probabilities.items() if chance)
        return prize, self.probabilities[prize]


def winning(prizes: Mapping[Fraction, Fraction]) -> PrizeDistribution:
    """Return the distribution with these winning multipliers; what is left of the probability loses."""
    lost = 1 - sum(prizes.values(), Fraction(0))
    return PrizeDistribution({Fraction(0): lost, **prizes} if lost else dict(prizes))
