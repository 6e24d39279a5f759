"""The collision estimate for bits, SP 800-90B section 6.3.2."""

import re
from math import log2, sqrt
from typing import Final

from stats_tests.entropy.results import Z_ALPHA, Estimate
from stats_tests.entropy.symbols import Symbols

__all__ = ["collision"]

_NAME: Final = "collision"
# From where one stands, how far until a value was seen twice: two equal bits, or two different ones and any third.
_UNTIL_COLLISION: Final = re.compile(rb"\x00\x00|\x01\x01|\x00\x01.|\x01\x00.", re.DOTALL)


def collision(symbols: Symbols) -> Estimate:
    """Estimate from the mean time until a bit comes again; raises ValueError for anything but bits.

    The mean is 2 + 2 p (1 - p) for a probability p of the likelier bit, which one solves for p: step 7 of the
    publication in closed form.
    """
    symbols.require_binary()
    rest, collisions = _UNTIL_COLLISION.subn(b"", symbols.values.tobytes())
    if collisions < 2:
        return Estimate(_NAME, None, reason=f"{len(symbols)} bits have fewer than two collisions")
    total = len(symbols) - len(rest)
    # Times are 2 or 3, so their sum tells how many there are of each, and the sum of their squares.
    squares = 5 * total - 6 * collisions
    mean = total / collisions
    deviation = sqrt((squares - total * mean) / (collisions - 1))
    bound = max(2.0, mean - Z_ALPHA * deviation / sqrt(collisions))
    # Times longer than those of fair coins say nothing against the source.
    guess = 0.5 + sqrt(1.25 - 0.5 * bound) if bound < 2.5 else 0.5
    statistics = {"v": collisions, "mean": mean, "deviation": deviation, "bound": bound, "p": guess}
    return Estimate(_NAME, -log2(guess) + 0.0, statistics)
