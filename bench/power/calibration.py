"""Good generators, many times: how often a verdict is suspicious or fail, against the rate that is promised."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.power.batteries import SEQUENCE_BITS, WHEEL, asked, gaming_hypotheses
from bench.power.mappings import decks_of, wheel_of
from stats_tests.bits import SequenceReader
from stats_tests.gaming import OutcomeShape, Permutation, battery_for, outcomes_of
from stats_tests.multiple import THRESHOLDS, Hypothesis, Verdict, decide
from stats_tests.nist import run_stream
from stats_tests.second_level import SecondLevel
from stats_tests.special import binomial_at_least
from stats_tests.weakness import AcrossStreams, run_weakness

__all__ = ["KINDS", "Kind", "Tally", "batches", "run_batch", "with_bounds"]

Bytes = NDArray[np.uint8]
Make = Callable[[int, int], Bytes]


@dataclass(frozen=True, slots=True)
class Kind:
    """One battery at one size: ``runs`` runs of each generator, ``batch`` of them in one task of a few seconds."""

    name: str
    runs: int
    batch: int
    ask: Callable[[Make, int], list[Hypothesis]]


@dataclass(frozen=True, slots=True)
class Tally:
    """Verdicts of ``runs`` runs: how many were suspicious, how many a fail."""

    generator: str
    kind: str
    runs: int
    suspicious: int
    failed: int

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.generator,
            self.kind,
            self.runs + other.runs,
            self.suspicious + other.suspicious,
            self.failed + other.failed,
        )


def _sp800_22(make: Make, seed: int) -> list[Hypothesis]:
    level = SecondLevel()
    data = make(64 * SEQUENCE_BITS // 8, seed)
    level.add(run_stream(SequenceReader(io.BytesIO(data.tobytes()), bits=SEQUENCE_BITS)))
    return level.hypotheses()


def _weakness(size: int) -> Callable[[Make, int], list[Hypothesis]]:
    return lambda make, seed: asked(run_weakness(make(size, seed)))


def _spins(make: Make, seed: int) -> list[Hypothesis]:
    rows = wheel_of(make(16_384, seed))[:8_192]
    return gaming_hypotheses(outcomes_of(WHEEL, rows), battery_for(WHEEL))


def _decks(make: Make, seed: int) -> list[Hypothesis]:
    shape = OutcomeShape((Permutation(52),))
    return gaming_hypotheses(outcomes_of(shape, decks_of(make(1_024 * 52 * 8, seed), 52)), battery_for(shape))


def _streams(make: Make, seed: int) -> list[Hypothesis]:
    return asked([AcrossStreams().run(make(1 << 16, seed).reshape(256, 256))])


KINDS: Final[tuple[Kind, ...]] = (
    Kind("SP 800-22, 64 Mbit", 20, 2, _sp800_22),
    Kind("weakness, 256 KiB", 200, 20, _weakness(1 << 18)),
    Kind("weakness, 16 MiB", 20, 2, _weakness(1 << 24)),
    Kind("gaming, 8,192 spins", 200, 40, _spins),
    Kind("gaming, 1,024 decks", 100, 50, _decks),
    Kind("streams, 256 of 256 bytes", 200, 200, _streams),
)


def batches(kind: Kind, scale: float = 1.0) -> list[tuple[int, int]]:
    """Return the runs of ``kind`` as half-open ranges; ``scale`` takes a part of them, at least one."""
    runs = max(1, round(kind.runs * scale))
    return [(first, min(first + kind.batch, runs)) for first in range(0, runs, kind.batch)]


def run_batch(generator: str, make: Make, kind: Kind, first: int, last: int) -> Tally:
    """Run the seeds ``first`` … ``last`` - 1 of one kind; no two kinds share a seed."""
    offset = 1_000_000 * (1 + [known.name for known in KINDS].index(kind.name))
    verdicts = [decide(kind.ask(make, offset + run)).verdict for run in range(first, last)]
    return Tally(generator, kind.name, last - first, verdicts.count(Verdict.SUSPICIOUS), verdicts.count(Verdict.FAIL))


def with_bounds(tallies: list[Tally]) -> dict[str, Any]:
    """Return all of them as JSON, and for each kind and over all the sum, with the exact chance of so many or more.

    A perfect source is suspicious or worse in at most 1 % of reports and fails in at most 0.01 % of them; runs are
    independent, so the numbers are at most binomial.
    """
    kinds = dict.fromkeys(tally.kind for tally in tallies)
    totals = [_total(kind, [tally for tally in tallies if tally.kind == kind]) for kind in kinds]
    rows = [
        {
            "generator": tally.generator,
            "kind": tally.kind,
            "runs": tally.runs,
            "suspicious": tally.suspicious,
            "failed": tally.failed,
        }
        for tally in tallies
    ]
    return {"runs": rows, "totals": totals, "all": _total("all", tallies)}


def _total(name: str, tallies: list[Tally]) -> dict[str, Any]:
    runs = sum(tally.runs for tally in tallies)
    flagged = sum(tally.suspicious + tally.failed for tally in tallies)
    failed = sum(tally.failed for tally in tallies)
    return {
        "kind": name,
        "runs": runs,
        "flagged": flagged,
        "failed": failed,
        "chance_of_so_many_flagged": binomial_at_least(flagged, runs, THRESHOLDS.suspicious),
        "chance_of_so_many_failed": binomial_at_least(failed, runs, THRESHOLDS.fail),
    }
