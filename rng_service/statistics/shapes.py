"""The shape of a program's outcomes, as the gaming battery takes it."""

from array import array
from collections.abc import Sequence

from rng_service.errors import ConfigError
from rng_service.outcome import Deal, Lookup, Reels, Sample, Shuffle, Step, Uniform, Weighted
from rng_service.outcome.lookup import LookupTable
from stats_tests import gaming

__all__ = ["shape_of"]


def shape_of(steps: Sequence[Step]) -> gaming.OutcomeShape:
    """Return the shape of outcomes of a program with ``steps``; the right tests follow from it.

    Raises ConfigError for a finite deal: its tickets are neither independent nor dealt anew for each outcome.
    """
    return gaming.OutcomeShape(tuple(_part(step) for step in steps))


def _part(step: Step) -> gaming.Part:
    match step:
        case Uniform(n, count):
            return gaming.Uniform(n, count)
        case Weighted(weights, count):
            return gaming.Weighted(weights, count)
        case Sample(n, m):
            return gaming.Permutation(n) if n == m else gaming.WithoutReplacement(n, m)
        case Shuffle(n):
            return gaming.Permutation(n)
        case Reels(strips, weights):
            return gaming.Stops(tuple(len(strip) for strip in strips), weights)
        case Lookup(table):
            return gaming.Weighted(_weights(table))
        case Deal():
            raise ConfigError(
                "the tickets of a finite deal are drawn without replacement over all outcomes of a pool, so they are no"
                " sample to test: `sealdraw verify` checks that each pool holds exactly the tickets of its deal"
            )


def _weights(table: LookupTable) -> "array[int]":
    """Return the weight of each row: the steps between its cumulative sums, eight bytes a row."""
    weights = array("Q", table.cumulative)
    before = 0
    for row, upto in enumerate(table.cumulative):
        weights[row] = upto - before
        before = upto
    return weights
