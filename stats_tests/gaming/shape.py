"""What an outcome looks like: which integers stand side by side, and how each is distributed.

This is all that the battery knows of a game. A shape is a row of parts; an outcome is their integers in a row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import lgamma, log
from typing import Final

__all__ = [
    "MAX_RANGE",
    "MAX_WIDTH",
    "OutcomeShape",
    "Part",
    "Permutation",
    "Stops",
    "Uniform",
    "Weighted",
    "WithoutReplacement",
]

MAX_RANGE: Final = 2**64
MAX_WIDTH: Final = 65_536


@dataclass(frozen=True, slots=True)
class Uniform:
    """``count`` independent integers, each uniform over 0 … n - 1."""

    n: int
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.n <= MAX_RANGE or self.count < 1:
            raise ValueError("expected 1 ≤ n ≤ 2^64 and a count of at least 1")

    @property
    def width(self) -> int:
        """How many integers there are."""
        return self.count

    @property
    def least_surprise(self) -> float:
        """-ln of the probability of the likeliest value of this part."""
        return self.count * log(self.n)


@dataclass(frozen=True, slots=True)
class Weighted:
    """``count`` independent integers, each v with probability weights[v] / total. A weight of 0 is never drawn."""

    weights: Sequence[int]
    count: int = 1

    def __post_init__(self) -> None:
        if len(self.weights) < 1 or min(self.weights) < 0 or max(self.weights) < 1 or self.count < 1:
            raise ValueError("expected weights of 0 and more, not all 0, and a count of at least 1")

    @property
    def width(self) -> int:
        """How many integers there are."""
        return self.count

    @property
    def least_surprise(self) -> float:
        """-ln of the probability of the likeliest value of this part."""
        return self.count * (log(sum(self.weights)) - log(max(self.weights)))


@dataclass(frozen=True, slots=True)
class WithoutReplacement:
    """``m`` different integers of 0 … n - 1, in the order drawn."""

    n: int
    m: int

    def __post_init__(self) -> None:
        if not 1 <= self.m <= self.n <= MAX_WIDTH:
            raise ValueError(f"expected 1 ≤ m ≤ n ≤ {MAX_WIDTH}")

    @property
    def width(self) -> int:
        """How many integers there are."""
        return self.m

    @property
    def least_surprise(self) -> float:
        """-ln of the probability of the likeliest value of this part."""
        return lgamma(self.n + 1) - lgamma(self.n - self.m + 1)


@dataclass(frozen=True, slots=True)
class Permutation:
    """All of 0 … n - 1 in random order."""

    n: int

    def __post_init__(self) -> None:
        if not 1 <= self.n <= MAX_WIDTH:
            raise ValueError(f"expected 1 ≤ n ≤ {MAX_WIDTH}")

    @property
    def width(self) -> int:
        """How many integers there are."""
        return self.n

    @property
    def least_surprise(self) -> float:
        """-ln of the probability of the likeliest value of this part."""
        return lgamma(self.n + 1)


@dataclass(frozen=True, slots=True)
class Stops:
    """One stop for each reel: uniform over a reel of that length, or by the weights of its stops."""

    lengths: tuple[int, ...]
    weights: tuple[Sequence[int], ...] | None = None

    def __post_init__(self) -> None:
        if not self.lengths or min(self.lengths) < 1:
            raise ValueError("expected reels with at least one stop each")
        if self.weights is not None and tuple(len(stops) for stops in self.weights) != self.lengths:
            raise ValueError("expected a weight for each stop of each reel")

    @property
    def width(self) -> int:
        """How many integers there are."""
        return len(self.lengths)

    @property
    def reels(self) -> "tuple[Uniform | Weighted, ...]":
        """Each reel by itself."""
        if self.weights is None:
            return tuple(Uniform(length) for length in self.lengths)
        return tuple(Weighted(stops) for stops in self.weights)

    @property
    def least_surprise(self) -> float:
        """-ln of the probability of the likeliest value of this part."""
        return sum(reel.least_surprise for reel in self.reels)


Part = Uniform | Weighted | WithoutReplacement | Permutation | Stops


@dataclass(frozen=True, slots=True)
class OutcomeShape:
    """The parts of an outcome, independent of each other."""

    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        if not self.parts or self.width > MAX_WIDTH:
            raise ValueError(f"expected from 1 to {MAX_WIDTH} integers an outcome")

    @property
    def width(self) -> int:
        """How many integers an outcome has."""
        return sum(part.width for part in self.parts)

    @property
    def least_surprise(self) -> float:
        """-ln of the probability of the likeliest outcome: two given outcomes are equal with at most exp(-this)."""
        return sum(part.least_surprise for part in self.parts)
