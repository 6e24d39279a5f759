"""Settlement model "mines": tiles hide mines; every safe tile that is opened raises the prize, a mine takes it.

The mines lie where one `sample` of m among n tiles puts them. After k safe tiles the prize is rtp / P(k safe), an exact
fraction, so that every moment to stop has the same return; with a ``grid`` it is rounded down to a multiple of it.
How many mines there are is the program's: it is chosen with the draw, before anything is known.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb

from anchor.canonical import JSONValue
from rng_service.games.errors import BetError, shown
from rng_service.games.models.base import (
    Bet,
    BetFields,
    ModelKind,
    Priced,
    Strategy,
    bet_name,
    only_fields,
    only_step,
)
from rng_service.games.prizes import PrizeDistribution, winning
from rng_service.games.reading import Node
from rng_service.outcome import Sample, Step
from rng_service.outcome.primitives import Outcome

# A list of all tiles has to fit into a bet.
MAX_TILES = 256
_LOST = Fraction(0)
# The name of a bet, and of the list of tiles in it.
_LISTS: Mapping[str, str] = {"mines": "picks", "at-once": "tiles"}


@dataclass(frozen=True, slots=True)
class OpenedTiles:
    """Tiles opened one after the other, and the stop behind the last: told when the round is over."""

    picks: tuple[int, ...]
    pays: Fraction

    @property
    def canonical(self) -> dict[str, JSONValue]:
        """The bet as it is recorded, tiles in the order opened."""
        return {"bet": "mines", "picks": list(self.picks)}

    @property
    def decisions(self) -> Sequence[JSONValue]:
        """The tiles in the order opened."""
        return self.picks

    @property
    def highest(self) -> Fraction:
        """The prize when all of them are safe."""
        return self.pays

    def multiplier(self, outcome: Outcome) -> Fraction:
        """Return the prize for so many safe tiles; raises BetError when a tile was opened behind a mine."""
        for position, tile in enumerate(self.picks, 1):
            if tile in outcome:
                if position < len(self.picks):
                    raise BetError(f"$.picks[{position}]", f"the round ended before it: tile {tile} is a mine")
                return _LOST
        return self.pays


@dataclass(frozen=True, slots=True)
class TilesAtOnce:
    """Tiles that are chosen before the draw and opened together."""

    tiles: frozenset[int]
    chance: Fraction
    pays: Fraction

    @property
    def canonical(self) -> dict[str, JSONValue]:
        """The bet as it is recorded, tiles ascending."""
        return {"bet": "at-once", "tiles": sorted(self.tiles)}

    @property
    def alike(self) -> Hashable:
        """The number of tiles: which they are changes nothing."""
        return len(self.tiles)

    @property
    def highest(self) -> Fraction:
        """The prize when all of them are safe."""
        return self.pays

    def multiplier(self, outcome: Outcome) -> Fraction:
        """Return the prize when no tile is a mine."""
        return self.pays if self.tiles.isdisjoint(outcome) else _LOST

    def rtp(self) -> Fraction:
        """Return the chance times the prize."""
        return self.chance * self.pays

    def prizes(self) -> PrizeDistribution:
        """Return the two-point distribution."""
        return winning({self.pays: self.chance})


@dataclass(frozen=True, slots=True)
class MinesModel:
    """The field, and what k = 1, 2, … safe tiles pay."""

    step: Sample
    pays: tuple[Fraction, ...]

    def resolve(self, bet: BetFields) -> Bet:
        """Take ``{"bet": "mines", "picks": […]}`` in the order opened, or ``{"bet": "at-once", "tiles": […]}``."""
        name = bet_name(bet, _LISTS)
        key = _LISTS[name]
        only_fields(bet, ("bet", key))
        tiles = self._tiles(bet[key], f"$.{key}")
        pays = self.pays[len(tiles) - 1]
        if name == "mines":
            return OpenedTiles(tiles, pays)
        return TilesAtOnce(frozenset(tiles), self._chance(len(tiles)), pays)

    def _tiles(self, value: JSONValue, path: str) -> tuple[int, ...]:
        most = len(self.pays)
        if not isinstance(value, list | tuple) or not 1 <= len(value) <= most:
            raise BetError(path, f"expected an array of 1 to {most} tiles, got {shown(value)}")
        seen: dict[int, None] = {}
        for position, tile in enumerate(value):
            if type(tile) is not int or not 0 <= tile < self.step.n:
                raise BetError(f"{path}[{position}]", f"expected a tile from 0 to {self.step.n - 1}, got {shown(tile)}")
            if tile in seen:
                raise BetError(f"{path}[{position}]", f"tile {tile} is open already")
            seen[tile] = None
        return tuple(seen)

    def _chance(self, opened: int) -> Fraction:
        return safe_chance(self.step, opened)

    def listed_bets(self) -> Sequence[tuple[str, Priced]]:
        """List for each k the strategy of opening k tiles and stopping there."""
        return [(f"open-{opened:03d}", self._strategy(opened, pays)) for opened, pays in enumerate(self.pays, 1)]

    def _strategy(self, opened: int, pays: Fraction) -> Strategy:
        # Tile by tile, where the bet that opens all at once takes the binomials.
        safe = Fraction(1)
        for before in range(opened):
            safe *= Fraction(self.step.n - self.step.m - before, self.step.n - before)
        return Strategy(f"open-{opened:03d}", self._chance(opened) * pays, winning({pays: safe}))


def safe_chance(step: Sample, opened: int) -> Fraction:
    """Return the probability that ``opened`` given tiles have no mine among them."""
    return Fraction(comb(step.n - opened, step.m), comb(step.n, step.m))


def read_mines(settlement: Node, steps_node: Node, steps: Sequence[Step]) -> MinesModel:
    """Read ``{"model": "mines", "rtp": "97/100"}``, and ``grid`` where prizes are rounded down."""
    fields = settlement.fields(("model", "rtp"), ("grid",))
    step = only_step(steps_node, steps, Sample, "a sample of m mines among n tiles")
    if step.n > MAX_TILES or step.m >= step.n:
        steps_node.fail(f"this settlement model needs at most {MAX_TILES} tiles, and fewer mines than tiles")
    target = fields["rtp"].multiplier()
    if target > 1:
        fields["rtp"].fail(f"the return to player is at most 1, got {target}")
    exact = [target / safe_chance(step, opened) for opened in range(1, step.n - step.m + 1)]
    grid = fields["grid"].multiplier() if "grid" in fields else None
    pays = tuple(value if grid is None else value // grid * grid for value in exact)
    if pays[0] <= 1:
        place = fields["rtp"] if exact[0] <= 1 else fields["grid"]
        place.fail(f"the first safe tile would pay {pays[0]}, no more than the stake")
    return MinesModel(step, pays)


MODEL = ModelKind(
    "mines",
    read_mines,
    {
        "required": ["rtp"],
        "properties": {"rtp": {"$ref": "#/$defs/multiplier"}, "grid": {"$ref": "#/$defs/multiplier"}},
    },
)
