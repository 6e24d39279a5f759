"""Programs: a list of steps, compiled once into a function from the outcome's byte stream to integers."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from rng_service.outcome.deals import DealTicket
from rng_service.outcome.derivation import OutcomeStream, uniform_constants
from rng_service.outcome.lookup import compile_lookup
from rng_service.outcome.steps import (
    MAX_COUNT,
    MAX_STEPS,
    Deal,
    Lookup,
    Reels,
    Sample,
    Shuffle,
    Step,
    StepError,
    Uniform,
    Weighted,
)

Outcome = tuple[int, ...]
Derive = Callable[[OutcomeStream], Outcome]


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled program; ``derive`` reads a fresh stream and yields exactly ``width`` integers."""

    steps: tuple[Step, ...]
    width: int
    derive: Derive = field(repr=False, compare=False)

    @property
    def deal_size(self) -> int:
        """The number of tickets when this is a deal, 0 for every other program."""
        return self.steps[0].size if isinstance(self.steps[0], Deal) else 0


def compile_program(steps: Sequence[Step]) -> Program:
    """Compile ``steps``, which read the stream one after the other; the outcome is their values in a row.

    Raises StepError when there are no steps, more than 256, or more than 4,096 values in total.
    """
    if len(steps) > 1 and any(isinstance(step, Deal) for step in steps):
        raise StepError("steps", "a deal is the only step of its program")
    if not 1 <= len(steps) <= MAX_STEPS:
        raise StepError("steps", f"expected 1 to {MAX_STEPS} steps, got {len(steps)}")
    width = sum(step.width for step in steps)
    if width > MAX_COUNT:
        raise StepError("steps", f"the outcome has {width} integers, at most {MAX_COUNT} are allowed")
    parts = tuple(_compile(step) for step in steps)
    return Program(tuple(steps), width, parts[0] if len(parts) == 1 else _chain(parts))


def _chain(parts: tuple[Derive, ...]) -> Derive:
    def derive(stream: OutcomeStream) -> Outcome:
        values: list[int] = []
        for part in parts:
            values.extend(part(stream))
        return tuple(values)

    return derive


def _compile(step: Step) -> Derive:
    match step:
        case Deal(counts):
            return _deal(counts)
        case Lookup(table):
            return compile_lookup(table)
        case Uniform(n, count):
            return _uniform(n, count)
        case Weighted(weights, count):
            return _weighted(weights, count)
        case Sample(n, m):
            return _sample(n, m)
        case Shuffle(n):
            return _shuffle(n)
        case Reels(strips, weights):
            if weights is None:
                return _reels([len(strip) for strip in strips])
            return _chain(tuple(_weighted(stops, 1) for stops in weights))


def _deal(counts: Sequence[int]) -> Derive:
    cumulative = tuple(accumulate(counts))

    def derive(stream: OutcomeStream) -> Outcome:
        if not isinstance(stream, DealTicket):
            raise TypeError("the tickets of a deal are not drawn from a stream")
        return (bisect_right(cumulative, stream.number),)

    return derive


def _uniform(n: int, count: int) -> Derive:
    bound, size, mask = uniform_constants(n)
    if count == 1:
        return lambda stream: (stream.below(bound, size, mask),)
    return lambda stream: tuple([stream.below(bound, size, mask) for _ in range(count)])


def _weighted(weights: Sequence[int], count: int) -> Derive:
    cumulative = tuple(accumulate(weights))
    bound, size, mask = uniform_constants(cumulative[-1])
    return lambda stream: tuple([bisect_right(cumulative, stream.below(bound, size, mask)) for _ in range(count)])


def _swaps(n: int, stop: int) -> tuple[tuple[int, tuple[int, int, int]], ...]:
    """Return (i, constants of uniform(i + 1)) for i from n - 1 down to ``stop``."""
    return tuple((i, uniform_constants(i + 1)) for i in range(n - 1, stop - 1, -1))


def _sample(n: int, m: int) -> Derive:
    identity = list(range(n))
    swaps = _swaps(n, n - m)

    def derive(stream: OutcomeStream) -> Outcome:
        cards = identity.copy()
        chosen = []
        below = stream.below
        for i, (bound, size, mask) in swaps:
            j = below(bound, size, mask)
            chosen.append(cards[j])
            # The other half of the swap: position i is never looked at again.
            cards[j] = cards[i]
        return tuple(chosen)

    return derive


def _shuffle(n: int) -> Derive:
    identity = list(range(n))
    swaps = _swaps(n, 1)

    def derive(stream: OutcomeStream) -> Outcome:
        cards = identity.copy()
        below = stream.below
        for i, (bound, size, mask) in swaps:
            j = below(bound, size, mask)
            cards[i], cards[j] = cards[j], cards[i]
        return tuple(cards)

    return derive


def _reels(lengths: Sequence[int]) -> Derive:
    constants = tuple(uniform_constants(length) for length in lengths)
    return lambda stream: tuple([stream.below(bound, size, mask) for bound, size, mask in constants])
