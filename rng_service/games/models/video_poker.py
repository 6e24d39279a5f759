"""Settlement model "video-poker": five cards dealt, some held, the others replaced, and the hand is paid.

One `sample` of ten of 52 cards has the deal and, behind it, the cards that replace the discarded ones, from left to
right. The paytable lists poker hands; of a hand's names the most precise one that is listed pays (four aces as
``four-aces`` where there is such a line, as ``four-of-a-kind`` otherwise), so jacks or better, bonus games and deuces
wild are only other tables.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from anchor.canonical import JSONValue
from rng_service.games.cards.deck import DECK, RANKS
from rng_service.games.cards.draw_poker import optimum
from rng_service.games.cards.poker_hands import HANDS, PAIR_RANKS, WILD_HANDS, hand_names_of
from rng_service.games.errors import BetError, shown
from rng_service.games.models.base import (
    Bet,
    BetFields,
    Item,
    ModelKind,
    Priced,
    Strategy,
    bet_name,
    only_fields,
    only_step,
)
from rng_service.games.prizes import winning
from rng_service.games.reading import Node
from rng_service.outcome import Sample, Step
from rng_service.outcome.primitives import Outcome

_LOST = Fraction(0)
_BETS = ("hand",)
_DEALT: Final = 5
_OPTIMAL: Final = "optimal"


@dataclass(frozen=True, slots=True)
class Hand:
    """The places, 0 to 4, of the cards that were held."""

    holds: tuple[int, ...]
    pays: Mapping[str, Fraction]
    lowest_pair: str
    wild: int | None

    @property
    def canonical(self) -> dict[str, JSONValue]:
        """The bet as it is recorded, places ascending."""
        return {"bet": "hand", "holds": list(self.holds)}

    @property
    def decisions(self) -> Sequence[JSONValue]:
        """The places held."""
        return self.holds

    @property
    def highest(self) -> Fraction:
        """The largest prize of the paytable."""
        return max(self.pays.values())

    def multiplier(self, outcome: Outcome) -> Fraction:
        """Return the prize of the final hand."""
        replacements = iter(outcome[_DEALT:])
        final = [outcome[place] if place in self.holds else next(replacements) for place in range(_DEALT)]
        names = hand_names_of(final, self.lowest_pair, self.wild)
        return next((self.pays[name] for name in names if name in self.pays), _LOST)


@dataclass(frozen=True, slots=True)
class BestHolds(Strategy):
    """The strategy that holds what returns most, taken apart by hands."""

    items: tuple[Item, ...]

    def breakdown(self) -> Sequence[Item]:
        """Return the lines of the paytable."""
        return self.items


@dataclass(frozen=True, slots=True)
class VideoPokerModel:
    """The paytable, the lowest rank of which a pair is paid, and the rank that is wild, if one is."""

    pays: Mapping[str, Fraction]
    lowest_pair: str
    wild: int | None

    def resolve(self, bet: BetFields) -> Bet:
        """Take ``{"bet": "hand", "holds": […]}``: the places of the held cards, none to all five."""
        bet_name(bet, _BETS)
        only_fields(bet, ("bet", "holds"))
        holds = bet["holds"]
        if not isinstance(holds, list | tuple) or len(holds) > _DEALT:
            raise BetError("$.holds", f"expected an array of at most {_DEALT} places, got {shown(holds)}")
        seen: set[int] = set()
        for position, place in enumerate(holds):
            if type(place) is not int or not 0 <= place < _DEALT:
                raise BetError(f"$.holds[{position}]", f"expected a place from 0 to {_DEALT - 1}, got {shown(place)}")
            if place in seen:
                raise BetError(f"$.holds[{position}]", f"the card at place {place} is held already")
            seen.add(place)
        return Hand(tuple(sorted(seen)), self.pays, self.lowest_pair, self.wild)

    def listed_bets(self) -> Sequence[tuple[str, Priced]]:
        """List the optimal strategy."""
        best = optimum(tuple(sorted(self.pays.items())), self.lowest_pair, self.wild)
        chances: dict[Fraction, Fraction] = {}
        for name, chance in best.chances.items():
            chances[self.pays[name]] = chances.get(self.pays[name], _LOST) + chance
        items = tuple(
            Item(name, pays, best.chances[name], pays * best.chances[name])
            for name, pays in sorted(self.pays.items(), key=lambda line: HANDS.index(line[0]))
        )
        return [(_OPTIMAL, BestHolds(_OPTIMAL, best.returned, winning(chances), items))]


def read_video_poker(settlement: Node, steps_node: Node, steps: Sequence[Step]) -> VideoPokerModel:
    """Read ``{"model": "video-poker", "pays": {hand: multiplier}, "lowest_pair": rank}``, and ``wild`` with a rank."""
    fields = settlement.fields(("model", "pays", "lowest_pair"), ("wild",))
    step = only_step(steps_node, steps, Sample, "a sample of 10 of 52 cards")
    if (step.n, step.m) != (DECK, 2 * _DEALT):
        steps_node.fail("this settlement model needs a sample of 10 of 52 cards: the deal, and as many replacements")
    wild = RANKS.index(fields["wild"].choice(PAIR_RANKS)) if "wild" in fields else None
    fields["pays"].fields((), HANDS if wild is not None else [name for name in HANDS if name not in WILD_HANDS])
    pays = {name: node.multiplier() for name, node in fields["pays"].members(1, len(HANDS)).items()}
    lowest_pair = fields["lowest_pair"].choice(PAIR_RANKS)
    return VideoPokerModel(pays, lowest_pair, wild)


MODEL = ModelKind(
    "video-poker",
    read_video_poker,
    {
        "required": ["pays", "lowest_pair"],
        "properties": {
            "pays": {
                "type": "object",
                "minProperties": 1,
                "propertyNames": {"enum": list(HANDS)},
                "additionalProperties": {"$ref": "#/$defs/multiplier"},
            },
            "lowest_pair": {"enum": list(PAIR_RANKS)},
            "wild": {"enum": list(PAIR_RANKS)},
        },
    },
)
