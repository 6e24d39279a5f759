"""Settlement model "plinko": a ball falls through n rows of pegs, left (0) or right (1) at each with even chances.

The bucket is the number of rights. Bets are levels of risk; each pays by bucket.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb

from anchor.canonical import JSONValue
from rng_service.games.models.base import Bet, BetFields, Item, ModelKind, Priced, bet_name, only_fields, only_step
from rng_service.games.prizes import PrizeDistribution
from rng_service.games.reading import Node, named_members
from rng_service.outcome import Step, Uniform
from rng_service.outcome.primitives import Outcome

MAX_ROWS = 64
MAX_RISKS = 32


@dataclass(frozen=True, slots=True)
class PlinkoBet:
    """One level of risk: what each of the rows + 1 buckets pays."""

    name: str
    pays: tuple[Fraction, ...]

    @property
    def canonical(self) -> dict[str, JSONValue]:
        """The bet as it is recorded."""
        return {"bet": self.name}

    @property
    def highest(self) -> Fraction:
        """The largest prize that can be won."""
        return max(self.pays)

    def multiplier(self, outcome: Outcome) -> Fraction:
        """Return what the bucket pays."""
        return self.pays[sum(outcome)]

    def rtp(self) -> Fraction:
        """Return the sum over the buckets by the binomial formula."""
        rows = len(self.pays) - 1
        return sum((comb(rows, rights) * pays for rights, pays in enumerate(self.pays)), Fraction(0)) / (1 << rows)

    def prizes(self) -> PrizeDistribution:
        """Return the probability of each multiplier; the ways to each bucket are added up row by row."""
        ways = [1]
        for _ in self.pays[1:]:
            ways = [left + right for left, right in zip([*ways, 0], [0, *ways], strict=True)]
        found: dict[Fraction, Fraction] = {}
        for count, pays in zip(ways, self.pays, strict=True):
            found[pays] = found.get(pays, Fraction(0)) + Fraction(count, sum(ways))
        return PrizeDistribution(found)

    def breakdown(self) -> Sequence[Item]:
        """Return the buckets that pay, from the left."""
        rows = len(self.pays) - 1
        chances = [Fraction(comb(rows, rights), 1 << rows) for rights in range(rows + 1)]
        return [
            Item(f"bucket {rights}", pays, chance, pays * chance)
            for rights, (pays, chance) in enumerate(zip(self.pays, chances, strict=True))
            if pays
        ]


@dataclass(frozen=True, slots=True)
class PlinkoModel:
    """The levels of risk by name."""

    risks: Mapping[str, PlinkoBet]

    def resolve(self, bet: BetFields) -> Bet:
        """Take the name of a level of risk; there is nothing to choose besides."""
        found = self.risks[bet_name(bet, self.risks)]
        only_fields(bet, ("bet",))
        return found

    def listed_bets(self) -> Sequence[tuple[str, Priced]]:
        """List every level of risk."""
        return list(self.risks.items())


def read_plinko(settlement: Node, steps_node: Node, steps: Sequence[Step]) -> PlinkoModel:
    """Read ``{"model": "plinko", "bets": {"low": ["5.6", "2.1", …]}}``: a multiplier for each bucket, 0 allowed."""
    fields = settlement.fields(("model", "bets"))
    step = only_step(steps_node, steps, Uniform, "a uniform of 2 with a count, the number of rows")
    if step.n != 2 or step.count > MAX_ROWS:
        steps_node.fail(f"this settlement model needs a uniform of 2 with a count of at most {MAX_ROWS} rows")
    risks: dict[str, PlinkoBet] = {}
    for name, node in named_members(fields["bets"], MAX_RISKS):
        pays = tuple(item.fraction() for item in node.items(step.count + 1, step.count + 1))
        if not any(pays):
            node.fail("no bucket pays anything")
        risks[name] = PlinkoBet(name, pays)
    return PlinkoModel(risks)


MODEL = ModelKind(
    "plinko",
    read_plinko,
    {
        "required": ["bets"],
        "properties": {
            "bets": {
                "type": "object",
                "minProperties": 1,
                "maxProperties": MAX_RISKS,
                "propertyNames": {"$ref": "#/$defs/name"},
                "additionalProperties": {
                    "type": "array",
                    "minItems": 2,
                    "maxItems": MAX_ROWS + 1,
                    "items": {
                        "anyOf": [
                            {"$ref": "#/$defs/multiplier"},
                            {"type": "integer", "minimum": 0, "maximum": 0},
                        ]
                    },
                },
            }
        },
    },
)
