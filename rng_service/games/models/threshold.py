"""Settlement model "threshold": dice. The player chooses a threshold and the side of it that wins.

A roll is one number of 0 … n - 1. ``under`` t wins on the t numbers below t, ``over`` t on the n - 1 - t
above it; the multiplier is rtp · n / (winning numbers), an exact fraction, so that every threshold has the
same return.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from anchor.canonical import MAX_INTEGER, JSONValue
from rng_service.games.errors import BetError
from rng_service.games.models.base import (
    Bet,
    BetFields,
    ModelKind,
    Priced,
    bet_integer,
    bet_name,
    only_fields,
    only_step,
)
from rng_service.games.prizes import PrizeDistribution, winning
from rng_service.games.reading import Node
from rng_service.outcome import Step, Uniform
from rng_service.outcome.primitives import Outcome

_SIDES = ("over", "under")
_LOST = Fraction(0)


@dataclass(frozen=True, slots=True)
class ThresholdBet:
    """A side, a threshold, and what it pays."""

    side: str
    threshold: int
    faces: int
    pays: Fraction

    @property
    def canonical(self) -> dict[str, JSONValue]:
        """The bet as it is recorded."""
        return {"bet": self.side, "threshold": self.threshold}

    @property
    def _wins(self) -> int:
        return self.threshold if self.side == "under" else self.faces - 1 - self.threshold

    @property
    def highest(self) -> Fraction:
        """The largest prize that can be won."""
        return self.pays

    def multiplier(self, outcome: Outcome) -> Fraction:
        """Return the multiplier when the roll lies strictly on the chosen side."""
        roll = outcome[0]
        won = roll < self.threshold if self.side == "under" else roll > self.threshold
        return self.pays if won else _LOST

    def rtp(self) -> Fraction:
        """Return the chance times the multiplier."""
        return Fraction(self._wins, self.faces) * self.pays

    def prizes(self) -> PrizeDistribution:
        """Return the two-point distribution."""
        return winning({self.pays: Fraction(self._wins, self.faces)})


@dataclass(frozen=True, slots=True)
class ThresholdModel:
    """The rule of the house: the return, and how many winning numbers a bet may have."""

    faces: int
    target: Fraction
    fewest: int
    most: int

    def resolve(self, bet: BetFields) -> Bet:
        """Take ``{"bet": "under" or "over", "threshold": t}``."""
        return self._bet(bet)

    def _bet(self, bet: BetFields) -> ThresholdBet:
        side = bet_name(bet, _SIDES)
        only_fields(bet, ("bet", "threshold"))
        threshold = bet_integer(bet, "threshold", 0, self.faces - 1)
        wins = threshold if side == "under" else self.faces - 1 - threshold
        if not self.fewest <= wins <= self.most:
            low, high = self._thresholds(side)
            raise BetError("$.threshold", f"{side} takes a threshold from {low} to {high}, got {threshold}")
        return ThresholdBet(side, threshold, self.faces, self.target * self.faces / wins)

    def _thresholds(self, side: str) -> tuple[int, int]:
        if side == "under":
            return self.fewest, self.most
        return self.faces - 1 - self.most, self.faces - 1 - self.fewest

    def listed_bets(self) -> Sequence[tuple[str, Priced]]:
        """List the longest shot, the shortest, and one near even chances, for both sides."""
        middle = min(max(self.faces // 2, self.fewest), self.most)
        found: dict[str, Priced] = {}
        for side in _SIDES:
            for wins in (self.fewest, middle, self.most):
                threshold = wins if side == "under" else self.faces - 1 - wins
                found[f"{side}:{threshold}"] = self._bet({"bet": side, "threshold": threshold})
        return list(found.items())


def read_threshold(settlement: Node, steps_node: Node, steps: Sequence[Step]) -> ThresholdModel:
    """Read ``{"model": "threshold", "rtp": "99/100", "fewest_wins": 1, "most_wins": 9800}``."""
    fields = settlement.fields(("model", "rtp", "fewest_wins", "most_wins"))
    step = only_step(steps_node, steps, Uniform, "a uniform without a count")
    if step.count != 1 or not 2 <= step.n <= MAX_INTEGER:
        steps_node.fail("this settlement model needs a uniform without a count, of 2 to 2^53 - 1 faces")
    target = fields["rtp"].multiplier()
    if target > 1:
        fields["rtp"].fail(f"the return to player is at most 1, got {target}")
    fewest = fields["fewest_wins"].integer(1, step.n - 1)
    most = fields["most_wins"].integer(fewest, step.n - 1)
    if target * step.n <= most:
        limit = (target * step.n).__ceil__() - 1
        fields["most_wins"].fail(f"more than {limit} winning numbers would pay no more than the stake")
    return ThresholdModel(step.n, target, fewest, most)


MODEL = ModelKind(
    "threshold",
    read_threshold,
    {
        "required": ["rtp", "fewest_wins", "most_wins"],
        "properties": {
            "rtp": {"$ref": "#/$defs/multiplier"},
            "fewest_wins": {"$ref": "#/$defs/large"},
            "most_wins": {"$ref": "#/$defs/large"},
        },
    },
)
