"""Settlement model "hits": keno. The player picks numbers; the prize depends on how many are drawn."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb

from anchor.canonical import JSONValue
from rng_service.games.errors import BetError
from rng_service.games.models.base import (
    Bet,
    BetFields,
    Item,
    ModelKind,
    Priced,
    bet_name,
    bet_numbers,
    only_fields,
    only_step,
)
from rng_service.games.prizes import PrizeDistribution, winning
from rng_service.games.reading import Node, counted_members
from rng_service.outcome import Sample, Step
from rng_service.outcome.primitives import Outcome

_LOST = Fraction(0)
_BETS = ("pick",)


@dataclass(frozen=True, slots=True)
class HitsBet:
    """The picked numbers (as drawn, from 0) and the paytable row for that many picks."""

    picks: frozenset[int]
    first_number: int
    step: Sample
    pays: Mapping[int, Fraction]

    @property
    def canonical(self) -> dict[str, JSONValue]:
        """The bet as it is recorded, numbers as the player sees them, ascending."""
        return {"bet": "pick", "numbers": sorted(pick + self.first_number for pick in self.picks)}

    @property
    def alike(self) -> Hashable:
        """The number of picks: which they are changes nothing."""
        return len(self.picks)

    @property
    def highest(self) -> Fraction:
        """The largest prize that can be won."""
        return max(self.pays.values())

    def multiplier(self, outcome: Outcome) -> Fraction:
        """Return the prize for the number of picks among the drawn numbers."""
        return self.pays.get(len(self.picks.intersection(outcome)), _LOST)

    def _chance(self, hits: int) -> Fraction:
        # Hypergeometric: of n numbers m are drawn, and `hits` of the picks are among them.
        n, m, picked = self.step.n, self.step.m, len(self.picks)
        if m < hits:
            return Fraction(0)
        return Fraction(comb(picked, hits) * comb(n - picked, m - hits), comb(n, m))

    def rtp(self) -> Fraction:
        """Return the sum over the paid numbers of hits."""
        return sum((self._chance(hits) * pays for hits, pays in self.pays.items()), Fraction(0))

    def prizes(self) -> PrizeDistribution:
        """Return the probability of each multiplier."""
        found: dict[Fraction, Fraction] = {}
        for hits, pays in self.pays.items():
            found[pays] = found.get(pays, Fraction(0)) + self._chance(hits)
        return winning(found)

    def breakdown(self) -> Sequence[Item]:
        """Return the paid numbers of hits, ascending."""
        chances = [(hits, pays, self._chance(hits)) for hits, pays in sorted(self.pays.items())]
        return [Item(f"{hits} hits", pays, chance, pays * chance) for hits, pays, chance in chances]


@dataclass(frozen=True, slots=True)
class HitsModel:
    """The paytable: number of picks → number of hits → multiplier."""

    step: Sample
    first_number: int
    pays: Mapping[int, Mapping[int, Fraction]]

    def resolve(self, bet: BetFields) -> Bet:
        """Take ``{"bet": "pick", "numbers": […]}``, as many numbers as the paytable has a row for."""
        bet_name(bet, _BETS)
        only_fields(bet, ("bet", "numbers"))
        first = self.first_number
        numbers = bet_numbers(bet, first, first + self.step.n - 1, max(self.pays))
        row = self.pays.get(len(numbers))
        if row is None:
            rows = ", ".join(str(picks) for picks in sorted(self.pays))
            raise BetError("$.numbers", f"{len(numbers)} picks have no row in the paytable; it has {rows}")
        return HitsBet(frozenset(number - first for number in numbers), first, self.step, row)

    def listed_bets(self) -> Sequence[tuple[str, Priced]]:
        """List one bet for each number of picks; which numbers are picked changes nothing."""
        return [
            (f"pick-{picks}", HitsBet(frozenset(range(picks)), self.first_number, self.step, row))
            for picks, row in sorted(self.pays.items())
        ]


def read_hits(settlement: Node, steps_node: Node, steps: Sequence[Step]) -> HitsModel:
    """Read ``{"model": "hits", "first_number": 1, "pays": {"2": {"1": "1", "2": "9"}}}``."""
    fields = settlement.fields(("model", "first_number", "pays"))
    step = only_step(steps_node, steps, Sample, "a sample")
    pays: dict[int, dict[int, Fraction]] = {}
    for picks, row in counted_members(fields["pays"], 1, step.n):
        pays[picks] = {hits: prize.multiplier() for hits, prize in counted_members(row, 0, picks)}
    return HitsModel(step, fields["first_number"].integer(0, 1_000_000), pays)


MODEL = ModelKind(
    "hits",
    read_hits,
    {
        "required": ["first_number", "pays"],
        "properties": {
            "first_number": {"type": "integer", "minimum": 0, "maximum": 1000000},
            "pays": {
                "type": "object",
                "minProperties": 1,
                "propertyNames": {"type": "string", "pattern": "^[1-9][0-9]*$"},
                "additionalProperties": {"$ref": "#/$defs/prizes_by_count"},
            },
        },
    },
)
