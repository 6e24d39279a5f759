"""The primitives of an outcome, as values: what a program draws, with the limits that keep it small.

Every step has a fixed ``width``: the number of integers that it adds to the outcome.
"""

from dataclasses import dataclass

from rng_service.outcome.lookup import LookupTable

MAX_BOUND = 2**64
MAX_COUNT = 4_096  # integers that one step, and one program, may yield
MAX_DECK = 65_536  # cards that a sample or shuffle may hold in memory for a draw
MAX_STEPS = 256
MAX_TICKETS = 1_048_576  # a deal is one pool


class StepError(ValueError):
    """A step outside its limits; ``where`` is the path from the step to the field, like ``weights[3]``."""

    def __init__(self, where: str, message: str) -> None:
        super().__init__(f"{where}: {message}")
        self.where = where
        self.message = message


def _within(where: str, value: int, low: int, high: int, high_text: str | None = None) -> None:
    if not low <= value <= high:
        raise StepError(where, f"expected an integer from {low} to {high_text or high}, got {_short(value)}")


def _short(value: int) -> str:
    # Converting an integer of thousands of digits is itself an attack, so its size is told instead.
    return str(value) if value.bit_length() <= 128 else f"an integer of {value.bit_length()} bits"


@dataclass(frozen=True, slots=True)
class Uniform:
    """``count`` independent integers, each uniform over 0 … n - 1."""

    n: int
    count: int = 1

    def __post_init__(self) -> None:
        _within("n", self.n, 1, MAX_BOUND, "2^64")
        _within("count", self.count, 1, MAX_COUNT)

    @property
    def width(self) -> int:
        """The number of integers that this step yields."""
        return self.count


@dataclass(frozen=True, slots=True)
class Weighted:
    """``count`` independent indexes into ``weights``, each with probability weight / total."""

    weights: tuple[int, ...]
    count: int = 1

    def __post_init__(self) -> None:
        if not self.weights:
            raise StepError("weights", "expected at least one weight")
        for position, weight in enumerate(self.weights):
            _within(f"weights[{position}]", weight, 1, MAX_BOUND, "2^64")
        if sum(self.weights) > MAX_BOUND:
            raise StepError("weights", f"the total is {_short(sum(self.weights))}, at most 2^64 is allowed")
        _within("count", self.count, 1, MAX_COUNT)

    @property
    def width(self) -> int:
        """The number of integers that this step yields."""
        return self.count


@dataclass(frozen=True, slots=True)
class Sample:
    """``m`` different integers of 0 … n - 1 in the order drawn: a Fisher-Yates shuffle stopped early."""

    n: int
    m: int

    def __post_init__(self) -> None:
        _within("n", self.n, 1, MAX_DECK)
        _within("m", self.m, 1, min(self.n, MAX_COUNT))

    @property
    def width(self) -> int:
        """The number of integers that this step yields."""
        return self.m


@dataclass(frozen=True, slots=True)
class Shuffle:
    """All of 0 … n - 1 in random order: the Fisher-Yates array from a[0] to a[n - 1]."""

    n: int

    def __post_init__(self) -> None:
        _within("n", self.n, 1, MAX_COUNT)

    @property
    def width(self) -> int:
        """The number of integers that this step yields."""
        return self.n


@dataclass(frozen=True, slots=True)
class Reels:
    """One stop for each reel: uniform over that reel's strip of symbols, or with the weight of each stop."""

    strips: tuple[tuple[str, ...], ...]
    weights: tuple[tuple[int, ...], ...] | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.strips) <= 64:
            raise StepError("strips", f"expected 1 to 64 reels, got {len(self.strips)}")
        for reel, strip in enumerate(self.strips):
            if not 1 <= len(strip) <= MAX_DECK:
                raise StepError(f"strips[{reel}]", f"expected 1 to {MAX_DECK} symbols, got {len(strip)}")
        if self.weights is not None:
            self._check_weights(self.weights)

    def _check_weights(self, weights: tuple[tuple[int, ...], ...]) -> None:
        if len(weights) != len(self.strips):
            raise StepError("weights", f"expected weights for {len(self.strips)} reels, got {len(weights)}")
        for reel, (strip, stops) in enumerate(zip(self.strips, weights, strict=True)):
            where = f"weights[{reel}]"
            if len(stops) != len(strip):
                raise StepError(where, f"expected a weight for each of the {len(strip)} stops, got {len(stops)}")
            for stop, weight in enumerate(stops):
                _within(f"{where}[{stop}]", weight, 1, MAX_BOUND, "2^64")
            if sum(stops) > MAX_BOUND:
                raise StepError(where, f"the total is {_short(sum(stops))}, at most 2^64 is allowed")

    @property
    def width(self) -> int:
        """The number of integers that this step yields."""
        return len(self.strips)


@dataclass(frozen=True, slots=True)
class Lookup:
    """One row of a weighted lookup table, by its index from 0."""

    table: LookupTable

    @property
    def width(self) -> int:
        """The number of integers that this step yields."""
        return 1


@dataclass(frozen=True, slots=True)
class Deal:
    """The tier of one ticket of a finite deal: tier t stands on exactly ``counts[t]`` of its tickets."""

    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        _within("counts", len(self.counts), 1, MAX_DECK)
        for position, count in enumerate(self.counts):
            _within(f"counts[{position}]", count, 1, MAX_TICKETS)
        if self.size > MAX_TICKETS:
            raise StepError("counts", f"the deal has {self.size} tickets, at most {MAX_TICKETS} are allowed")

    @property
    def size(self) -> int:
        """The number of tickets."""
        return sum(self.counts)

    @property
    def width(self) -> int:
        """The number of integers that this step yields."""
        return 1


Step = Deal | Lookup | Uniform | Weighted | Sample | Shuffle | Reels
