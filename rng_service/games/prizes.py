"""The exact distribution of what a bet gets back for each unit staked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import lcm


@dataclass(frozen=True, slots=True)
class PrizeDistribution:
    """Probabilities of the multipliers of one bet, the losing multiplier 0 among them; they sum to 1."""

    probabilities: Mapping[Fraction, Fraction]

    def __post_init__(self) -> None:
        total = weighted_sum((Fraction(1), chance) for chance in self.probabilities.values())
        if total != 1:
            raise ValueError(f"the probabilities of a prize distribution sum to 1, these to {total}")

    @property
    def mean(self) -> Fraction:
        """The return to player."""
        return weighted_sum(self.probabilities.items())

    @property
    def hit_frequency(self) -> Fraction:
        """The probability of getting anything back."""
        return 1 - self.probabilities.get(Fraction(0), Fraction(0))

    @property
    def variance(self) -> Fraction:
        """The variance of the multiplier."""
        return weighted_variance(self.probabilities.items())

    @property
    def top(self) -> tuple[Fraction, Fraction]:
        """The largest multiplier that can occur, and its probability."""
        prize = max(prize for prize, chance in self.probabilities.items() if chance)
        return prize, self.probabilities[prize]


def weighted_sum(pairs: Iterable[tuple[Fraction, Fraction]]) -> Fraction:
    """Return Σ value · weight, exactly.

    In integers over common denominators: a slot has tens of thousands of prizes, and a fraction is reduced with
    every operation.
    """
    values, weights, scale = _integers(pairs)
    return Fraction(sum(value * weight for value, weight in zip(values, weights, strict=True)), scale)


def weighted_variance(pairs: Iterable[tuple[Fraction, Fraction]]) -> Fraction:
    """Return Σ value² · weight - (Σ value · weight)², exactly; the weights sum to 1."""
    pairs = list(pairs)
    unit = lcm(*(value.denominator for value, _ in pairs))
    values, weights, scale = _integers(pairs)
    squares = sum(value * value * weight for value, weight in zip(values, weights, strict=True))
    mean = sum(value * weight for value, weight in zip(values, weights, strict=True))
    return Fraction(squares, scale * unit) - Fraction(mean, scale) ** 2


def _integers(pairs: Iterable[tuple[Fraction, Fraction]]) -> tuple[list[int], list[int], int]:
    """Return values and weights as integers, and what each product of two has to be divided by."""
    pairs = list(pairs)
    one = lcm(*(value.denominator for value, _ in pairs))
    other = lcm(*(weight.denominator for _, weight in pairs))
    values = [value.numerator * (one // value.denominator) for value, _ in pairs]
    weights = [weight.numerator * (other // weight.denominator) for _, weight in pairs]
    return values, weights, one * other


def winning(prizes: Mapping[Fraction, Fraction]) -> PrizeDistribution:
    """Return the distribution with these winning multipliers; what is left of the probability loses."""
    lost = 1 - sum(prizes.values(), Fraction(0))
    return PrizeDistribution({Fraction(0): lost, **prizes} if lost else dict(prizes))
