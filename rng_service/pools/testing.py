"""The test of a pool before its first draw: counts of which the whole distribution is known, and one bound for all.

Every test counts how often something happened that has a known probability ``p`` in each of ``n`` independent trials:
a bit of the secrets is 1, an outcome falls into a cell. The chance that such a count is ``x`` or further from ``n·p``
is at most exp(-n·D) on each side, with D = x/n·ln(x/n/p) + (1-x/n)·ln((1-x/n)/(1-p)): the Chernoff bound, which holds
for every n and p and is no approximation. A pool fails when n·D > ln 2 · error_bits + ln(2·m) for one of the m counts;
over all of them together, and however they depend on each other, a perfect pool then fails with probability at most
2^-error_bits.

This finds pools that are broken: secrets that were expanded wrongly, a mapping that never gives a value. It cannot find
what was chosen, nor a key that should not be one (what a cipher makes of any key passes), and a small bias takes more
outcomes than a pool has (docs/statistics.md).

Source: H. Chernoff, Ann. Math. Stat. 23 (1952); W. Hoeffding, J. Am. Stat. Assoc. 58 (1963), theorem 1.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from math import log
from typing import Final, NamedTuple

from rng_service.outcome import DrawKeyDeriver, Program, Reels, Sample, Shuffle, Step, Uniform, Weighted
from rng_service.pools.plans import TestPlan
from rng_service.pools.slots import SECRET_BYTES

__all__ = ["Verdict", "judge_pool"]

_SECRET_BITS: Final = 8 * SECRET_BYTES
_HALF: Final = Fraction(1, 2)
_MOST_CELLS: Final = 64
# Pairs of successive outcomes are counted in so many groups squared.
_MOST_GROUPS: Final = 8
# So many outcomes are derived in one go; then others may use the processor.
_RUN: Final = 64
# So many counts are weighed in one go.
_COUNTS: Final = 256
# Half of a secret: one block of the cipher. Two equal ones among 2^21 have a probability of 2^-87.
_BLOCK: Final = 16
_BIT_TABLES: Final = tuple(bytes(value >> bit & 1 for value in range(256)) for bit in range(8))


class Verdict(NamedTuple):
    """``passed``, or which test failed and at what, for people."""

    passed: bool
    test: str = ""
    detail: str = ""


class _Count(NamedTuple):
    """How often something of probability ``p`` happened in ``trials`` independent trials."""

    test: str
    what: str
    found: int
    trials: int
    p: Fraction


@dataclass(frozen=True, slots=True)
class _Column:
    """One value of the outcome: ``cells[v]`` gives its cell through ``edges``, ``probabilities`` those of the cells."""

    edges: tuple[int, ...]
    probabilities: tuple[Fraction, ...]

    def cell(self, value: int) -> int:
        """Return the cell of ``value``: the number of edges that are not above it."""
        return bisect_right(self.edges, value)


def judge_pool(
    plan: TestPlan,
    program: Program,
    deriver: DrawKeyDeriver,
    secrets: bytes,
    *,
    pause: Callable[[], None] = lambda: None,
) -> Verdict:
    """Return the verdict of ``plan`` on the pool with these ``secrets`` (32 bytes a slot) under empty client seeds.

    ``program`` has no lookup steps (`rng_service.games.testing` puts what they draw in their place). ``pause`` is
    called again and again, so that a caller's other threads get their turn. Pure: the same pool has the same verdict,
    whenever and wherever it is asked for.
    """
    if "repeats" in plan.tests and _repeats(secrets):
        return Verdict(passed=False, test="repeats", detail="two blocks of the secrets are equal")
    pause()
    counts: list[_Count] = []
    if "bits" in plan.tests:
        counts += _bit_counts("bits", secrets, pause)
    if "neighbours" in plan.tests:
        counts += _bit_counts("neighbours", _neighbours(secrets), pause)
    if not {"cells", "pairs"}.isdisjoint(plan.tests):
        outcomes = _outcomes(plan, program, deriver, secrets, pause)
        columns = [column for step in program.steps for column in _columns(step, _MOST_CELLS)]
        groups = [column for step in program.steps for column in _columns(step, _MOST_GROUPS)]
        for place, values in enumerate(zip(*outcomes, strict=True)):
            if "cells" in plan.tests:
                counts += _cell_counts(place, values, columns[place])
            if "pairs" in plan.tests:
                counts += _pair_counts(place, values, groups[place])
            pause()
    return _judge(plan, counts, pause)


def _judge(plan: TestPlan, counts: list[_Count], pause: Callable[[], None]) -> Verdict:
    limit = plan.error_bits * log(2) + log(2 * max(1, len(counts)))
    beyond: list[_Count] = []
    for start in range(0, len(counts), _COUNTS):
        beyond += [count for count in counts[start : start + _COUNTS] if _divergence(count) > limit]
        pause()
    if not beyond:
        return Verdict(passed=True)
    # The first test of the plan that failed, whichever count is the worst.
    failed = min(beyond, key=lambda count: plan.tests.index(count.test))
    return Verdict(
        passed=False,
        test=failed.test,
        detail=f"{failed.what}: {failed.found} of {failed.trials}, expected {float(failed.p * failed.trials):.1f}",
    )


def _divergence(count: _Count) -> float:
    """Return n·D of the Chernoff bound."""
    trials, found, p = count.trials, count.found, count.p
    if p in {0, 1}:
        return 0.0 if found == p * trials else float("inf")
    missed = trials - found
    high = found * log(found / (trials * p)) if found else 0.0
    low = missed * log(missed / (trials * (1 - p))) if missed else 0.0
    return high + low


def _repeats(secrets: bytes) -> bool:
    blocks = {secrets[start : start + _BLOCK] for start in range(0, len(secrets), _BLOCK)}
    return len(blocks) < len(secrets) // _BLOCK


def _neighbours(secrets: bytes) -> bytes:
    """Return s_i xor s_{i+1} of all neighbours: uniform and independent, as the secrets are."""
    size = len(secrets) - SECRET_BYTES
    first, second = int.from_bytes(secrets[:size], "big"), int.from_bytes(secrets[SECRET_BYTES:], "big")
    return (first ^ second).to_bytes(size, "big")


def _bit_counts(test: str, secrets: bytes, pause: Callable[[], None]) -> Iterator[_Count]:
    trials = len(secrets) // SECRET_BYTES
    for place in range(SECRET_BYTES) if trials else ():
        column = secrets[place::SECRET_BYTES]
        for bit, table in enumerate(_BIT_TABLES):
            yield _Count(test, f"bit {8 * place + bit}", column.translate(table).count(1), trials, _HALF)
        pause()


def _outcomes(
    plan: TestPlan, program: Program, deriver: DrawKeyDeriver, secrets: bytes, pause: Callable[[], None]
) -> list[tuple[int, ...]]:
    """Return outcomes of slots in order: of all, or evenly spread when they have more values than the plan reads."""
    size = len(secrets) // SECRET_BYTES
    tested = min(size, max(1, plan.values // program.width))
    derive, stream = program.derive, deriver.outcome_stream
    outcomes: list[tuple[int, ...]] = []
    for start in range(0, tested, _RUN):
        for nth in range(start, min(tested, start + _RUN)):
            slot = nth * size // tested
            outcomes.append(derive(stream(secrets[SECRET_BYTES * slot : SECRET_BYTES * (slot + 1)], slot, b"")))
        pause()
    return outcomes


def _columns(step: Step, most: int) -> list[_Column]:
    match step:
        case Uniform(n, count):
            return [_even(n, most)] * count
        case Weighted(weights, count):
            return [_weighted(weights, most)] * count
        case Sample(n) | Shuffle(n):
            # Each card is equally likely at each place; cards of one draw depend on each other, slots do not.
            return [_even(n, most)] * step.width
        case Reels(strips, weights):
            if weights is None:
                return [_even(len(strip), most) for strip in strips]
            return [_weighted(stops, most) for stops in weights]
        case _:
            raise ValueError(f"a {type(step).__name__} step has no probabilities of its own")


def _even(n: int, most: int) -> _Column:
    cells = min(n, most)
    bounds = [cell * n // cells for cell in range(cells + 1)]
    probabilities = tuple(Fraction(end - start, n) for start, end in pairwise(bounds))
    return _Column(tuple(bounds[1:-1]), probabilities)


def _weighted(weights: Sequence[int], most: int) -> _Column:
    sums = [0, *accumulate(weights)]
    cells = min(len(weights), most)
    bounds = [cell * len(weights) // cells for cell in range(cells + 1)]
    probabilities = tuple(Fraction(sums[end] - sums[start], sums[-1]) for start, end in pairwise(bounds))
    return _Column(tuple(bounds[1:-1]), probabilities)


def _cell_counts(place: int, values: Sequence[int], column: _Column) -> Iterator[_Count]:
    found: Counter[int] = Counter()
    for value, times in Counter(values).items():
        found[column.cell(value)] += times
    for cell, p in enumerate(column.probabilities):
        yield _Count("cells", f"value {place} in cell {cell}", found[cell], len(values), p)


def _pair_counts(place: int, values: Sequence[int], column: _Column) -> Iterator[_Count]:
    """Count what two successive outcomes have at the same place; the pairs do not overlap."""
    found: Counter[tuple[int, int]] = Counter()
    for (first, second), times in Counter(zip(values[::2], values[1::2], strict=False)).items():
        found[column.cell(first), column.cell(second)] += times
    trials = len(values) // 2
    for first, p in enumerate(column.probabilities) if trials else ():
        for second, q in enumerate(column.probabilities):
            yield _Count("pairs", f"value {place} in cells {first}, {second}", found[first, second], trials, p * q)
