"""Settlement model "blackjack": a deal from a fresh shoe, and the player's decisions replayed on it.

The shoe is a `sample` or `shuffle` of 52 cards for each deck, or a `uniform` of 13 or 52 with the cards put back. A
draw has the first stake; the settlement tells the decisions in order, and its stake is the first one times what
doubling, splitting and insurance added. The multiplier is that of the whole stake.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from anchor.canonical import JSONValue
from rng_service.games.cards.blackjack import COSTS, DOUBLES, Replay, Rules, most_cards, value
from rng_service.games.cards.blackjack_dealer import Shoe
from rng_service.games.cards.blackjack_optimum import optimal_returns
from rng_service.games.cards.blackjack_theory import HARD_TOTALS, LETTERS, SHOWN, SOFT_TOTALS, Table, returns
from rng_service.games.cards.deck import DECK
from rng_service.games.errors import BetError, nearest, shown
from rng_service.games.models.base import (
    Bet,
    BetFields,
    Item,
    ModelKind,
    Priced,
    Strategy,
    bet_name,
    only_fields,
)
from rng_service.games.prizes import PrizeDistribution
from rng_service.games.reading import Node, counted_members, named_members
from rng_service.outcome import Sample, Shuffle, Step, Uniform
from rng_service.outcome.primitives import Outcome

MAX_ACTIONS: Final = 256
MAX_STRATEGIES: Final = 8
MOST_HANDS: Final = 8
_BETS = ("hand",)
_OPTIMAL: Final = "optimal"
_BOOLEANS: Final = (
    "dealer_hits_soft_17",
    "dealer_peeks",
    "double_after_split",
    "hit_split_aces",
    "insurance",
    "late_surrender",
    "resplit_aces",
)
_FIELDS: Final = ("blackjack_pays", "double", "most_hands", *_BOOLEANS)
# More cards of each value than any deal takes.
_ENOUGH: Final = (1_000,) * 10


@dataclass(frozen=True, slots=True)
class DecidedHand:
    """The decisions of one deal, in order."""

    actions: tuple[str, ...]
    rules: Rules

    @property
    def canonical(self) -> dict[str, JSONValue]:
        """The bet as it is recorded."""
        return {"bet": "hand", "actions": list(self.actions)}

    @property
    def decisions(self) -> Sequence[JSONValue]:
        """The decisions in order."""
        return self.actions

    @property
    def stakes(self) -> Fraction:
        """The first stake, and what the decisions added to it; an insurance is a half."""
        return 1 + sum((COSTS[action] for action in self.actions), Fraction(0))

    @property
    def highest(self) -> Fraction:
        """The prize of a blackjack, or even money."""
        return max(self.rules.blackjack_pays, Fraction(2))

    def multiplier(self, outcome: Outcome) -> Fraction:
        """Return what all hands give back for each unit of the whole stake.

        Raises BetError with the path of the first decision that the deal does not allow, or of a list that ends early.
        """
        return Replay(self.rules, [value(card) for card in outcome], self.actions).returned() / self.stakes


@dataclass(frozen=True, slots=True)
class FixedStrategy(Strategy):
    """A strategy, taken apart by how a deal ends."""

    items: tuple[Item, ...]

    def breakdown(self) -> Sequence[Item]:
        """Return what a deal gives back for what is staked in the end; the chances are those of a deal."""
        return self.items


@dataclass(frozen=True, slots=True)
class BlackjackModel:
    """The rules, the shoe, and the strategies that the theory is about."""

    rules: Rules
    shoe: Shoe
    strategies: Mapping[str, Table]

    def resolve(self, bet: BetFields) -> Bet:
        """Take ``{"bet": "hand", "actions": […]}``; whether the deal allows them is seen when it is settled."""
        bet_name(bet, _BETS)
        only_fields(bet, ("bet", "actions"))
        actions = bet["actions"]
        if not isinstance(actions, list | tuple) or len(actions) > MAX_ACTIONS:
            raise BetError("$.actions", f"expected an array of at most {MAX_ACTIONS} decisions, got {shown(actions)}")
        found: list[str] = []
        for position, action in enumerate(actions):
            if not isinstance(action, str) or action not in COSTS:
                raise BetError(
                    f"$.actions[{position}]", f"{shown(action)} is no decision; {nearest(str(action), COSTS)}"
                )
            found.append(action)
        return DecidedHand(tuple(found), self.rules)

    def listed_bets(self) -> Sequence[tuple[str, Priced]]:
        """List the strategies of the definition, and the optimal one where cards are put back."""
        chances = returns(self.rules, self.shoe, tuple(self.strategies.values()))
        listed = dict(zip(self.strategies, chances, strict=True))
        if self.shoe.put_back:
            listed[_OPTIMAL] = optimal_returns(self.rules, self.shoe)
        return [(name, _strategy(name, found)) for name, found in listed.items()]


def _strategy(name: str, chances: Mapping[tuple[Fraction, int], Fraction]) -> Strategy:
    """Return a strategy's figures for a unit staked: a doubled hand has two of them, split ones have one each."""
    staked = sum((units * chance for (_, units), chance in chances.items()), Fraction(0))
    returned = sum((back * chance for (back, _), chance in chances.items()), Fraction(0))
    prizes: dict[Fraction, Fraction] = {}
    for (back, units), chance in chances.items():
        prizes[back / units] = prizes.get(back / units, Fraction(0)) + chance * units / staked
    items = tuple(
        Item(f"{back} for {units}", back / units, chance, back * chance / staked)
        for (back, units), chance in sorted(chances.items())
        if back
    )
    return FixedStrategy(name, returned / staked, PrizeDistribution(prizes), items)


def read_blackjack(settlement: Node, steps_node: Node, steps: Sequence[Step]) -> BlackjackModel:
    """Read ``{"model": "blackjack", …rules, "strategies": {name: {"hard": {total: row}, "soft": {total: row}}}}``."""
    fields = settlement.fields(("model", *_FIELDS), ("strategies",))
    flags = {name: fields[name].boolean() for name in _BOOLEANS}
    pays = fields["blackjack_pays"].multiplier()
    if not 1 < pays <= 10:
        fields["blackjack_pays"].fail(f"a blackjack gets back more than 1 and at most 10 stakes, got {pays}")
    rules = Rules(
        blackjack_pays=pays,
        hit_soft_17=flags["dealer_hits_soft_17"],
        peek=flags["dealer_peeks"],
        double=fields["double"].choice(DOUBLES),
        double_after_split=flags["double_after_split"],
        most_hands=fields["most_hands"].integer(1, MOST_HANDS),
        hit_split_aces=flags["hit_split_aces"],
        resplit_aces=flags["resplit_aces"],
        surrender=flags["late_surrender"],
        insurance=flags["insurance"],
    )
    shoe = _shoe(steps_node, steps, rules)
    strategies: dict[str, Table] = {}
    if "strategies" in fields:
        if _OPTIMAL in fields["strategies"].members(1, MAX_STRATEGIES):
            fields["strategies"].fail(f"{_OPTIMAL!r} is the name of the strategy that is worked out")
        strategies = {name: _table(node) for name, node in named_members(fields["strategies"], MAX_STRATEGIES)}
    return BlackjackModel(rules, shoe, strategies)


def _shoe(node: Node, steps: Sequence[Step], rules: Rules) -> Shoe:
    match steps:
        case [Sample(n, drawn)] if n % DECK == 0:
            shoe = _decks(n // DECK)
        case [Shuffle(n) as step] if n % DECK == 0:
            shoe, drawn = _decks(n // DECK), step.width
        case [Uniform(13 | 52, drawn)]:
            shoe = Shoe((*[1] * 9, 4), put_back=True)
        case _:
            node.fail(
                "this settlement model needs one step: a sample or shuffle of 52 cards for each deck, or a uniform of"
                " 13 or 52 with a count"
            )
    needed = most_cards(_ENOUGH if shoe.put_back else shoe.cards, rules.most_hands)
    if drawn < needed:
        node.fail(f"a deal of {rules.most_hands} hands may take up to {needed} cards, this step yields {drawn}")
    return shoe


def _decks(decks: int) -> Shoe:
    return Shoe((*[4 * decks] * 9, 16 * decks))


def _table(node: Node) -> Table:
    fields = node.fields(("hard", "soft"))
    return Table(_rows(fields["hard"], HARD_TOTALS), _rows(fields["soft"], SOFT_TOTALS))


def _rows(node: Node, totals: range) -> tuple[str, ...]:
    """Return a row for each total; one that is not listed has the row of the next lower one that is."""
    listed = dict(counted_members(node, totals[0], totals[-1]))
    if totals[0] not in listed:
        node.fail(f"the row of the lowest total, {totals[0]}, is missing")
    rows: list[str] = []
    for total in totals:
        if total not in listed:
            rows.append(rows[-1])
            continue
        row = listed[total].text(len(SHOWN))
        if len(row) != len(SHOWN) or not set(row) <= set(LETTERS):
            listed[total].fail(f"expected ten letters of {LETTERS}, for the dealer's 2 to 10 and ace, got {shown(row)}")
        rows.append(row)
    return tuple(rows)


_ROWS: Final[Mapping[str, JSONValue]] = {
    "type": "object",
    "minProperties": 1,
    "propertyNames": {"pattern": "^([4-9]|1[0-9]|20)$"},
    "additionalProperties": {"type": "string", "pattern": f"^[{LETTERS}]{{10}}$"},
}
_FLAG: Final[Mapping[str, JSONValue]] = {"type": "boolean"}

MODEL = ModelKind(
    "blackjack",
    read_blackjack,
    {
        "required": list(_FIELDS),
        "properties": {
            "blackjack_pays": {"$ref": "#/$defs/multiplier"},
            "double": {"enum": sorted(DOUBLES)},
            "most_hands": {"type": "integer", "minimum": 1, "maximum": MOST_HANDS},
            **{name: dict(_FLAG) for name in _BOOLEANS},
            "strategies": {
                "type": "object",
                "minProperties": 1,
                "maxProperties": MAX_STRATEGIES,
                "propertyNames": {"$ref": "#/$defs/name"},
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["hard", "soft"],
                    "properties": {"hard": dict(_ROWS), "soft": dict(_ROWS)},
                },
            },
        },
    },
)
