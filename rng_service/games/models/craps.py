"""Settlement model "craps": one draw holds all rolls of a round, two dice each, from the come-out on.

The outcome is R pairs of values 0 … 5, each one less than the die shows, R being the length of the sequence. A bet
reads them from the first roll until it is decided. What R rolls leave undecided is returned; that changes the
return, a little and by an exactly known amount, from that of a game without an end, which is `endless_rtp`. The
rolls are independent, so a round that begins where the last bet was decided needs only a new draw.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from anchor.canonical import JSONValue
from rng_service.games.models.base import Bet, BetFields, ModelKind, Priced, bet_name, only_fields, only_step
from rng_service.games.models.craps_bets import BET_SCHEMA, Opening, Race, read_opening
from rng_service.games.prizes import PrizeDistribution
from rng_service.games.reading import Node, named_members
from rng_service.outcome import Step, Uniform
from rng_service.outcome.primitives import Outcome

MAX_BETS = 64
_PUSH = Fraction(1)


@dataclass(frozen=True, slots=True)
class CrapsBet:
    """What each of the 36 first rolls leads to, and how many rolls there are in all."""

    name: str
    opening: Opening
    rolls: int

    @property
    def canonical(self) -> dict[str, JSONValue]:
        """The bet as it is recorded."""
        return {"bet": self.name}

    @property
    def highest(self) -> Fraction:
        """The largest prize that can be won, or the stake itself where it can be given back."""
        return max(max(result.pays, _PUSH) if isinstance(result, Race) else result for result in self.opening)

    def multiplier(self, outcome: Outcome) -> Fraction:
        """Return what the rolls pay, read until they decide the bet; 1 where they do not."""
        result = self.opening[6 * outcome[0] + outcome[1]]
        if not isinstance(result, Race):
            return result
        for at in range(2, len(outcome), 2):
            settled = result.settled(6 * outcome[at] + outcome[at + 1])
            if settled is not None:
                return settled
        return _PUSH

    def rtp(self) -> Fraction:
        """Return the mean over the first rolls, with the geometric series of the rolls that follow them."""
        return sum(self.contributions().values(), Fraction(0))

    def contributions(self) -> dict[str, Fraction]:
        """Return what decided bets return, and what is given back after the last roll."""
        decided = undecided = Fraction(0)
        for result in self.opening:
            if isinstance(result, Race):
                left = result.undecided ** (self.rolls - 1)
                decided += result.pays * result.chance * (1 - left)
                undecided += left
            else:
                decided += result
        return {"decided": decided / 36, "undecided": undecided / 36} if undecided else {"decided": decided / 36}

    def endless_rtp(self) -> Fraction:
        """Return what the bet would return if the dice were rolled until it is decided."""
        means = (result.pays * result.chance if isinstance(result, Race) else result for result in self.opening)
        return sum(means, Fraction(0)) / 36

    def prizes(self) -> PrizeDistribution:
        """Return the probability of each multiplier, in whole sequences of dice, roll by roll."""
        ended: dict[Fraction, int] = {}
        running: dict[Race, int] = {}
        for result in self.opening:
            if isinstance(result, Race):
                running[result] = running.get(result, 0) + 1
            else:
                ended[result] = ended.get(result, 0) + 1
        for _ in range(self.rolls - 1):
            ended = {pays: 36 * ways for pays, ways in ended.items()}
            following: dict[Race, int] = {}
            for race, ways in running.items():
                won, lost = len(race.wins), len(race.loses)
                ended[race.pays] = ended.get(race.pays, 0) + ways * won
                ended[Fraction(0)] = ended.get(Fraction(0), 0) + ways * lost
                following[race] = ways * (36 - won - lost)
            running = following
        ended[_PUSH] = ended.get(_PUSH, 0) + sum(running.values())
        return PrizeDistribution({pays: Fraction(ways, 36**self.rolls) for pays, ways in ended.items() if ways})


@dataclass(frozen=True, slots=True)
class CrapsModel:
    """The bets by name."""

    bets: Mapping[str, CrapsBet]

    def resolve(self, bet: BetFields) -> Bet:
        """Take the name of a bet; there is nothing to choose besides."""
        found = self.bets[bet_name(bet, self.bets)]
        only_fields(bet, ("bet",))
        return found

    def listed_bets(self) -> Sequence[tuple[str, Priced]]:
        """List every bet."""
        return list(self.bets.items())


def read_craps(settlement: Node, steps_node: Node, steps: Sequence[Step]) -> CrapsModel:
    """Read ``{"model": "craps", "bets": {"pass": {"kind": "pass", "pays": 2}, …}}``."""
    fields = settlement.fields(("model", "bets"))
    step = only_step(steps_node, steps, Uniform, "a uniform of 6 with an even count")
    if step.n != 6 or step.count % 2:
        steps_node.fail("this settlement model needs a uniform of 6 with an even count, two dice for each roll")
    rolls = step.count // 2
    return CrapsModel(
        {name: CrapsBet(name, read_opening(node), rolls) for name, node in named_members(fields["bets"], MAX_BETS)}
    )


MODEL = ModelKind(
    "craps",
    read_craps,
    {
        "required": ["bets"],
        "properties": {
            "bets": {
                "type": "object",
                "minProperties": 1,
                "maxProperties": MAX_BETS,
                "propertyNames": {"$ref": "#/$defs/name"},
                "additionalProperties": BET_SCHEMA,
            }
        },
    },
)
