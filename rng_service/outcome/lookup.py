"""A weighted lookup table: millions of rows, each with a weight and what it pays, in sixteen bytes a row."""

from array import array
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from rng_service.outcome.derivation import OutcomeStream, uniform_constants

__all__ = ["MAX_ROWS", "MAX_TOTAL", "PAYOUT_UNIT", "LookupTable", "compile_lookup"]

MAX_ROWS = 1 << 24
# Weights and their sum are 64-bit integers, as in the tools that write such tables.
MAX_TOTAL = 2**64 - 1
# Payouts are hundredths of the base bet.
PAYOUT_UNIT = 100
# A guide entry for each so many rows, rounded to a power of two: a search then looks at a few rows, not at twenty.
_ROWS_A_GUIDE = 1


@dataclass(frozen=True, eq=False)
class LookupTable:
    """The rows of a table by their index from 0; two tables are the same when their files are.

    ``digest`` is SHA-256 of the file that the table was read from. ``cumulative[i]`` is the sum of the weights of
    the rows 0 … i, ``payouts[i]`` what row i pays in hundredths of the base bet; both are ``array("Q")``.
    """

    digest: bytes
    cumulative: "array[int]" = field(repr=False)
    payouts: "array[int]" = field(repr=False)

    def __post_init__(self) -> None:
        if not 1 <= len(self.cumulative) == len(self.payouts) <= MAX_ROWS:
            raise ValueError(f"a lookup table has 1 to {MAX_ROWS} rows, each with a payout")
        if not self.cumulative[-1]:
            raise ValueError("the weights of a lookup table sum to more than 0")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LookupTable) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.payouts)

    @property
    def total(self) -> int:
        """The sum of the weights, 1 … 2^64 - 1."""
        return self.cumulative[-1]

    def weight(self, row: int) -> int:
        """Return the weight of one row; 0 is a row that is never drawn."""
        return self.cumulative[row] - (self.cumulative[row - 1] if row else 0)

    @cached_property
    def weight_by_payout(self) -> dict[int, int]:
        """The total weight of each payout that can be drawn, by payout in ascending order."""
        found: dict[int, int] = {}
        before = 0
        for upto, payout in zip(self.cumulative, self.payouts, strict=True):
            if upto != before:
                found[payout] = found.get(payout, 0) + upto - before
                before = upto
        return dict(sorted(found.items()))


def compile_lookup(table: LookupTable) -> Callable[[OutcomeStream], tuple[int]]:
    """Return what reads one row from a stream: uniform over the total, the first cumulative weight above it."""
    cumulative = table.cumulative
    bound, size, mask = uniform_constants(table.total)
    shift, guide = _guide(table)

    def derive(stream: OutcomeStream) -> tuple[int]:
        value = stream.below(bound, size, mask)
        place = value >> shift
        return (bisect_right(cumulative, value, guide[place], guide[place + 1] + 1),)

    return derive


def _guide(table: LookupTable) -> "tuple[int, array[int]]":
    """Return ``shift`` and, for each ``v >> shift``, the row that answers its lowest value; the last row at the end.

    The row of a value lies between the rows of the lowest value of its own entry and of the next.
    """
    cumulative = table.cumulative
    entries = 1 << max(0, (table.rows // _ROWS_A_GUIDE).bit_length() - 1)
    shift = max(0, table.total.bit_length() - entries.bit_length() + 1)
    guide = array("I")
    row, last = 0, table.rows - 1
    for start in range(0, table.total, 1 << shift):
        row = bisect_right(cumulative, start, row)
        guide.append(row)
    guide.append(last)
    return shift, guide
