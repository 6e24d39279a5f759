"""What can be wrong with a game or a bet, with the path of the field.

MalformedError          (anchor.errors)
└── GameError           the author of the game definition must act
    └── BetError        the game server that sent the bet must act
"""

from collections.abc import Iterable
from difflib import get_close_matches

from anchor.errors import MalformedError


class GameError(MalformedError):
    """A game definition that does not hold; ``path`` names the field, like ``$.programs.base.steps[0].n``."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message

    def __reduce__(self) -> "tuple[type[GameError], tuple[str, str]]":
        """Survive the way from one process to another."""
        return type(self), (self.path, self.message)


class BetError(GameError):
    """A bet or stake that the program does not take; ``path`` starts at the bet, like ``$.numbers[2]``."""


def shown(value: object) -> str:
    """Return ``value`` as an error may quote it: in one line, and short whatever was sent."""
    if isinstance(value, int) and value.bit_length() > 128:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, dict | list):
        return f"an {'object' if isinstance(value, dict) else 'array'} of {len(value)}"
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else ascii(value)
    text = "null" if value is None else text
    return text if len(text) <= 60 else f"{text[:60]}…"


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint at the known word closest to ``word``, or at all of them when none is close."""
    names = sorted(known)
    close = get_close_matches(word[:64], names, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known are {', '.join(names[:20])}" if names else "none is known here"
