"""What a bet is expected to return: exact mean, variance and hit frequency, kept for each bet of each program."""

from collections.abc import Hashable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, NamedTuple, Protocol, cast, runtime_checkable

from rng_service.games.definition import GameProgram
from rng_service.games.models import Bet, Priced
from rng_service.games.models.base import Strategy

__all__ = ["VARIANCE_UNIT", "Bounds", "Price", "PriceBook", "PricedAlike"]

VARIANCE_UNIT: Final = 1 << 64
"""Variances are added up in units of 2^-64, each bet's rounded up: a band never comes out narrower than it is."""

_MOST_BETS: Final = 65_536
# Whether a class of bets has the hook, asked once: asking each bet would cost more than its price.
_ALIKE: Final[dict[type[Bet], bool]] = {}


@runtime_checkable
class PricedAlike(Protocol):
    """A priced bet that knows which others of its program have the same distribution (keno: as many picks)."""

    @property
    def alike(self) -> Hashable:
        """Equal for bets of one program whose `prizes` are equal."""


class Bounds(NamedTuple):
    """What no bet of a program's published theory exceeds: fixed before anything is drawn."""

    highest: Fraction
    highest_mean: Fraction


@dataclass(frozen=True, slots=True, eq=False)
class Price:
    """One unit's worth of a bet. ``exact`` is false where the player decides: then a reference strategy's figures.

    ``variance`` is in units of 1 / VARIANCE_UNIT, rounded up. ``highest`` bounds the multiplier.
    """

    mean: Fraction
    variance: int
    hit_frequency: Fraction
    highest: Fraction
    exact: bool


class PriceBook:
    """The prices of one program's bets. Everything in it is a cache of what the definition says."""

    def __init__(self, program: GameProgram) -> None:
        self._program = program
        self._by_bet: dict[Hashable, Price | None] = {}
        self._reference: tuple[Price | None] | None = None
        self._bounds: Bounds | None = None

    @property
    def bounds(self) -> Bounds:
        """The largest prize and the largest mean, at least 1, of the bets that the program's theory lists."""
        if self._bounds is None:
            listed = [item.prizes() for _, item in self._program.model.listed_bets()]
            self._bounds = Bounds(
                max((prizes.top[0] for prizes in listed), default=Fraction(0)),
                max([Fraction(1), *(prizes.mean for prizes in listed)]),
            )
        return self._bounds

    def price(self, bet: Bet, key: Hashable) -> Price | None:
        """Return the price of ``bet``, None where nothing exact is known; ``key`` stands for the bet as recorded."""
        kind = type(bet)
        if kind not in _ALIKE:
            _ALIKE[kind] = isinstance(bet, PricedAlike)
        if _ALIKE[kind]:
            key = (kind, cast("PricedAlike", bet).alike)
        if key not in self._by_bet:
            if len(self._by_bet) >= _MOST_BETS:
                self._by_bet.clear()
            self._by_bet[key] = _exact(bet, bet.highest) if isinstance(bet, Priced) else self._by_strategy()
        return self._by_bet[key]

    def _by_strategy(self) -> Price | None:
        # Two strategies would be two answers to what the player should get back: then none is given.
        if self._reference is None:
            listed = [item for _, item in self._program.model.listed_bets() if isinstance(item, Strategy)]
            self._reference = (_of(listed[0], exact=False) if len(listed) == 1 else None,)
        return self._reference[0]


def _exact(bet: Priced, highest: Fraction) -> Price:
    found = _of(bet, exact=True)
    return Price(found.mean, found.variance, found.hit_frequency, max(highest, found.highest), exact=True)


def _of(item: Priced, *, exact: bool) -> Price:
    prizes = item.prizes()
    variance = prizes.variance * VARIANCE_UNIT
    return Price(
        mean=prizes.mean,
        variance=-(-variance.numerator // variance.denominator),
        hit_frequency=prizes.hit_frequency,
        highest=prizes.top[0],
        exact=exact,
    )
