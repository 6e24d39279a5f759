"""The game server's own books: what it staked and was paid, to be held against the totals that the log publishes."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
from threading import Lock
from typing import Final

from rng_service.client import Receipt
from rng_service.demo.bets import Play

__all__ = ["Books", "GameBook"]

_NORMAL_99: Final = 2.5758293035489004


@dataclass(slots=True)
class GameBook:
    """One game: how often it was played, for how much, what came back, and what theory expected."""

    outcomes: int = 0
    plays: int = 0
    stake_minor: int = 0
    payout_minor: int = 0
    expected_minor: Fraction = Fraction(0)
    variance: float = 0.0

    @property
    def theoretical(self) -> Fraction:
        """The return that theory gives for exactly the bets that were played."""
        return self.expected_minor / self.stake_minor if self.stake_minor else Fraction(0)

    @property
    def realised(self) -> Fraction:
        """The return that came out."""
        return Fraction(self.payout_minor, self.stake_minor) if self.stake_minor else Fraction(0)

    @property
    def band(self) -> float:
        """How far from theory 99 of 100 such runs stay."""
        return _NORMAL_99 * sqrt(self.variance) / self.stake_minor if self.stake_minor else 0.0


class Books:
    """Counts what all players did; shared by their threads."""

    def __init__(self, games: Iterable[str]) -> None:
        self.games = {game: GameBook() for game in games}
        self.labels: Counter[tuple[str, str, str]] = Counter()
        self.development_beacon = 0
        self.kinds: Counter[str] = Counter()
        self._lock = Lock()

    @property
    def draws(self) -> int:
        """How many outcomes were drawn."""
        return sum(book.outcomes for book in self.games.values())

    def drawn(self, kind: str, receipt: Receipt, play: Play | None) -> None:
        """Count a draw; ``play`` is what each of its outcomes was played for, None when that is settled later."""
        game = receipt.pool_id.split("/")[1]
        protection = receipt.protection
        with self._lock:
            book = self.games[game]
            book.outcomes += receipt.count
            self.kinds[kind] += receipt.count
            self.labels[protection.content, protection.assignment, protection.foreseen] += receipt.count
            self.development_beacon += receipt.count * protection.development_beacon
            if play is not None:
                self._played(book, play, receipt.count, sum(receipt.payouts_minor or ()))

    def settled(self, play: Play, payout_minor: int) -> None:
        """Count a settlement."""
        with self._lock:
            self.kinds["settlements"] += 1
            self._played(self.games[play.bet.game], play, 1, payout_minor)

    def count(self, kind: str, number: int = 1) -> None:
        """Count something else that happened."""
        with self._lock:
            self.kinds[kind] += number

    @staticmethod
    def _played(book: GameBook, play: Play, plays: int, payout_minor: int) -> None:
        book.plays += plays
        book.stake_minor += plays * play.stake_minor
        book.payout_minor += payout_minor
        book.expected_minor += plays * play.stake_minor * play.bet.rtp
        book.variance += plays * (play.bet.deviation * play.stake_minor) ** 2
