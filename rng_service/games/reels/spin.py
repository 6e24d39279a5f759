"""The one bet of a slot on reels: settled in a few microseconds, and everything about it known exactly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from math import prod
from typing import Protocol

from anchor.canonical import JSONValue
from rng_service.games.errors import GameError
from rng_service.games.models.base import Bet, BetFields, Item, Priced, bet_name, only_fields
from rng_service.games.prizes import PrizeDistribution
from rng_service.games.reels.counting import Awards, Counting
from rng_service.games.reels.windows import Reel
from rng_service.outcome.primitives import Outcome

_BETS = ("spin",)


@dataclass(frozen=True, slots=True)
class Hit:
    """A combination that pays: its prize in units, and how often it comes in one spin."""

    name: str
    units: int
    chance: Fraction


class Combinations(Protocol):
    """What pays beside the scatters: lines, or ways. Prizes and awards are packed (`counting`)."""

    @property
    def name(self) -> str:
        """The name of its part of the return."""

    def won(self, outcome: Outcome) -> int:
        """Return what the stops pay and award."""

    def totals(self) -> Mapping[int, int]:
        """Return packed total, scatters included → weight of the stops; raises GameError as `convolution`."""

    def hits(self) -> Sequence[Hit]:
        """Return all combinations, by linearity: without the distribution of a spin."""

    def highest(self) -> int:
        """Return a bound of what they pay together, in units."""


@dataclass(frozen=True)
class Spin:
    """All lines or ways for the whole stake; prizes are in units of 1 / ``scale`` of it."""

    reels: Sequence[Reel]
    combinations: Combinations
    counting: Counting
    scale: int
    _counted: Sequence[Sequence[int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_counted", [reel.counted for reel in self.reels])

    @property
    def canonical(self) -> dict[str, JSONValue]:
        """The bet as it is recorded."""
        return {"bet": "spin"}

    @cached_property
    def highest(self) -> Fraction:
        """The largest prize that can be won; a bound above it where the distribution is out of reach."""
        try:
            return self.prizes().top[0]
        except GameError:
            return Fraction(self.combinations.highest() + self.counting.highest(), self.scale)

    def multiplier(self, outcome: Outcome) -> Fraction:
        """Return the sum of all prizes, for each unit of the whole stake."""
        return Fraction(self._settled(outcome)[0], self.scale)

    def _settled(self, outcome: Outcome) -> tuple[int, Awards]:
        packed = self.combinations.won(outcome)
        for counted, stop in zip(self._counted, outcome, strict=True):
            packed += counted[stop]
        return self.counting.settled(packed)

    def rtp(self) -> Fraction:
        """Return the mean of one draw by linearity."""
        return sum((item.returned for item in self.breakdown()), Fraction(0))

    def prizes(self) -> PrizeDistribution:
        """Return the distribution of the whole spin; counted once, then kept.

        Raises GameError where it is out of reach (`convolution`).
        """
        return self._prizes

    @cached_property
    def _prizes(self) -> PrizeDistribution:
        found: dict[int, int] = {}
        for (units, _), ways in self._joint.items():
            found[units] = found.get(units, 0) + ways
        return PrizeDistribution(
            {Fraction(units, self.scale): Fraction(ways, self._stops) for units, ways in found.items()}
        )

    @property
    def _joint(self) -> Mapping[tuple[int, Awards], int]:
        if isinstance(self._counted_out, GameError):
            raise GameError(self._counted_out.path, self._counted_out.message)
        return self._counted_out

    @cached_property
    def _counted_out(self) -> Mapping[tuple[int, Awards], int] | GameError:
        # That it is out of reach is kept too: finding out again would take as long again.
        found: dict[tuple[int, Awards], int] = {}
        try:
            totals = self.combinations.totals()
        except GameError as error:
            return error
        for packed, ways in totals.items():
            key = self.counting.settled(packed)
            found[key] = found.get(key, 0) + ways
        return found

    @cached_property
    def _stops(self) -> int:
        return prod(reel.total for reel in self.reels)

    def contributions(self) -> Mapping[str, Fraction]:
        """Return what lines or ways return, and each scatter."""
        returned = sum((item.returned for item in self._combined), Fraction(0))
        found = {self.combinations.name: returned}
        for position, rule in enumerate(self.counting.rules):
            if rule.pays:
                items = self._scattered(position)
                found[f"scatter {rule.name}"] = sum((item.returned for item in items), Fraction(0))
        return found

    def breakdown(self) -> Sequence[Item]:
        """Return every combination that can come, with its prize, its chance and what it returns."""
        scattered = [item for position in range(len(self.counting.rules)) for item in self._scattered(position)]
        return [*self._combined, *scattered]

    @cached_property
    def _combined(self) -> Sequence[Item]:
        return [self._item(hit) for hit in self.combinations.hits()]

    def _scattered(self, position: int) -> Sequence[Item]:
        rule = self.counting.rules[position]
        chances = self.counting.chances(position, self.reels) if rule.pays else {}
        return [
            self._item(Hit(f"{count} {rule.name} anywhere", rule.pays[count], chance))
            for count, chance in sorted(chances.items())
            if count in rule.pays and chance
        ]

    def _item(self, hit: Hit) -> Item:
        pays = Fraction(hit.units, self.scale)
        return Item(hit.name, pays, hit.chance, pays * hit.chance)


@dataclass(frozen=True)
class AwardingSpin(Spin):
    """A spin that can award draws of feature programs."""

    def awards(self, outcome: Outcome) -> Mapping[str, int]:
        """Return the draws that the outcome awards, by program."""
        return dict(self._settled(outcome)[1])

    def joint(self) -> Mapping[tuple[Fraction, Awards], Fraction]:
        """Return (multiplier, awards) → probability; errors as for `prizes`."""
        return {
            (Fraction(units, self.scale), awards): Fraction(ways, self._stops)
            for (units, awards), ways in self._joint.items()
        }


@dataclass(frozen=True, slots=True)
class SpinModel:
    """A slot, which takes one bet."""

    spin: Spin
    feature_programs: Sequence[str]

    def resolve(self, bet: BetFields) -> Bet:
        """Take ``{"bet": "spin"}``."""
        bet_name(bet, _BETS)
        only_fields(bet, ("bet",))
        return self.spin

    def listed_bets(self) -> Sequence[tuple[str, Priced]]:
        """List the spin."""
        return [("spin", self.spin)]
