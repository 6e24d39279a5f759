"""A root of a falling function, to the last bit of a float."""

from collections.abc import Callable

__all__ = ["falling_root"]


def falling_root(function: Callable[[float], float], target: float, low: float, high: float) -> float:
    """Return x in ``low`` … ``high`` with function(x) = ``target``; ``low`` when it is no more than that already there.

    Halves until no float lies between the ends. The function at ``high`` is taken to be at most the target.
    """
    if function(low) <= target:
        return low
    while low < (middle := (low + high) / 2.0) < high:
        if function(middle) > target:
            low = middle
        else:
            high = middle
    return high
