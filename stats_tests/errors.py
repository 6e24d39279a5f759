"""What can go wrong in front of a battery.

StatsError                 everything this package raises about its input
└── InputError             the bits cannot be used as they are: the caller must bring others, or say what they are
"""

__all__ = ["InputError", "StatsError"]


class StatsError(Exception):
    """Something about the input of a battery is wrong; the message says what was expected, found, and what to do."""


class InputError(StatsError):
    """The bits cannot be used: empty, shorter than one sequence, or text where raw bytes are read."""
