"""Which days tables of returns cover: each table may be true, and the choice of their windows still mislead."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from rng_service.rtp.periods import Grain, period_text

__all__ = ["CoveredTotals", "gaps", "overlaps"]

Span = tuple[int, int]


class CoveredTotals(NamedTuple):
    """A totals entry: its day, and whether anything was drawn or played in it."""

    day: int
    played: bool


def gaps(totals: Sequence[CoveredTotals], tables: Iterable[Span]) -> list[str]:
    """Return a sentence for each run of days with plays that no table covers, or not all of them.

    ``tables`` are the first and the last of the totals entries of each table.
    """
    covered = [False] * len(totals)
    for first, last in tables:
        covered[first : last + 1] = [True] * (last + 1 - first)
    left_out = {item.day for item, seen in zip(totals, covered, strict=True) if item.played and not seen}
    seen_of = {item.day for item, seen in zip(totals, covered, strict=True) if item.played and seen}
    sentences = [f"plays of {_days(*run)} are in no table" for run in _runs(sorted(left_out - seen_of))]
    sentences += [f"only a part of the plays of {_days(day, day)} is in a table" for day in sorted(left_out & seen_of)]
    return sentences


def overlaps(totals: Sequence[CoveredTotals], tables: Sequence[Span]) -> list[str]:
    """Return a sentence for each table that covers days of one before it in time."""
    ordered = sorted((first, last, number) for number, (first, last) in enumerate(tables))
    sentences = []
    reach, holder = -1, -1
    for first, last, number in ordered:
        if first <= reach:
            shared = _days(totals[first].day, totals[min(reach, last)].day)
            sentences.append(f"tables {min(holder, number)} and {max(holder, number)} both cover {shared}")
        if last > reach:
            reach, holder = last, number
    return sentences


def _runs(days: Sequence[int]) -> list[Span]:
    if not days:
        return []
    breaks = [place for place, (one, other) in enumerate(pairwise(days), start=1) if other != one + 1]
    starts, ends = [0, *breaks], [*breaks, len(days)]
    return [(days[start], days[end - 1]) for start, end in zip(starts, ends, strict=True)]


def _days(first: int, last: int) -> str:
    one, other = period_text(Grain.DAY, first), period_text(Grain.DAY, last)
    return one if one == other else f"{one} to {other}"
