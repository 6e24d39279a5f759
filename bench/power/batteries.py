"""The batteries as questions: one source, growing sizes, and at each size the P-values of everything seen so far."""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.power.mappings import POCKETS, Rows, wheel_of
from stats_tests.bits import SequenceReader
from stats_tests.gaming import Outcomes, OutcomeShape, PlannedTest, Uniform, battery_for, interplay, outcomes_of, run
from stats_tests.gaming.cells import fit
from stats_tests.multiple import Hypothesis
from stats_tests.nist import run_stream
from stats_tests.results import TestResult
from stats_tests.second_level import SecondLevel
from stats_tests.weakness import AcrossStreams, StreamDuplicates, run_weakness, search_seeds

__all__ = [
    "SEQUENCE_BITS",
    "WHEEL",
    "Question",
    "across_streams",
    "asked",
    "counts",
    "duplicates_behind_a_gap",
    "gaming",
    "gaming_hypotheses",
    "powers_of_two",
    "seed_search",
    "sp800_22",
    "two_wheels",
    "weakness",
    "wheel",
]

Bytes = NDArray[np.uint8]
MakeBytes = Callable[[int], Bytes]

SEQUENCE_BITS = 1_000_000
_SEQUENCE_BYTES = SEQUENCE_BITS // 8
WHEEL = OutcomeShape((Uniform(POCKETS),))


@dataclass(frozen=True, slots=True)
class Question:
    """``ask`` yields for each of the given sizes, in ascending order, the P-values of the battery at that size.

    ``sizes`` are those that a search goes through, in ``unit``.
    """

    unit: str
    sizes: tuple[int, ...]
    ask: Callable[[Sequence[int]], Iterator[list[Hypothesis]]]


def powers_of_two(first: int, last: int) -> tuple[int, ...]:
    """Return 2^first … 2^last."""
    return tuple(1 << power for power in range(first, last + 1))


def sp800_22(make: MakeBytes, *, most: int = 7) -> Question:
    """SP 800-22 on 1, 2, … 2^``most`` sequences of a million bits: the exact family-wise verdict, with §4.2's level."""

    def ask(sizes: Sequence[int]) -> Iterator[list[Hypothesis]]:
        level, done = SecondLevel(), 0
        for size in sizes:
            data = make(size * _SEQUENCE_BYTES)[done * _SEQUENCE_BYTES :]
            level.add(run_stream(SequenceReader(io.BytesIO(data.tobytes()), bits=SEQUENCE_BITS)))
            done = size
            yield level.hypotheses()

    return Question("Mbit", powers_of_two(0, most), ask)


def weakness(make: MakeBytes, *, last: int = 26) -> Question:
    """The weakness battery on 4 KiB … 2^``last`` bytes."""

    def ask(sizes: Sequence[int]) -> Iterator[list[Hypothesis]]:
        for size in sizes:
            yield asked(run_weakness(make(size)))

    return Question("bytes", powers_of_two(12, last), ask)


def duplicates_behind_a_gap(before: Callable[[], Bytes], behind: MakeBytes, *, most: int) -> Question:
    """`StreamDuplicates` on ``before`` and growing parts of ``behind``; sizes are those of the parts.

    ``most`` is smaller than the default by as much as ``before`` is shorter than the stream it stands for, so that
    one window is kept of as many as in that stream.
    """

    def ask(sizes: Sequence[int]) -> Iterator[list[Hypothesis]]:
        for size in sizes:
            duplicates = StreamDuplicates(most=most)
            duplicates.update(before())
            duplicates.update(behind(size))
            yield asked([duplicates.result()])

    return Question("bytes behind 64 GiB", powers_of_two(6, 22), ask)


def wheel(make: MakeBytes, *, last: int = 20) -> Question:
    """The gaming battery on 1,024 … 2^``last`` spins of a wheel of 37 that the bytes are mapped to."""

    def rows(spins: int) -> NDArray[np.uint8]:
        # A byte yields a spin with probability 37/64; twice as many bytes as spins do always.
        return wheel_of(make(2 * spins + 1_024))[:spins]

    return gaming(WHEEL, rows, unit="spins", first=10, last=last)


def gaming(shape: OutcomeShape, rows: Callable[[int], Rows], *, unit: str, first: int, last: int) -> Question:
    """The gaming battery that the shape calls for, on 2^``first`` … 2^``last`` outcomes."""

    def ask(sizes: Sequence[int]) -> Iterator[list[Hypothesis]]:
        for size in sizes:
            yield gaming_hypotheses(outcomes_of(shape, rows(size)), battery_for(shape))

    return Question(unit, powers_of_two(first, last), ask)


def two_wheels(first: MakeBytes, second: MakeBytes) -> Question:
    """The gaming battery's interplay of two records of spins that lie beside each other."""

    def ask(sizes: Sequence[int]) -> Iterator[list[Hypothesis]]:
        for size in sizes:
            records = [outcomes_of(WHEEL, wheel_of(make(2 * size + 1_024))[:size]) for make in (first, second)]
            yield asked(result.result for result in interplay(records[0], records[1], subject="two streams"))

    return Question("spins", powers_of_two(10, 17), ask)


def counts(
    shares: tuple[NDArray[np.float64], NDArray[np.float64]], *, seed: int, first: int, last: int, unit: str
) -> Question:
    """χ² of the counts of 2^``first`` … 2^``last`` outcomes with other probabilities than stated.

    Only the counts are drawn, from their multinomial law, so that numbers are possible that nobody could play through.
    """
    stated, real = shares

    def ask(sizes: Sequence[int]) -> Iterator[list[Hypothesis]]:
        random = np.random.Generator(np.random.PCG64DXSM([seed, 0xC0]))
        found, done = np.zeros(len(stated), dtype=np.int64), 0
        for size in sizes:
            found += random.multinomial(size - done, real)
            done = size
            fitted = fit(found, stated)
            yield [] if fitted is None else [Hypothesis("chi-square", fitted.p_value)]

    return Question(unit, powers_of_two(first, last), ask)


def across_streams(make: Callable[[int], Bytes], *, unit: str, first: int, last: int) -> Question:
    """`AcrossStreams` on what ``make`` gives for 2^``first`` … 2^``last``: rows of streams."""

    def ask(sizes: Sequence[int]) -> Iterator[list[Hypothesis]]:
        for size in sizes:
            yield asked([AcrossStreams().run(make(size))])

    return Question(unit, powers_of_two(first, last), ask)


def seed_search(observed: Bytes, beginnings: Callable[[], Iterator[Bytes]], *, seed_bits: int) -> Question:
    """All seeds of the suspected generator against the first 16 bytes of one stream."""

    def ask(sizes: Sequence[int]) -> Iterator[list[Hypothesis]]:
        for _ in sizes:
            yield asked([search_seeds(observed[:16].tobytes(), beginnings(), seeds=1 << seed_bits)])

    return Question("bytes", (16,), ask)


def gaming_hypotheses(outcomes: Outcomes, plan: Sequence[PlannedTest]) -> list[Hypothesis]:
    """Run the gaming battery, and label what it says by its tests, whatever they looked at."""
    return asked(result.result for result in run(outcomes, plan))


def asked(results: Iterable[TestResult]) -> list[Hypothesis]:
    """Return every P-value as a question of its own, labelled by its test."""
    return [
        Hypothesis(f"{result.name}[{index}]", p_value)
        for result in results
        for index, p_value in enumerate(result.p_values)
        if p_value is not None
    ]
