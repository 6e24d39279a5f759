"""Settlement model "lottery": k numbers of n, with bonus numbers from the same drum or from a second one.

One sample: its last ``bonus_drawn`` numbers are the bonus, and a ticket's own numbers hit them too (6 of 49 and a
seventh ball). Two samples: the second is the bonus drum, and a ticket picks ``bonus_picks`` numbers for it (5 of 69
and 1 of 26). Prizes are fixed multiples of the stake by (hits, bonus hits); shares of a pool of stakes are not
settled here, since what a line wins would then depend on everybody else's lines.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb

from anchor.canonical import JSONValue
from rng_service.games.errors import BetError, GameError
from rng_service.games.models.base import Bet, BetFields, Item, ModelKind, Priced, bet_name, bet_numbers, only_fields
from rng_service.games.prizes import PrizeDistribution, winning
from rng_service.games.reading import Node
from rng_service.outcome import Sample, Step
from rng_service.outcome.primitives import Outcome

MAX_CLASSES = 256
MAX_PICKS = 64
MAX_DRAWN = 128
_LOST = Fraction(0)
_BETS = ("line",)

Class = tuple[int, int]
"""(hits, bonus hits)"""


@dataclass(frozen=True, slots=True)
class Drums:
    """How many numbers there are, are drawn and are picked; ``second`` is (numbers, drawn, picks) or none."""

    numbers: int
    drawn: int
    bonus_drawn: int
    picks: int
    second: tuple[int, int, int] | None

    def chance(self, hits: int, bonus: int) -> Fraction:
        """Return the probability of a class, by the hypergeometric formula."""
        n, picks = self.numbers, self.picks
        if self.second is not None:
            other, drawn, picked = self.second
            return _hypergeometric(n, self.drawn, picks, hits) * _hypergeometric(other, drawn, picked, bonus)
        # The bonus numbers are drawn from what the main numbers left, and so are the picks that they can hit.
        return _hypergeometric(n, self.drawn, picks, hits) * _hypergeometric(
            n - self.drawn, self.bonus_drawn, picks - hits, bonus
        )

    def chances(self) -> dict[Class, Fraction]:
        """Return the probability of every class, ball by ball as they are drawn."""
        found: dict[Class, Fraction] = {(0, 0): Fraction(1)}
        for ball in range(self.drawn):
            found = _after_ball(found, 0, self.numbers - ball, lambda has: self.picks - has[0])
        for ball in range(self.bonus_drawn):
            found = _after_ball(found, 1, self.numbers - self.drawn - ball, lambda has: self.picks - sum(has))
        if self.second is not None:
            other, drawn, picked = self.second
            for ball in range(drawn):
                found = _after_ball(found, 1, other - ball, lambda has: picked - has[1])
        return found


@dataclass(frozen=True, slots=True)
class LotteryLine:
    """One line of a ticket: the numbers as drawn, from 0, and the prizes by class."""

    picks: frozenset[int]
    bonus_picks: frozenset[int]
    first_number: int
    drums: Drums
    pays: Mapping[Class, Fraction]

    @property
    def canonical(self) -> dict[str, JSONValue]:
        """The line as it is recorded, numbers as the player sees them, ascending."""
        bet: dict[str, JSONValue] = {"bet": "line", "numbers": sorted(pick + self.first_number for pick in self.picks)}
        if self.drums.second is not None:
            bet["bonus"] = sorted(pick + self.first_number for pick in self.bonus_picks)
        return bet

    @property
    def alike(self) -> Hashable:
        """Which numbers are picked changes nothing."""
        return _BETS

    @property
    def highest(self) -> Fraction:
        """The largest prize that can be won."""
        return max(self.pays.values())

    def multiplier(self, outcome: Outcome) -> Fraction:
        """Return the prize of the line's class."""
        drawn = self.drums.drawn
        bonus = self.picks if self.drums.second is None else self.bonus_picks
        found = len(self.picks.intersection(outcome[:drawn])), len(bonus.intersection(outcome[drawn:]))
        return self.pays.get(found, _LOST)

    def rtp(self) -> Fraction:
        """Return the sum over the paid classes."""
        return sum((self.drums.chance(*found) * pays for found, pays in self.pays.items()), Fraction(0))

    def prizes(self) -> PrizeDistribution:
        """Return the probability of each multiplier."""
        found: dict[Fraction, Fraction] = {}
        for reached, chance in self.drums.chances().items():
            pays = self.pays.get(reached)
            if pays is not None:
                found[pays] = found.get(pays, Fraction(0)) + chance
        return winning(found)

    def contributions(self) -> dict[str, Fraction]:
        """Return what each class adds to the return, under names like ``5+1``."""
        return {item.name: item.returned for item in self.breakdown()}

    def breakdown(self) -> Sequence[Item]:
        """Return the classes that are paid."""
        chances = [(found, pays, self.drums.chance(*found)) for found, pays in self.pays.items()]
        return [Item(f"{hits}+{bonus}", pays, chance, pays * chance) for (hits, bonus), pays, chance in chances]


@dataclass(frozen=True, slots=True)
class LotteryModel:
    """The drums and the prizes; each line is a bet of its own, settled against the one draw."""

    first_number: int
    drums: Drums
    pays: Mapping[Class, Fraction]

    def resolve(self, bet: BetFields) -> Bet:
        """Take ``{"bet": "line", "numbers": […]}``, with ``bonus`` where there is a second drum."""
        bet_name(bet, _BETS)
        first = self.first_number
        second = self.drums.second
        only_fields(bet, ("bet", "numbers") if second is None else ("bet", "numbers", "bonus"))
        numbers = self._picks(bet, "numbers", self.drums.numbers, self.drums.picks)
        bonus = frozenset[int]() if second is None else self._picks(bet, "bonus", second[0], second[2])
        return LotteryLine(numbers, bonus, first, self.drums, self.pays)

    def _picks(self, bet: BetFields, key: str, numbers: int, picks: int) -> frozenset[int]:
        first = self.first_number
        found = bet_numbers(bet, first, first + numbers - 1, picks, key)
        if len(found) != picks:
            raise BetError(f"$.{key}", f"a line has {picks} numbers here, got {len(found)}")
        return frozenset(number - first for number in found)

    def listed_bets(self) -> Sequence[tuple[str, Priced]]:
        """List the first line there is; which numbers are picked changes nothing."""
        bonus = 0 if self.drums.second is None else self.drums.second[2]
        picks = frozenset(range(self.drums.picks)), frozenset(range(bonus))
        return [("line", LotteryLine(*picks, self.first_number, self.drums, self.pays))]


def read_lottery(settlement: Node, steps_node: Node, steps: Sequence[Step]) -> LotteryModel:
    """Read ``{"model": "lottery", "first_number": 1, "picks": 6, "bonus_drawn": 1, "prizes": […]}``.

    With two samples ``bonus_picks`` takes the place of ``bonus_drawn``. A prize is ``{"hits", "bonus", "pays"}``;
    without ``bonus`` it is paid whatever the bonus numbers are.
    """
    fields = settlement.fields(("model", "first_number", "picks", "prizes"), ("bonus_drawn", "bonus_picks"))
    drums = _drums(fields, settlement, steps_node, steps)
    pays: dict[Class, Fraction] = {}
    for node in fields["prizes"].items(1, MAX_CLASSES):
        prize = node.fields(("hits", "pays"), ("bonus",))
        hits = prize["hits"].integer(0, drums.picks)
        bonus = prize["bonus"].integer(0, MAX_PICKS) if "bonus" in prize else None
        classes = [(hits, found) for found in range(MAX_PICKS + 1) if bonus in {None, found}]
        classes = [found for found in classes if drums.chance(*found)]
        if not classes:
            node.fail("no draw gives these hits")
        for found in classes:
            if found in pays:
                node.fail(f"{found[0]} hits with {found[1]} on the bonus numbers have a prize already")
            pays[found] = prize["pays"].multiplier()
    return LotteryModel(fields["first_number"].integer(0, 1_000_000), drums, pays)


def _drums(fields: Mapping[str, Node], settlement: Node, steps_node: Node, steps: Sequence[Step]) -> Drums:
    match steps:
        case [Sample(n, m)] if m <= MAX_DRAWN:
            if "bonus_picks" in fields:
                fields["bonus_picks"].fail("there is no second sample to pick bonus numbers of")
            most = min(m - 1, MAX_PICKS)
            bonus = fields["bonus_drawn"].integer(1, most) if "bonus_drawn" in fields else 0
            return Drums(n, m - bonus, bonus, fields["picks"].integer(1, min(n, MAX_PICKS)), None)
        case [Sample(n, m), Sample(other, drawn)] if max(m, drawn) <= MAX_DRAWN:
            if "bonus_drawn" in fields:
                fields["bonus_drawn"].fail("the bonus numbers are the second sample here")
            if "bonus_picks" not in fields:
                settlement.fail("the key 'bonus_picks' is missing: there is a second sample")
            second = other, drawn, fields["bonus_picks"].integer(1, min(other, MAX_PICKS))
            return Drums(n, m, 0, fields["picks"].integer(1, min(n, MAX_PICKS)), second)
    raise GameError(
        steps_node.path,
        f"this settlement model needs one sample, or two, the main and the bonus drum, of at most {MAX_DRAWN} numbers",
    )


def _hypergeometric(numbers: int, drawn: int, picks: int, hits: int) -> Fraction:
    """Return the chance that ``hits`` of the picks are among the drawn."""
    if not 0 <= hits <= min(picks, drawn) or max(picks, drawn) > numbers:
        return Fraction(0)
    return Fraction(comb(picks, hits) * comb(numbers - picks, drawn - hits), comb(numbers, drawn))


def _after_ball(
    chances: Mapping[Class, Fraction], place: int, balls: int, open_picks: Callable[[Class], int]
) -> dict[Class, Fraction]:
    """Return the chances after one more of ``balls`` was drawn, which may hit one of the picks not yet hit."""
    found: dict[Class, Fraction] = {}
    for has, chance in chances.items():
        hit = Fraction(open_picks(has), balls)
        following = (has[0] + 1, has[1]) if place == 0 else (has[0], has[1] + 1)
        for reached, share in ((following, hit), (has, 1 - hit)):
            if share:
                found[reached] = found.get(reached, Fraction(0)) + chance * share
    return found


MODEL = ModelKind(
    "lottery",
    read_lottery,
    {
        "required": ["first_number", "picks", "prizes"],
        "properties": {
            "first_number": {"type": "integer", "minimum": 0, "maximum": 1000000},
            "picks": {"type": "integer", "minimum": 1, "maximum": MAX_PICKS},
            "bonus_drawn": {"type": "integer", "minimum": 1, "maximum": MAX_PICKS},
            "bonus_picks": {"type": "integer", "minimum": 1, "maximum": MAX_PICKS},
            "prizes": {
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_CLASSES,
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["hits", "pays"],
                    "properties": {
                        "hits": {"type": "integer", "minimum": 0, "maximum": MAX_PICKS},
                        "bonus": {"type": "integer", "minimum": 0, "maximum": MAX_PICKS},
                        "pays": {"$ref": "#/$defs/multiplier"},
                    },
                },
            },
        },
    },
)
