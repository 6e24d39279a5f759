"""What a draw is played for, and who plays it, as the service is told."""

from collections.abc import Mapping
from dataclasses import dataclass

from sealdraw.v1 import types_pb2


@dataclass(frozen=True, slots=True)
class Wager:
    """What one outcome is played for; ``bet`` as in docs/games.md, empty where the payout is settled later."""

    stake_minor: int
    currency: str
    bet: str = ""


def tags_message(tags: Mapping[str, str] | None) -> types_pb2.Tags | None:
    """Return the message of tags; raises ValueError for names that there are not."""
    return types_pb2.Tags(**tags) if tags else None


def wager_message(wager: Wager | None) -> types_pb2.Wager | None:
    """Return the message of a wager."""
    if wager is None:
        return None
    return types_pb2.Wager(stake_minor=wager.stake_minor, currency=wager.currency, bet=wager.bet)
