"""Settlement model "sic-bo": three dice. The outcome is three values of 0 … 5, each one less than the die shows.

What wins is fixed, what it pays is the definition's: `small` (4 to 10), `big` (11 to 17), `odd`, `even`, all of
which lose on a triple; `any-triple`; a chosen `triple`; a chosen `double` (two of it, or three); a `combination` of
two different numbers; a `single` number, by how many dice show it; a chosen `total`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, product
from math import comb

from anchor.canonical import JSONValue
from rng_service.games.errors import BetError
from rng_service.games.models.base import (
    Bet,
    BetFields,
    ModelKind,
    Priced,
    bet_name,
    bet_numbers,
    only_fields,
    only_step,
)
from rng_service.games.prizes import PrizeDistribution, winning
from rng_service.games.reading import Node, counted_members
from rng_service.outcome import Step, Uniform
from rng_service.outcome.primitives import Outcome

_LOST = Fraction(0)
_ROLLS = 6**3
_FACES = range(1, 7)
_TRIPLES = frozenset((face, face, face) for face in _FACES)
_PLAIN = ("small", "big", "odd", "even", "any-triple")
_CHOSEN = ("triple", "double", "combination")
_BY_COUNT = ("single", "total")
# How many numbers are chosen.
_CHOICES = {"triple": 1, "double": 1, "combination": 2, "single": 1, "total": 1}


@dataclass(frozen=True, slots=True)
class SicBoBet:
    """A bet and what its wins pay: by number of dice for a single number, under 0 for everything else."""

    name: str
    numbers: tuple[int, ...]
    pays: Mapping[int, Fraction]

    @property
    def canonical(self) -> dict[str, JSONValue]:
        """The bet as it is recorded."""
        return {"bet": self.name, "numbers": list(self.numbers)} if self.numbers else {"bet": self.name}

    @property
    def highest(self) -> Fraction:
        """The largest prize that can be won."""
        return max(self.pays.values())

    def multiplier(self, outcome: Outcome) -> Fraction:
        """Return what the three dice pay."""
        dice = tuple(value + 1 for value in outcome)
        if self.name == "single":
            return self.pays.get(dice.count(self.numbers[0]), _LOST)
        return self.pays[0] if self._won(dice) else _LOST

    def _won(self, dice: tuple[int, ...]) -> bool:
        total, mixed = sum(dice), dice not in _TRIPLES
        match self.name:
            case "small":
                return total <= 10 and mixed
            case "big":
                return total >= 11 and mixed
            case "odd" | "even":
                return total % 2 == (self.name == "odd") and mixed
            case "any-triple":
                return not mixed
            case "triple" | "double":
                return dice.count(self.numbers[0]) >= (3 if self.name == "triple" else 2)
            case "combination":
                return set(self.numbers) <= set(dice)
            case _:
                return total == self.numbers[0]

    def rtp(self) -> Fraction:
        """Return the wins, counted by formula, times what they pay."""
        return sum((_ways(self.name, self.numbers, dice) * pays for dice, pays in self.pays.items()), _LOST) / _ROLLS

    def prizes(self) -> PrizeDistribution:
        """Return the probability of each multiplier, from all 216 rolls."""
        found: dict[Fraction, Fraction] = {}
        for outcome in product(range(6), repeat=3):
            pays = self.multiplier(outcome)
            if pays:
                found[pays] = found.get(pays, _LOST) + Fraction(1, _ROLLS)
        return winning(found)


def _ways(name: str, numbers: tuple[int, ...], dice: int) -> int:
    """Return how many of the 216 rolls win; with ``dice`` of the chosen number for a single one."""
    match name:
        case "small" | "big" | "odd" | "even":
            # Half of all rolls, by the symmetry of 7 - d, without the three triples on that side.
            return _ROLLS // 2 - 3
        case "any-triple":
            return 6
        case "triple":
            return 1
        case "double":
            return 3 * 5 + 1
        case "combination":
            # Two fixed faces and a third that is another one (6 orders each of 4), or one of the two (3 orders).
            return 6 * 4 + 3 * 2
        case "single":
            return comb(3, dice) * (125, 25, 5, 1)[dice]
        case _:
            # Compositions of the total into three parts of 1 to 6, by inclusion and exclusion of parts above 6.
            total = numbers[0]
            ways = [comb(3, over) * comb(max(total - 6 * over - 1, 0), 2) for over in range(4)]
            return ways[0] - ways[1] + ways[2] - ways[3]


@dataclass(frozen=True, slots=True)
class SicBoModel:
    """The paytable: name of the bet → what it pays, by number of dice, by total, or under 0."""

    pays: Mapping[str, Mapping[int, Fraction]]

    def resolve(self, bet: BetFields) -> Bet:
        """Take a bet by name, with ``numbers`` where something is chosen: ``{"bet": "total", "numbers": [9]}``."""
        name = bet_name(bet, self.pays)
        choices = _CHOICES.get(name, 0)
        only_fields(bet, ("bet", "numbers") if choices else ("bet",))
        if not choices:
            return self._bet(name, ())
        low, high = (4, 17) if name == "total" else (1, 6)
        numbers = bet_numbers(bet, low, high, choices)
        if len(numbers) != choices:
            raise BetError("$.numbers", f"{name} takes {choices} numbers, got {len(numbers)}")
        if name == "total" and numbers[0] not in self.pays[name]:
            raise BetError("$.numbers[0]", f"the total {numbers[0]} is not in the paytable")
        return self._bet(name, numbers)

    def _bet(self, name: str, numbers: tuple[int, ...]) -> SicBoBet:
        pays = self.pays[name]
        return SicBoBet(name, numbers, {0: pays[numbers[0]]} if name == "total" else pays)

    def listed_bets(self) -> Sequence[tuple[str, Priced]]:
        """List each kind of bet once, and every total."""
        listed: list[tuple[str, Priced]] = []
        for name in self.pays:
            if name == "total":
                listed += [(f"total:{total}", self._bet(name, (total,))) for total in sorted(self.pays[name])]
            else:
                chosen = next(combinations(_FACES, _CHOICES.get(name, 0)))
                listed.append((name, self._bet(name, chosen)))
        return listed


def read_sic_bo(settlement: Node, steps_node: Node, steps: Sequence[Step]) -> SicBoModel:
    """Read ``{"model": "sic-bo", "bets": {"small": 2, "single": {"1": 2, …}, "total": {"4": 51, …}, …}}``."""
    fields = settlement.fields(("model", "bets"))
    step = only_step(steps_node, steps, Uniform, "a uniform of 6 with count 3")
    if (step.n, step.count) != (6, 3):
        steps_node.fail("this settlement model needs a uniform of 6 with count 3")
    bets = fields["bets"].fields((), (*_PLAIN, *_CHOSEN, *_BY_COUNT))
    if not bets:
        fields["bets"].fail("expected at least one bet")
    pays: dict[str, dict[int, Fraction]] = {}
    for name, node in bets.items():
        if name in _BY_COUNT:
            low, high = (4, 17) if name == "total" else (1, 3)
            pays[name] = {count: prize.multiplier() for count, prize in counted_members(node, low, high)}
        else:
            pays[name] = {0: node.multiplier()}
    return SicBoModel(pays)


MODEL = ModelKind(
    "sic-bo",
    read_sic_bo,
    {
        "required": ["bets"],
        "properties": {
            "bets": {
                "type": "object",
                "additionalProperties": False,
                "minProperties": 1,
                "properties": {
                    **{name: {"$ref": "#/$defs/multiplier"} for name in (*_PLAIN, *_CHOSEN)},
                    **{name: {"$ref": "#/$defs/prizes_by_count"} for name in _BY_COUNT},
                },
            }
        },
    },
)
