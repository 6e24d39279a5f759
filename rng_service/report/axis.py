"""Axes of plots: from values to positions, with round ticks."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import ceil, floor, log10

_MOST_TICKS = 8


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: what it shows, from ``low`` to ``high``, and the ticks (value, text) on it."""

    label: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    logarithmic: bool = False

    def position(self, value: float) -> float:
        """Return where ``value`` stands, 0 at ``low`` and 1 at ``high``; values beyond the ends stand at them."""
        low, high = self.low, self.high
        value = min(max(value, low), high)
        if self.logarithmic:
            return log10(value / low) / log10(high / low)
        return (value - low) / (high - low)


def axis_for(label: str, values: Iterable[float], *, show: Callable[[float], str] = "{:g}".format) -> Axis:
    """Return a linear axis that holds all ``values``, with about five round ticks; ``show`` writes them."""
    found = list(values)
    low, high = min(found), max(found)
    if low == high:
        low, high = low - 1, high + 1
    step = _round_step((high - low) / 5)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    ticks = tuple((number * step, show(round(number * step, 12))) for number in range(first, last + 1))
    return Axis(label, first * step, last * step, ticks)


def log_axis(label: str, values: Iterable[float], *, show: Callable[[float], str] = "{:g}".format) -> Axis:
    """Return a logarithmic axis over whole decades that holds all ``values``, which are above 0."""
    found = list(values)
    first, last = floor(log10(min(found)) + 1e-9), ceil(log10(max(found)) - 1e-9)
    if first == last:
        last += 1
    every = ceil((last - first) / _MOST_TICKS)
    ticks = tuple((10.0**power, show(10.0**power)) for power in range(first, last + 1, every))
    return Axis(label, 10.0**first, 10.0**last, ticks, logarithmic=True)


def _round_step(wanted: float) -> float:
    """Return the least of 1, 2, 5 times a power of ten that is not below ``wanted``."""
    power = 10.0 ** floor(log10(wanted))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= wanted * (1 - 1e-9))
