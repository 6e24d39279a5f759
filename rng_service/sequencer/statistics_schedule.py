"""When the next run of statistics is due, and over what. Pure: it depends on the log alone, and on nothing drawn."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from rng_service.statistics.built_in import MOST_OUTCOMES, outcome_plan
from rng_service.statistics.plans import StatisticsPlan

__all__ = ["DigestOutcomes", "LastRun", "OpenedChoice", "choose_opened", "is_due"]

# After a run that somebody or something interrupted.
_AGAIN_US: Final = 3_600_000_000


class LastRun(NamedTuple):
    """When the newest run of a subject began, and what it came to (None: it goes on)."""

    begun_us: int
    verdict: str | None


class DigestOutcomes(NamedTuple):
    """How many outcomes of one program the digest ``seq`` has."""

    seq: int
    outcomes: int


class OpenedChoice(NamedTuple):
    """The plan for a range of digests, and the first and last of them."""

    plan: StatisticsPlan
    first: int
    last: int


def is_due(last: LastRun | None, *, now_us: int, interval_us: int) -> bool:
    """Return whether a subject is to be tested: never before, an interval ago, or interrupted an hour ago."""
    if last is None:
        return True
    wait_us = min(interval_us, _AGAIN_US) if last.verdict == "interrupted" else interval_us
    return now_us - last.begun_us >= wait_us


def choose_opened(first: int, digests: Iterable[DigestOutcomes]) -> OpenedChoice | None:
    """Return what to test of the outcomes that no run was about yet; None while there are too few.

    ``digests`` are in order, from ``first`` on. As few as the plan looks at: the rest is for the next run. Of more than
    two such plans could look at, it is the newest ones, so that tests do not fall behind play; others stay untested.
    """
    known = [item for item in digests if item.outcomes]
    total = sum(item.outcomes for item in known)
    plan = outcome_plan(total)
    if plan is None or plan.outcomes is None:
        return None
    if total <= 2 * MOST_OUTCOMES:
        return OpenedChoice(plan, first, _until(known, plan.outcomes))
    return OpenedChoice(plan, _until(known[::-1], plan.outcomes), known[-1].seq)


def _until(digests: Sequence[DigestOutcomes], outcomes: int) -> int:
    """Return the first digest by which there are so many outcomes."""
    for item in digests:
        outcomes -= item.outcomes
        if outcomes <= 0:
            return item.seq
    raise ValueError("there are fewer outcomes than the plan looks at")
