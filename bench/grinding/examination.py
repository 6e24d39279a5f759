"""Every battery on one pool, or on what several pools yielded."""

import io
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.grinding.operator import GAME, LAW, PRIZES, PROGRAM, Pool, paid
from rng_service.pools.plans import BUILT_IN_PLAN
from rng_service.pools.testing import judge_pool
from rng_service.rtp import StakeSums, band
from stats_tests.bits import SequenceReader
from stats_tests.gaming import OutcomeShape, Weighted, hypotheses, outcomes_of, run
from stats_tests.multiple import Hypothesis, decide
from stats_tests.nist import run_stream
from stats_tests.second_level import SecondLevel
from stats_tests.weakness import run_weakness

__all__ = ["Said", "bits", "inside_band", "outcomes", "pool"]

SEQUENCE_BITS = 100_000


class Said(NamedTuple):
    """What one examination said; ``p_values`` is how many questions it asked, ``smallest`` after Holm's correction."""

    name: str
    verdict: str
    p_values: int
    smallest: float | None


def pool(chosen: Pool) -> Iterator[Said]:
    """Yield what everything says of one pool: its secrets, the bytes its outcomes are made of, and the outcomes."""
    plan = BUILT_IN_PLAN
    verdict = judge_pool(plan, GAME.program(PROGRAM).outcome, chosen.deriver(), chosen.secrets)
    yield Said("the pool's own test (pool.test)", "pass" if verdict.passed else "fail", 0, None)
    yield from bits("the secrets", chosen.secrets)
    yield from bits("the bytes behind the outcomes", chosen.draw_bytes())
    drawn = chosen.outcomes(0, chosen.size)
    yield outcomes("gaming battery, the outcomes", drawn)
    yield inside_band(drawn)


def bits(name: str, data: bytes) -> Iterator[Said]:
    """Yield the verdicts of both batteries of raw bits."""
    level = SecondLevel()
    level.add(run_stream(SequenceReader(io.BytesIO(data), bits=min(SEQUENCE_BITS, len(data) * 8))))
    yield _said(f"SP 800-22, {name}", level.hypotheses())
    found = [
        Hypothesis(f"{result.name}[{index}]", p_value)
        for result in run_weakness(np.frombuffer(data, dtype=np.uint8))
        for index, p_value in enumerate(result.p_values)
        if p_value is not None
    ]
    yield _said(f"weakness, {name}", found)


def outcomes(name: str, drawn: NDArray[np.uint8]) -> Said:
    """Return the verdict of the gaming battery."""
    shape = OutcomeShape((Weighted(tuple(weight for _, weight in PRIZES)),))
    return _said(name, hypotheses(list(run(outcomes_of(shape, drawn[:, np.newaxis])))))


def inside_band(drawn: NDArray[np.uint8]) -> Said:
    """Say whether what was paid lies inside the customary band of 99 %."""
    count = len(drawn)
    limits = band(StakeSums.of_bet(LAW, plays=count, stake=count, stake_squares=count), 99)
    inside = abs(Fraction(paid(drawn)) - limits.theoretical) <= limits.half_width
    return Said("return inside its 99 % band", "pass" if inside else "fail", 0, None)


def _said(name: str, found: list[Hypothesis]) -> Said:
    decision = decide(found)
    return Said(name, str(decision.verdict), len(found), decision.smallest)
