"""Cards as numbers: card c has the rank c mod 13 (ace, two, … king) and the suit (c div 13) mod 4.

Card 52 · d + k of a shoe is card k of its deck d, so that a `sample` or `shuffle` of 52 · D draws from D decks.
"""

from typing import Final

RANKS: Final = "A23456789TJQK"
ACE, JACK, KING = 0, 10, 12
DECK: Final = 52


def rank(card: int) -> int:
    """Return the rank of a card: 0 is the ace, 12 the king."""
    return card % 13


def suit(card: int) -> int:
    """Return the suit of a card, 0 to 3."""
    return card // 13 % 4
