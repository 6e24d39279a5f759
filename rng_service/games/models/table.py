"""Settlement model "table": one drawn number, and bets that win on sets of numbers.

A bet either offers ``selections`` (the sets that a player may choose from, all paid alike: roulette) or
carries ``prizes`` (what each set of numbers pays, nothing to choose: a wheel of fortune). Selections may come
with ``refunds``: numbers that are not chosen but give a part of the stake back (la partage on the zero).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from anchor.canonical import JSONValue
from rng_service.games.errors import BetError, GameError
from rng_service.games.models.base import Bet, BetFields, ModelKind, Priced, bet_name, bet_numbers, only_fields
from rng_service.games.prizes import PrizeDistribution, winning
from rng_service.games.reading import Node, named_members
from rng_service.outcome import Deal, Step, Uniform, Weighted
from rng_service.outcome.primitives import Outcome

MAX_BETS = 256
MAX_SELECTIONS = 4_096
# Every number of the table is written out in the definition, so the wheel is bounded too.
MAX_NUMBERS = 65_536
_LOST = Fraction(0)


@dataclass(frozen=True, slots=True)
class Wheel:
    """The chances of the drawn number: one weight for each, or none when all are alike."""

    numbers: int
    total: int
    weights: Sequence[int] | None

    def chance(self, number: int) -> Fraction:
        """Return the probability of ``number``."""
        return Fraction(1 if self.weights is None else self.weights[number], self.total)


@dataclass(frozen=True, slots=True)
class TableBet:
    """One selection of a table bet: the multipliers by drawn number, absent numbers lose."""

    canonical: dict[str, JSONValue]
    pays: Mapping[int, Fraction]
    wheel: Wheel

    @property
    def highest(self) -> Fraction:
        """The largest prize that can be won."""
        return max(self.pays.values())

    def multiplier(self, outcome: Outcome) -> Fraction:
        """Return what the drawn number pays."""
        return self.pays.get(outcome[0], _LOST)

    def rtp(self) -> Fraction:
        """Return the sum over the winning numbers."""
        return sum((self.wheel.chance(number) * pays for number, pays in self.pays.items()), Fraction(0))

    def prizes(self) -> PrizeDistribution:
        """Return the probability of each multiplier."""
        found: dict[Fraction, Fraction] = {}
        for number, pays in self.pays.items():
            found[pays] = found.get(pays, Fraction(0)) + self.wheel.chance(number)
        return winning(found)


@dataclass(frozen=True, slots=True)
class TableModel:
    """All bets of a table, by name and then by the numbers chosen."""

    highest: int
    bets: Mapping[str, Mapping[tuple[int, ...], TableBet]]

    def resolve(self, bet: BetFields) -> Bet:
        """Find the selection; a bet with one selection needs no ``numbers``."""
        selections = self.bets[bet_name(bet, self.bets)]
        if len(selections) == 1 and "numbers" not in bet:
            only_fields(bet, ("bet",))
            return next(iter(selections.values()))
        only_fields(bet, ("bet", "numbers"))
        numbers = bet_numbers(bet, 0, self.highest, self.highest + 1)
        found = selections.get(numbers)
        if found is None:
            sizes = sorted({len(selection) for selection in selections})
            sizes_text = " or ".join(str(size) for size in sizes)
            raise BetError("$.numbers", f"not a selection of {bet['bet']!r}, which takes {sizes_text} numbers")
        return found

    def listed_bets(self) -> Sequence[tuple[str, Priced]]:
        """List each bet once, or each of its selections when they differ in their chances."""
        listed: list[tuple[str, Priced]] = []
        for name in sorted(self.bets):
            selections = self.bets[name]
            distributions = {frozenset(found.prizes().probabilities.items()) for found in selections.values()}
            if len(distributions) == 1:
                listed.append((name, next(iter(selections.values()))))
            else:
                listed += [
                    (f"{name}:{'-'.join(str(number) for number in numbers)}", found)
                    for numbers, found in selections.items()
                ]
        return listed


def read_table(settlement: Node, steps_node: Node, steps: Sequence[Step]) -> TableModel:
    """Read ``{"model": "table", "bets": {name: {"pays", "selections", "refunds"?} or {"prizes"}}}``."""
    wheel = _wheel(steps_node, steps)
    listed = settlement.fields(("model", "bets"))["bets"]
    bets = {name: _read_bet(name, node, wheel) for name, node in named_members(listed, MAX_BETS)}
    if isinstance(steps[0], Deal) and sum(map(len, bets.values())) > 1:
        # The prizes of a deal are those of its flare, whoever buys; its money at the close is that of this one bet.
        listed.fail("a deal has one bet, which is what its tickets pay")
    return TableModel(wheel.numbers - 1, bets)


def _wheel(node: Node, steps: Sequence[Step]) -> Wheel:
    match steps:
        case [Uniform(n, 1)] if n <= MAX_NUMBERS:
            return Wheel(n, n, None)
        case [Weighted(weights, 1)]:
            return Wheel(len(weights), sum(weights), weights)
        case [Deal(counts)]:
            # Of a ticket that is drawn from a whole deal: the others of its deal are not independent of it.
            return Wheel(len(counts), sum(counts), counts)
    raise GameError(
        node.path, f"this settlement model needs one step: a uniform of at most {MAX_NUMBERS}, a weighted or a deal"
    )


def _read_bet(name: str, node: Node, wheel: Wheel) -> dict[tuple[int, ...], TableBet]:
    highest = wheel.numbers - 1
    if "prizes" in node.members(1, 8):
        pays = _prizes(node.fields(("prizes",))["prizes"], highest)
        return {(): TableBet({"bet": name}, pays, wheel)}
    fields = node.fields(("pays", "selections"), ("refunds",))
    multiplier = fields["pays"].multiplier()
    refunds = _prizes(fields["refunds"], highest, most=Fraction(1)) if "refunds" in fields else {}
    found: dict[tuple[int, ...], TableBet] = {}
    selections = fields["selections"].items(1, MAX_SELECTIONS)
    for selection in selections:
        chosen = _numbers(selection, highest)
        for number, place in chosen:
            if number in refunds:
                place.fail(f"the number {number} has a refund already")
        numbers = tuple(sorted(number for number, _ in chosen))
        if numbers in found:
            selection.fail("this selection stands here twice")
        canonical: dict[str, JSONValue] = {"bet": name}
        if len(selections) > 1:
            canonical["numbers"] = list(numbers)
        found[numbers] = TableBet(canonical, refunds | dict.fromkeys(numbers, multiplier), wheel)
    return found


def _prizes(node: Node, highest: int, most: Fraction | None = None) -> dict[int, Fraction]:
    """Return number → multiplier of an array of ``{"pays", "numbers"}``."""
    pays: dict[int, Fraction] = {}
    for prize in node.items(1, MAX_SELECTIONS):
        fields = prize.fields(("pays", "numbers"))
        multiplier = fields["pays"].multiplier()
        if most is not None and multiplier > most:
            fields["pays"].fail(f"a refund is at most the stake, got {multiplier}")
        for number, place in _numbers(fields["numbers"], highest):
            if number in pays:
                place.fail(f"the number {number} has a prize already")
            pays[number] = multiplier
    return pays


def _numbers(node: Node, highest: int) -> list[tuple[int, Node]]:
    seen: set[int] = set()
    found = []
    for item in node.items(1, highest + 1):
        number = item.integer(0, highest)
        if number in seen:
            item.fail(f"the number {number} stands here twice")
        seen.add(number)
        found.append((number, item))
    return found


_PRIZES: JSONValue = {
    "type": "array",
    "minItems": 1,
    "maxItems": 4096,
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["pays", "numbers"],
        "properties": {"pays": {"$ref": "#/$defs/multiplier"}, "numbers": {"$ref": "#/$defs/numbers"}},
    },
}

MODEL = ModelKind(
    "table",
    read_table,
    {
        "required": ["bets"],
        "properties": {
            "bets": {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 256,
                "propertyNames": {"$ref": "#/$defs/name"},
                "additionalProperties": {
                    "anyOf": [
                        {
                            "type": "object",
                            "additionalProperties": False,
                            "required": ["pays", "selections"],
                            "properties": {
                                "pays": {"$ref": "#/$defs/multiplier"},
                                "selections": {
                                    "type": "array",
                                    "minItems": 1,
                                    "maxItems": 4096,
                                    "items": {"$ref": "#/$defs/numbers"},
                                },
                                "refunds": _PRIZES,
                            },
                        },
                        {
                            "type": "object",
                            "additionalProperties": False,
                            "required": ["prizes"],
                            "properties": {"prizes": _PRIZES},
                        },
                    ]
                },
            }
        },
    },
)
