"""What limbo and crash share: a result that reaches each multiplier m with the chance rtp / m.

One value u of 0 … n - 1 becomes the result, in hundredths,

    result(u) = floor(100 · rtp · n / (u + 1)), at most `highest`

which reaches h hundredths exactly where u + 1 ≤ 100 · rtp · n / h, so for wins(h) = floor(100 · rtp · n / h)
values. A bet on h pays h / 100 and returns h · wins(h) / (100 · n): never more than rtp, and less by under
h / (100 · n). The multiplier that is paid is exactly the one that was chosen; the rounding is in the chance.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from anchor.canonical import JSONValue
from rng_service.games.errors import BetError, shown
from rng_service.games.models.base import Bet, BetFields, Priced, bet_name, only_fields, only_step
from rng_service.games.prizes import PrizeDistribution, winning
from rng_service.games.reading import Node
from rng_service.outcome import Step, Uniform
from rng_service.outcome.primitives import Outcome

LOWEST = 101
MOST_HUNDREDTHS = 10**15
_LISTED = (101, 150, 200, 500, 1_000, 10_000, 100_000)
_MULTIPLIER = re.compile(r"(0|[1-9][0-9]{0,15})(?:\.([0-9]{1,2}))?\Z")
_LOST = Fraction(0)


def hundredths_text(hundredths: int) -> str:
    """Return a number of hundredths as it is written in bets: 250 → ``"2.50"``."""
    return f"{hundredths // 100}.{hundredths % 100:02d}"


@dataclass(frozen=True, slots=True)
class Reach:
    """The law of the result: values drawn, the return, and the highest result in hundredths."""

    faces: int
    target: Fraction
    highest: int

    def result(self, value: int) -> int:
        """Return the result of a drawn value, in hundredths, rounded down; it may be below 100."""
        scaled = 100 * self.target.numerator * self.faces
        return min(self.highest, scaled // (self.target.denominator * (value + 1)))

    def wins(self, hundredths: int) -> int:
        """Return how many of the values give a result of at least ``hundredths``, which is at most `highest`."""
        return 100 * self.target.numerator * self.faces // (self.target.denominator * hundredths)


@dataclass(frozen=True, slots=True)
class ReachBet:
    """A multiplier in hundredths that the result must reach; ``key`` is the bet's field for it."""

    name: str
    key: str
    hundredths: int
    reach: Reach

    @property
    def canonical(self) -> dict[str, JSONValue]:
        """The bet as it is recorded, the multiplier with two decimals."""
        return {"bet": self.name, self.key: hundredths_text(self.hundredths)}

    @property
    def highest(self) -> Fraction:
        """What the bet pays when it wins."""
        return Fraction(self.hundredths, 100)

    def multiplier(self, outcome: Outcome) -> Fraction:
        """Return the chosen multiplier where the result reaches it."""
        return self.highest if self.reach.result(outcome[0]) >= self.hundredths else _LOST

    def rtp(self) -> Fraction:
        """Return the multiplier times the share of winning values, from the formula for their number."""
        return self.highest * Fraction(self.reach.wins(self.hundredths), self.reach.faces)

    def prizes(self) -> PrizeDistribution:
        """Return the two-point distribution; the winning values are counted on the results themselves."""
        # The result never rises with the value, so that the first losing value is found by bisection.
        low, high = 0, self.reach.faces
        while low < high:
            middle = (low + high) // 2
            if self.reach.result(middle) >= self.hundredths:
                low = middle + 1
            else:
                high = middle
        return winning({self.highest: Fraction(low, self.reach.faces)})


@dataclass(frozen=True, slots=True)
class ReachModel:
    """A game of one kind of bet, named ``name``, with the chosen multiplier under ``key``."""

    name: str
    key: str
    reach: Reach

    def resolve(self, bet: BetFields) -> Bet:
        """Take a multiplier from 1.01 to the highest, on the grid of hundredths."""
        bet_name(bet, (self.name,))
        only_fields(bet, ("bet", self.key))
        value = bet[self.key]
        text = str(value) if type(value) is int else value
        found = _MULTIPLIER.match(text) if isinstance(text, str) else None
        hundredths = int(found[1]) * 100 + int((found[2] or "").ljust(2, "0")) if found else 0
        if not LOWEST <= hundredths <= self.reach.highest:
            low, high = hundredths_text(LOWEST), hundredths_text(self.reach.highest)
            raise BetError(
                f"$.{self.key}", f'expected a multiplier from "{low}" to "{high}" in hundredths, got {shown(value)}'
            )
        return ReachBet(self.name, self.key, hundredths, self.reach)

    def listed_bets(self) -> Sequence[tuple[str, Priced]]:
        """List some usual multipliers and the highest; the return of any other is one call of `bet_rtp`."""
        listed = sorted({self.reach.highest, *(some for some in _LISTED if some < self.reach.highest)})
        return [(hundredths_text(some), ReachBet(self.name, self.key, some, self.reach)) for some in listed]


def read_reach(settlement: Node, steps_node: Node, steps: Sequence[Step]) -> Reach:
    """Read ``{"model": …, "rtp": "99/100", "highest": 1000000}``."""
    fields = settlement.fields(("model", "rtp", "highest"))
    step = only_step(steps_node, steps, Uniform, "a uniform without a count")
    if step.count != 1:
        steps_node.fail("this settlement model needs a uniform without a count")
    target = fields["rtp"].multiplier()
    if target > 1:
        fields["rtp"].fail(f"the return to player is at most 1, got {target}")
    highest = fields["highest"].multiplier() * 100
    if highest.denominator != 1 or not LOWEST <= highest <= MOST_HUNDREDTHS:
        fields["highest"].fail(f"expected whole hundredths from 1.01 to {MOST_HUNDREDTHS // 100}")
    reach = Reach(step.n, target, int(highest))
    if not reach.wins(reach.highest):
        fields["highest"].fail("no drawn value reaches this multiplier: it is above rtp · n")
    return reach


REACH_SCHEMA: JSONValue = {
    "required": ["rtp", "highest"],
    "properties": {"rtp": {"$ref": "#/$defs/multiplier"}, "highest": {"$ref": "#/$defs/multiplier"}},
}
