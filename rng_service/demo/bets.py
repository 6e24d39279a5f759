"""What the demo's players bet, and what theory says about it."""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import cycle
from typing import Final

from rng_service.games import GameDefinition, payout, theory

__all__ = ["Bet", "BetBook", "Play"]

PROGRAM: Final = "base"
CURRENCY: Final = "EUR"
STAKES: Final = (50, 100, 200)
# The bets that are played in each game, among those that the theory lists.
_PLAYED: Final[Mapping[str, tuple[str, ...]]] = {
    "european-roulette": ("red", "black", "dozen", "column", "street", "split"),
    "dice-99": ("over:4999", "under:5000", "under:9800"),
    "keno-80": ("pick-1", "pick-2", "pick-3"),
    "fruit-lines": ("spin",),
}


@dataclass(frozen=True, slots=True)
class Bet:
    """A bet as it is sent, its exact return and the standard deviation of what it pays, for one unit staked."""

    game: str
    text: str
    rtp: Fraction
    deviation: float


@dataclass(frozen=True, slots=True)
class Play:
    """One bet with its stake."""

    bet: Bet
    stake_minor: int


class BetBook:
    """Picks plays at random; the players' randomness has nothing to do with that of the outcomes."""

    def __init__(self, games: list[GameDefinition], choice: random.Random) -> None:
        self._choice = choice
        self.games = tuple(game.game for game in games)
        self._definitions = {game.game: game for game in games}
        self._bets = {game.game: _bets(game) for game in games}
        self._turns: dict[str, cycle[str]] = {}

    def play(self, game: str) -> Play:
        """Return a bet of ``game`` with a stake."""
        return Play(self._choice.choice(self._bets[game]), self._choice.choice(STAKES))

    def payout(self, play: Play, outcome: tuple[int, ...]) -> int:
        """Return what ``play`` pays on ``outcome``, by the game's own definition."""
        return payout(self._definitions[play.bet.game], PROGRAM, json.loads(play.bet.text), play.stake_minor, outcome)

    def any_game(self) -> str:
        """Return one of the games."""
        return self._choice.choice(self.games)

    def turn(self, kind: str) -> str:
        """Return the game whose turn it is among those played as ``kind``, so that none is left out by chance."""
        return next(self._turns.setdefault(kind, cycle(self.games)))


def _bets(game: GameDefinition) -> list[Bet]:
    listed = theory(game)["programs"][PROGRAM]["bets"]
    return [
        Bet(
            game.game,
            json.dumps(listed[label]["bet"], separators=(",", ":")),
            Fraction(listed[label]["rtp"]),
            listed[label]["standard_deviation"],
        )
        for label in _PLAYED[game.game]
    ]
