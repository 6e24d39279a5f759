"""Settlement model "hi-lo": the next card against the one that lies on the table.

Every card is one `uniform` value, a rank of 13 or a card of 52 whose rank counts, with the card before put back. A
round's first draw shows a card and has no bet; each bet names the card it stands against, which is the outcome of the
step before (`FollowingBet`). It pays rtp / P, an exact fraction, so that every bet has the same return.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from anchor.canonical import JSONValue
from rng_service.games.cards.deck import DECK, KING, RANKS, rank
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

_LOST = Fraction(0)
# How many of the 13 ranks win against a rank; the ace, 0, is the lowest.
_WINNING_RANKS: Mapping[str, Callable[[int], int]] = {
    "higher": lambda than: KING - than,
    "higher-or-same": lambda than: KING - than + 1,
    "lower": lambda than: than,
    "lower-or-same": lambda than: than + 1,
    "same": lambda _: 1,
}
_HIGHER = frozenset(("higher", "higher-or-same"))
_LOWER = frozenset(("lower", "lower-or-same"))
_SAME = frozenset(("same", "higher-or-same", "lower-or-same"))


@dataclass(frozen=True, slots=True)
class NextCard:
    """A side, the card that it stands against, and what it pays."""

    side: str
    than: int
    pays: Fraction

    @property
    def canonical(self) -> dict[str, JSONValue]:
        """The bet as it is recorded."""
        return {"bet": self.side, "than": self.than}

    @property
    def follows(self) -> Outcome:
        """The card of the step before."""
        return (self.than,)

    @property
    def alike(self) -> Hashable:
        """The side and the rank: the suit changes nothing."""
        return self.side, rank(self.than)

    @property
    def highest(self) -> Fraction:
        """The only prize."""
        return self.pays

    def multiplier(self, outcome: Outcome) -> Fraction:
        """Return the prize when the next card lies on the chosen side, by rank."""
        before, now = rank(self.than), rank(outcome[0])
        sides = _HIGHER if now > before else _LOWER if now < before else _SAME
        return self.pays if self.side in sides else _LOST

    def _chance(self) -> Fraction:
        return Fraction(_WINNING_RANKS[self.side](rank(self.than)), len(RANKS))

    def rtp(self) -> Fraction:
        """Return the chance times the prize."""
        return self._chance() * self.pays

    def prizes(self) -> PrizeDistribution:
        """Return the two-point distribution."""
        return winning({self.pays: self._chance()})


@dataclass(frozen=True, slots=True)
class HiLoModel:
    """The rule of the house: how many cards there are, the bets and their return."""

    cards: int
    target: Fraction
    sides: tuple[str, ...]

    def resolve(self, bet: BetFields) -> Bet:
        """Take ``{"bet": "higher", "than": card}``, where some cards win and some lose."""
        return self._bet(bet)

    def _bet(self, bet: BetFields) -> NextCard:
        side = bet_name(bet, self.sides)
        only_fields(bet, ("bet", "than"))
        than = bet_integer(bet, "than", 0, self.cards - 1)
        wins = _WINNING_RANKS[side](rank(than))
        if not 0 < wins < len(RANKS):
            verdict = "always wins" if wins else "never wins"
            raise BetError("$.than", f"{side} {verdict} against {RANKS[rank(than)]} and is no bet")
        return NextCard(side, than, self.target * len(RANKS) / wins)

    def listed_bets(self) -> Sequence[tuple[str, Priced]]:
        """List each side against each rank that it can win and lose against."""
        return [
            (f"{side}:{name}", self._bet({"bet": side, "than": than}))
            for side in self.sides
            for than, name in enumerate(RANKS)
            if 0 < _WINNING_RANKS[side](than) < len(RANKS)
        ]


def read_hi_lo(settlement: Node, steps_node: Node, steps: Sequence[Step]) -> HiLoModel:
    """Read ``{"model": "hi-lo", "rtp": "99/100", "bets": ["higher", …]}``."""
    fields = settlement.fields(("model", "rtp", "bets"))
    step = only_step(steps_node, steps, Uniform, "a uniform of 13 ranks or 52 cards")
    if step.count != 1 or step.n not in {len(RANKS), DECK}:
        steps_node.fail("this settlement model needs a uniform without a count, of 13 ranks or 52 cards")
    target = fields["rtp"].multiplier()
    if target > 1:
        fields["rtp"].fail(f"the return to player is at most 1, got {target}")
    # The safest bets win with 12 of 13 ranks.
    if target * len(RANKS) <= KING:
        fields["rtp"].fail("the safest bet would pay no more than the stake: it takes a return above 12/13")
    sides = [item.choice(_WINNING_RANKS) for item in fields["bets"].items(1, len(_WINNING_RANKS))]
    if len(set(sides)) < len(sides):
        fields["bets"].fail("the same bet stands here twice")
    return HiLoModel(step.n, target, tuple(sides))


MODEL = ModelKind(
    "hi-lo",
    read_hi_lo,
    {
        "required": ["rtp", "bets"],
        "properties": {
            "rtp": {"$ref": "#/$defs/multiplier"},
            "bets": {
                "type": "array",
                "minItems": 1,
                "maxItems": 5,
                "uniqueItems": True,
                "items": {"enum": sorted(_WINNING_RANKS)},
            },
        },
    },
)
