"""What a settlement model is: it reads its part of a definition, takes bets, and knows their mathematics."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, TypeVar, runtime_checkable

from anchor.canonical import JSONValue
from rng_service.games.errors import BetError, nearest, shown
from rng_service.games.prizes import PrizeDistribution
from rng_service.games.reading import Node
from rng_service.outcome import Step
from rng_service.outcome.primitives import Outcome

BetFields = Mapping[str, JSONValue]
_StepKind = TypeVar("_StepKind", bound=Step)


class Bet(Protocol):
    """A bet that was validated against its program; what is settled."""

    @property
    def canonical(self) -> dict[str, JSONValue]:
        """The one form in which this bet is recorded."""

    @property
    def highest(self) -> Fraction:
        """The largest multiplier that any outcome gives, or a bound above it; stakes are limited by it."""

    def multiplier(self, outcome: Outcome) -> Fraction:
        """Return what the outcome pays back for each unit staked, the stake included; 0 is a loss."""


@runtime_checkable
class Priced(Protocol):
    """Something whose return is known exactly: a bet without later decisions, or a strategy for the others."""

    @property
    def canonical(self) -> dict[str, JSONValue]:
        """The bet as it is recorded, or ``{"strategy": name}``."""

    def rtp(self) -> Fraction:
        """Return the exact return to player of one draw, by the cheapest way there is."""

    def prizes(self) -> PrizeDistribution:
        """Return the whole distribution; its mean equals `rtp`, reached by another way where there is one."""


@runtime_checkable
class Contributing(Protocol):
    """A priced bet whose return has parts that are worth showing, such as lines and scatters."""

    def contributions(self) -> Mapping[str, Fraction]:
        """Return the parts of `Priced.rtp` by name; they sum to it."""


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a paytable: what it pays for each unit staked, how often in one draw, and what that returns.

    ``chance`` is the expected number of times (a slot's spin can hit a combination on several lines at once).
    """

    name: str
    pays: Fraction
    chance: Fraction
    returned: Fraction


@runtime_checkable
class Itemised(Protocol):
    """A priced bet that can be taken apart along its paytable."""

    def breakdown(self) -> Sequence[Item]:
        """Return the lines of the paytable; what they return sums to `Priced.rtp`."""


@runtime_checkable
class FollowingBet(Protocol):
    """A bet that only makes sense after what the previous step of its round showed (hi-lo's card on the table)."""

    @property
    def follows(self) -> Outcome:
        """The outcome that the previous step must have had."""


@runtime_checkable
class DecidedBet(Protocol):
    """A bet that tells what the player decided in sight of the outcome: it is made at the settlement, not at the draw.

    Its `multiplier` raises BetError, with the path of the decision, where the outcome does not allow one.
    """

    @property
    def decisions(self) -> Sequence[JSONValue]:
        """The decisions in the order taken."""


@runtime_checkable
class RaisingBet(Protocol):
    """A bet that the player may raise in sight of the outcome (doubling, splitting): for settlements of a fixed stake.

    Its `multiplier` is that of the whole stake, ``stakes`` times what the draw fixed.
    """

    @property
    def stakes(self) -> Fraction:
        """How many times the stake of the draw it plays for, at least 1; an insurance adds a half."""


@runtime_checkable
class AwardingBet(Protocol):
    """A bet whose outcome may give the player draws of other programs of the game, such as free spins."""

    def awards(self, outcome: Outcome) -> Mapping[str, int]:
        """Return how many draws of which feature programs the outcome gives; programs without any are left out."""


@runtime_checkable
class AwardingPrice(Protocol):
    """The joint chances of what one draw pays and what it awards."""

    def joint(self) -> Mapping[tuple[Fraction, tuple[tuple[str, int], ...]], Fraction]:
        """Return (multiplier, awards sorted by program) → probability; the probabilities sum to 1."""


@runtime_checkable
class AwardingModel(Protocol):
    """A model that names feature programs of the same game."""

    @property
    def feature_programs(self) -> Collection[str]:
        """The programs whose draws it may award."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """A way of playing a game with decisions, and what it returns exactly."""

    name: str
    returned: Fraction
    distribution: PrizeDistribution

    @property
    def canonical(self) -> dict[str, JSONValue]:
        """The strategy by its name; it is no bet that could be placed."""
        return {"strategy": self.name}

    def rtp(self) -> Fraction:
        """Return the exact return."""
        return self.returned

    def prizes(self) -> PrizeDistribution:
        """Return the probability of each multiplier."""
        return self.distribution


class SettlementModel(Protocol):
    """One way of turning outcomes into money, configured by a game definition."""

    def resolve(self, bet: BetFields) -> Bet:
        """Validate a bet, an object with at least the key ``bet``; raises BetError with the path."""

    def listed_bets(self) -> Sequence[tuple[str, Priced]]:
        """Return what the published theory lists, each under a label that is unique in the program."""


class ModelReader(Protocol):
    """How a model is read: from its ``settlement`` object and the program's steps."""

    def __call__(self, settlement: Node, steps_node: Node, steps: Sequence[Step]) -> SettlementModel:
        """Return the model; raises GameError with the path of the field that does not hold."""


@dataclass(frozen=True, slots=True)
class ModelKind:
    """A settlement model as its file offers it, under the name ``MODEL``.

    ``schema`` is the JSON Schema of the settlement object's members, without ``model``: a mapping with
    ``required``, ``properties`` and whatever else relates them.
    """

    name: str
    read: ModelReader
    schema: Mapping[str, JSONValue]


def only_step(node: Node, steps: Sequence[Step], kind: type[_StepKind], words: str) -> _StepKind:
    """Return the single step of a program that must be of ``kind``, described by ``words`` otherwise."""
    if len(steps) != 1 or not isinstance(steps[0], kind):
        node.fail(f"this settlement model needs exactly one step, {words}")
    return steps[0]


def bet_name(bet: BetFields, known: Collection[str]) -> str:
    """Return the kind of bet that ``bet`` names, one of ``known``."""
    name = bet.get("bet")
    if not isinstance(name, str) or name not in known:
        raise BetError("$.bet", f"{shown(name)} is not a bet of this program; {nearest(str(name), known)}")
    return name


def only_fields(bet: BetFields, known: tuple[str, ...]) -> None:
    """Demand exactly the keys ``known``, the key ``bet`` among them."""
    if len(bet) == len(known) and all(key in bet for key in known):
        return
    for key in bet:
        if key not in known:
            raise BetError(f"$.{key[:64]}", f"unknown key; {nearest(key, known)}")
    missing = next(key for key in known if key not in bet)
    raise BetError("$", f"the key {missing!r} is missing")


def bet_integer(bet: BetFields, key: str, low: int, high: int) -> int:
    """Return the integer under ``key``, from ``low`` to ``high``."""
    value = bet[key]
    if type(value) is not int or not low <= value <= high:
        raise BetError(f"$.{key}", f"expected an integer from {low} to {high}, got {shown(value)}")
    return value


def bet_numbers(bet: BetFields, low: int, high: int, longest: int, key: str = "numbers") -> tuple[int, ...]:
    """Return the different integers under ``key``, each from ``low`` to ``high``, in ascending order."""
    numbers = bet[key]
    if not isinstance(numbers, list | tuple) or not 1 <= len(numbers) <= longest:
        raise BetError(f"$.{key}", f"expected an array of 1 to {longest} numbers, got {shown(numbers)}")
    for position, number in enumerate(numbers):
        if type(number) is not int or not low <= number <= high:
            raise BetError(f"$.{key}[{position}]", f"expected a number from {low} to {high}, got {shown(number)}")
    ascending = tuple(sorted(numbers))
    if len(set(ascending)) < len(ascending):
        raise BetError(f"$.{key}", "the same number stands here twice")
    return ascending
