"""Settlement model "baccarat": punto banco from a freshly shuffled shoe, by the fixed drawing rules.

A bet pays on results or on pairs. A result has up to three names, the most precise first: ``banker-7-three`` (the
banker wins with a total of 7 on three cards), ``banker-7``, ``banker``; a tie has ``tie-0`` … ``tie-9`` and ``tie``. A
bet pays by the most precise name that it lists, so commission-free games and side bets are only other paytables.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from anchor.canonical import JSONValue
from rng_service.games.cards.baccarat import (
    BANKER,
    CARDS,
    PLAYER,
    TIE,
    Result,
    pair_chances,
    play,
    result_chances,
    value,
)
from rng_service.games.cards.deck import DECK, rank
from rng_service.games.models.base import (
    Bet,
    BetFields,
    Item,
    ModelKind,
    Priced,
    bet_name,
    only_fields,
    only_step,
)
from rng_service.games.prizes import PrizeDistribution, winning
from rng_service.games.reading import Node, named_members
from rng_service.outcome import Sample, Step
from rng_service.outcome.primitives import Outcome

MAX_BETS: Final = 64
MAX_DECKS: Final = 78
_LOST = Fraction(0)
_CARD_COUNTS: Final = {2: "two", 3: "three"}
# The hands, by their cards' places in the outcome, of which one must be a pair.
_PAIRS: Final[Mapping[str, tuple[tuple[int, int], ...]]] = {
    "player-pair": ((0, 2),),
    "banker-pair": ((1, 3),),
    "either-pair": ((0, 2), (1, 3)),
}
_RESULTS: Final = (
    *(PLAYER, BANKER, TIE),
    *(f"{TIE}-{total}" for total in range(10)),
    *(f"{winner}-{total}" for winner in (PLAYER, BANKER) for total in range(1, 10)),
    *(
        f"{winner}-{total}-{cards}"
        for winner in (PLAYER, BANKER)
        for total in range(1, 10)
        for cards in _CARD_COUNTS.values()
    ),
)


def names_of(result: Result) -> tuple[str, ...]:
    """Return the names under which a paytable may list a result, the most precise first."""
    names = (f"{result.winner}-{result.total}", result.winner)
    return names if result.winner == TIE else (f"{names[0]}-{_CARD_COUNTS[result.cards]}", *names)


@dataclass(frozen=True, slots=True)
class ResultBet:
    """What a bet pays, by the names of results."""

    canonical: dict[str, JSONValue]
    pays: Mapping[str, Fraction]
    decks: int

    @property
    def highest(self) -> Fraction:
        """The largest prize in the list."""
        return max(self.pays.values())

    def multiplier(self, outcome: Outcome) -> Fraction:
        """Return what the coup that these six cards make pays."""
        listed = self._listed(play([value(card) for card in outcome]))
        return self.pays[listed] if listed else _LOST

    def _listed(self, result: Result) -> str | None:
        return next((name for name in names_of(result) if name in self.pays), None)

    def rtp(self) -> Fraction:
        """Return the sum over all results."""
        chances = result_chances(self.decks)
        return sum((self.pays[name] * chances[result] for result in chances if (name := self._listed(result))), _LOST)

    def prizes(self) -> PrizeDistribution:
        """Return the probability of each multiplier."""
        found: dict[Fraction, Fraction] = {}
        for item in self.breakdown():
            found[item.pays] = found.get(item.pays, _LOST) + item.chance
        return winning({pays: chance for pays, chance in found.items() if chance})

    def breakdown(self) -> Sequence[Item]:
        """Return the lines of the paytable."""
        chances = dict.fromkeys(self.pays, _LOST)
        for result, chance in result_chances(self.decks).items():
            listed = self._listed(result)
            if listed:
                chances[listed] += chance
        return [Item(name, pays, chances[name], pays * chances[name]) for name, pays in self.pays.items()]


@dataclass(frozen=True, slots=True)
class PairBet:
    """A bet on two cards of one rank in a hand's first two."""

    canonical: dict[str, JSONValue]
    hands: tuple[tuple[int, int], ...]
    pays: Fraction
    decks: int

    @property
    def highest(self) -> Fraction:
        """The only prize."""
        return self.pays

    def multiplier(self, outcome: Outcome) -> Fraction:
        """Return the prize when one of the hands begins with a pair."""
        paired = any(rank(outcome[one]) == rank(outcome[other]) for one, other in self.hands)
        return self.pays if paired else _LOST

    def _chance(self) -> Fraction:
        one, either = pair_chances(self.decks)
        return one if len(self.hands) == 1 else either

    def rtp(self) -> Fraction:
        """Return the chance times the prize."""
        return self._chance() * self.pays

    def prizes(self) -> PrizeDistribution:
        """Return the two-point distribution."""
        return winning({self.pays: self._chance()})


@dataclass(frozen=True, slots=True)
class BaccaratModel:
    """The bets by name; none has anything to choose."""

    bets: Mapping[str, ResultBet | PairBet]

    def resolve(self, bet: BetFields) -> Bet:
        """Take ``{"bet": name}``."""
        found = self.bets[bet_name(bet, self.bets)]
        only_fields(bet, ("bet",))
        return found

    def listed_bets(self) -> Sequence[tuple[str, Priced]]:
        """List every bet."""
        return list(self.bets.items())


def read_baccarat(settlement: Node, steps_node: Node, steps: Sequence[Step]) -> BaccaratModel:
    """Read ``{"model": "baccarat", "bets": {name: {result or pair: multiplier}}}``."""
    bets = settlement.fields(("model", "bets"))["bets"]
    step = only_step(steps_node, steps, Sample, f"a sample of {CARDS} cards of 52 for each deck")
    decks, rest = divmod(step.n, DECK)
    if rest or decks > MAX_DECKS or step.m != CARDS:
        steps_node.fail(
            f"this settlement model needs a sample of {CARDS} cards of 1 to {MAX_DECKS} decks, 52 cards each"
        )
    return BaccaratModel({name: _read_bet(name, node, decks) for name, node in named_members(bets, MAX_BETS)})


def _read_bet(name: str, node: Node, decks: int) -> ResultBet | PairBet:
    members = node.members(1, len(_RESULTS))
    for key in members:
        if key in _PAIRS:
            pays = node.fields((key,))[key].multiplier()
            return PairBet({"bet": name}, _PAIRS[key], pays, decks)
    node.fields((), (*_RESULTS, *_PAIRS))
    return ResultBet({"bet": name}, {key: member.multiplier() for key, member in members.items()}, decks)


MODEL = ModelKind(
    "baccarat",
    read_baccarat,
    {
        "required": ["bets"],
        "properties": {
            "bets": {
                "type": "object",
                "minProperties": 1,
                "maxProperties": MAX_BETS,
                "propertyNames": {"$ref": "#/$defs/name"},
                "additionalProperties": {
                    "anyOf": [
                        {
                            "type": "object",
                            "minProperties": 1,
                            "propertyNames": {"enum": sorted(_RESULTS)},
                            "additionalProperties": {"$ref": "#/$defs/multiplier"},
                        },
                        {
                            "type": "object",
                            "minProperties": 1,
                            "maxProperties": 1,
                            "propertyNames": {"enum": sorted(_PAIRS)},
                            "additionalProperties": {"$ref": "#/$defs/multiplier"},
                        },
                    ]
                },
            }
        },
    },
)
