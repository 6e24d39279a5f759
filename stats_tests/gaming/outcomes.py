"""Outcomes as the battery takes them: for each part of the shape an array, in the smallest type that holds it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.errors import InputError
from stats_tests.gaming.shape import OutcomeShape, Part, Permutation, Stops, Uniform, Weighted, WithoutReplacement

__all__ = ["Impossible", "Outcomes", "distinct_rows", "outcomes_of"]

_BLOCK: Final = 1 << 14
_FACTOR: Final = np.uint64(0xD1342543DE82EF95)


@dataclass(frozen=True, slots=True)
class Impossible:
    """The first integer that the game cannot yield: outcome ``row`` from 0, ``column`` from 0, and why."""

    row: int
    column: int
    value: int
    why: str


@dataclass(frozen=True, eq=False)
class Outcomes:
    """``parts[i]`` has the shape (outcomes, width of part i) and holds possible outcomes only, in their order.

    ``impossible`` tells the first outcome that was left out because the game cannot yield it, of ``left_out`` in all:
    that is a finding, not bad input. ``possible`` then says of every outcome given whether it was kept. ``memo``
    belongs to the tests: what two of them need is computed once.
    """

    shape: OutcomeShape
    parts: tuple[NDArray[np.unsignedinteger[Any]], ...]
    impossible: Impossible | None = None
    left_out: int = 0
    possible: NDArray[np.bool_] | None = None
    memo: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def count(self) -> int:
        """How many outcomes there are, without those left out."""
        return len(self.parts[0])

    def remembered(self, key: object, compute: Callable[[], Any]) -> Any:
        """Return what ``compute`` gave when it was first asked for by this key."""
        if key not in self.memo:
            self.memo[key] = compute()
        return self.memo[key]

    @cached_property
    def fingerprints(self) -> NDArray[np.uint64]:
        """A 64-bit number for each outcome; equal outcomes have equal ones, others almost never."""
        mixed = np.zeros(self.count, dtype=np.uint64)
        for first in range(0, self.count, _BLOCK):
            block = mixed[first : first + _BLOCK]
            for part in self.parts:
                for column in part[first : first + _BLOCK].T:
                    block *= _FACTOR
                    block += column
                scramble(block)
        return mixed


def scramble(numbers: NDArray[np.uint64]) -> None:
    """Permute 64-bit numbers in place so that every bit depends on every bit (the finaliser of SplitMix64)."""
    numbers += np.uint64(0x9E3779B97F4A7C15)
    numbers ^= numbers >> np.uint64(30)
    numbers *= np.uint64(0xBF58476D1CE4E5B9)
    numbers ^= numbers >> np.uint64(27)
    numbers *= np.uint64(0x94D049BB133111EB)
    numbers ^= numbers >> np.uint64(31)


def outcomes_of(shape: OutcomeShape, rows: NDArray[Any]) -> Outcomes:
    """Return outcomes from an array of integers, shape (outcomes, width of ``shape``).

    Raises InputError when there are none, or another number of integers each, or when they are no integers.
    """
    if rows.ndim != 2 or rows.shape[1] != shape.width:
        found = f"{rows.shape[1]}" if rows.ndim == 2 else f"an array of {rows.ndim} dimensions"
        raise InputError(f"an outcome of this game has {shape.width} integers; found {found}")
    if len(rows) == 0:
        raise InputError("there are no outcomes")
    if rows.dtype.kind not in "iu":
        raise InputError(f"outcomes are integers; found {rows.dtype}")
    possible = np.ones(len(rows), dtype=np.bool_)
    first: Impossible | None = None
    parts: list[NDArray[Any]] = []
    place = 0
    for part in shape.parts:
        columns = rows[:, place : place + part.width]
        kept, finding = _part(part, columns, place, possible)
        if finding is not None and (first is None or finding.row < first.row):
            first = finding
        parts.append(kept)
        place += part.width
    left_out = len(rows) - int(np.count_nonzero(possible))
    if left_out == len(rows):
        raise InputError(f"not one outcome is possible in this game: {first.why if first else ''}")
    if left_out:
        parts = [part[possible] for part in parts]
    return Outcomes(shape, tuple(parts), first, left_out, possible if left_out else None)


def _part(
    part: Part, columns: NDArray[Any], place: int, possible: NDArray[np.bool_]
) -> tuple[NDArray[Any], Impossible | None]:
    """Return the columns in a small type, and the first impossible integer; rows with one leave ``possible``."""
    limits = _limits(part)
    finding: Impossible | None = None
    bad = _impossible(columns, limits)
    if bad is not None:
        row, column = (int(index) for index in np.unravel_index(int(np.argmax(bad)), bad.shape))
        finding = _out_of_range(row, place, column, int(columns[row, column]), limits[column][0])
        possible &= ~bad.any(axis=1)
    order = "F" if isinstance(part, Stops) or (part.width > 1 and not isinstance(part, (Uniform, Weighted))) else "C"
    kind = np.min_scalar_type(max(limit for limit, _ in limits) - 1)
    kept = np.array(columns, dtype=kind, order=order)  # type: ignore[call-overload] # "C" or "F"
    if isinstance(part, (WithoutReplacement, Permutation)):
        repeated = ~distinct_rows(kept) & possible
        if repeated.any():
            row = int(np.argmax(repeated))
            if finding is None or row < finding.row:
                finding = Impossible(row, place, int(kept[row, 0]), f"outcome {row} holds a number twice")
            possible &= ~repeated
    return kept, finding


def _impossible(columns: NDArray[Any], limits: list[tuple[int, Any]]) -> NDArray[np.bool_] | None:
    """Return which integers are outside their range or have the weight 0; None when none is."""
    bad: dict[int, NDArray[np.bool_]] = {}
    lowest, highest = columns.min(axis=0).tolist(), columns.max(axis=0).tolist()
    for column, (limit, weights) in enumerate(limits):
        values = columns[:, column]
        if lowest[column] < 0 or highest[column] >= limit:
            bad[column] = (values < 0) | (values > limit - 1 if highest[column] >= limit else np.False_)
        if weights is not None and min(weights) == 0:
            never = np.array([weight == 0 for weight in weights], dtype=np.bool_)
            drawn = never[np.clip(values, 0, limit - 1).astype(np.int64)]
            bad[column] = bad.get(column, False) | drawn
    if not any(found.any() for found in bad.values()):
        return None
    table = np.zeros(columns.shape, dtype=np.bool_)
    for column, found in bad.items():
        table[:, column] = found
    return table


def _out_of_range(row: int, place: int, column: int, value: int, limit: int) -> Impossible:
    beyond = not 0 <= value < limit
    why = f"it lies outside 0 … {limit - 1}" if beyond else "its weight is 0"
    return Impossible(row, place + column, value, f"outcome {row} has {value} in column {place + column}: {why}")


def _limits(part: Part) -> list[tuple[int, Any]]:
    """Return for each column how many values it has, and the weights if there are any."""
    match part:
        case Uniform(n, count):
            return [(n, None)] * count
        case Weighted(weights, count):
            return [(len(weights), weights)] * count
        case WithoutReplacement(n, m):
            return [(n, None)] * m
        case Permutation(n):
            return [(n, None)] * n
        case Stops(lengths, weights):
            return list(zip(lengths, weights or (None,) * len(lengths), strict=True))


def distinct_rows(rows: NDArray[Any]) -> NDArray[np.bool_]:
    """Return for each row whether its integers are all different."""
    distinct = np.ones(len(rows), dtype=np.bool_)
    if rows.shape[1] == 1:
        return distinct
    if int(rows.max()) < 64:
        seen = np.zeros(len(rows), dtype=np.uint64)
        for column in rows.T:
            seen |= np.uint64(1) << column.astype(np.uint64)
        return np.asarray(np.bitwise_count(seen) == rows.shape[1], dtype=np.bool_)
    block = max(1, (1 << 22) // rows.shape[1])
    for first in range(0, len(rows), block):
        ordered = np.sort(np.ascontiguousarray(rows[first : first + block]), axis=1)
        distinct[first : first + block] = (ordered[:, 1:] != ordered[:, :-1]).all(axis=1)
    return distinct
