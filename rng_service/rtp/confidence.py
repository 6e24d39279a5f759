"""Anytime-valid evidence about a realised return: an e-value against "as stated" and an interval for the difference.

Order does not matter: everything is computed from how often each (weight, multiplier, return) occurred, so an auditor
recomputes it from rollups. What is proved, and for which null hypothesis, is in docs/rtp.md §4.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import exp, inf, log, sqrt

from rng_service.rtp.betting import BetGrid, bet_grid, log_mean_exp, log_wealths

# An end of the interval is found to this share of its distance from the realised difference, and rounded outwards.
_PRECISION = 1e-5
_LARGEST_EXPONENT = 709.0
_LOG_2 = log(2)


@dataclass(frozen=True, slots=True)
class Cell:
    """``count`` plays with one weight, outcome and exact return.

    ``weight`` is in (0, 1] and fixed before the outcome: min(stake, unit) / unit for a unit of the row, or 1 for every
    play. ``multiplier`` is what came back for each unit staked, exact and before payouts are rounded down; ``expected``
    is the exact return of the bet played.
    """

    weight: Fraction
    multiplier: Fraction
    expected: Fraction
    count: int


class Evidence:
    """The plays of one row so far, and what they say about δ, realised less theoretical mean multiplier.

    ``highest`` is the largest multiplier of any bet of the row and ``highest_expected`` a bound on their returns, both
    fixed before the first play, as is the unit that weights refer to. `add` is the only change of state; the
    histogram is owned by the object and equal plays are one entry. Not for use by several threads at once.
    """

    def __init__(
        self,
        cells: Iterable[Cell] = (),
        *,
        highest: Fraction,
        highest_expected: Fraction = Fraction(1),
    ) -> None:
        self._highest = highest
        self._highest_expected = highest_expected
        self._grid = bet_grid(max(highest, highest_expected), highest_expected)
        # (weight, multiplier less return) is all that the wealth depends on: bets with the same surplus are one.
        self._plays: dict[tuple[Fraction, Fraction], int] = {}
        self._histogram: _Histogram | None = None
        self._log_e_value: float | None = None
        self.add(cells)

    def add(self, cells: Iterable[Cell]) -> None:
        """Add plays. Raises ValueError, and adds none, when a cell is outside the bounds fixed at the beginning."""
        added = list(cells)
        for cell in added:
            self._check(cell)
        for cell in added:
            if cell.count:
                key = (cell.weight, cell.multiplier - cell.expected)
                self._plays[key] = self._plays.get(key, 0) + cell.count
        self._histogram = self._log_e_value = None

    @property
    def plays(self) -> int:
        """The number of plays."""
        return sum(self._plays.values())

    @property
    def difference(self) -> Fraction | None:
        """The realised difference Σ w (x - r) / Σ w, exact; None before the first play."""
        weight = sum((weight * count for (weight, _), count in self._plays.items()), Fraction(0))
        surplus = sum((weight * surplus * count for (weight, surplus), count in self._plays.items()), Fraction(0))
        return surplus / weight if weight else None

    def log_e_value(self) -> float:
        """Return the natural logarithm of the e-value: 0 before the first play."""
        if self._log_e_value is None:
            self._log_e_value = self._current().log_wealth()
        return self._log_e_value

    def e_value(self) -> float:
        """Return the e-value against δ = 0; infinity past the range of floats."""
        log_e_value = self.log_e_value()
        return exp(log_e_value) if log_e_value <= _LARGEST_EXPONENT else inf

    def alarm(self, alpha: Fraction | float) -> bool:
        """Say whether the e-value is 1 / alpha or more: exactly when 0 is not strictly inside `interval`."""
        return self.log_e_value() >= _log_threshold(alpha)

    def interval(self, alpha: Fraction | float) -> tuple[float, float]:
        """Return (lo, hi): every δ that the evidence does not reject at ``alpha`` lies between them.

        The δ with wealth below 1 / alpha form an interval around the realised difference (docs/rtp.md §4.4); the ends
        are rounded outwards. Before there is evidence they are the bounds of δ themselves.
        """
        threshold = _log_threshold(alpha)
        difference = self.difference
        grid = self._grid
        if difference is None:
            return grid.lowest_difference, grid.highest_difference
        histogram = self._current()
        centre = float(difference)
        step = histogram.deviation() * sqrt(2 * (threshold + log(len(grid.higher) + len(grid.lower)))) or 1e-6

        def excess(delta: float) -> float:
            # The answer at 0 is the e-value's own, so that the interval and the alarm can never disagree. Elsewhere the
            # half of the wealth that bets against this end's side would add next to nothing: leaving it out is safe.
            if not delta:
                return self.log_e_value() - threshold
            half = histogram.log_higher(delta) if delta < centre else histogram.log_lower(delta)
            return half - _LOG_2 - threshold

        return (
            _end(excess, centre, grid.lowest_difference, step),
            _end(excess, centre, grid.highest_difference, step),
        )

    def _current(self) -> "_Histogram":
        if self._histogram is None:
            self._histogram = _Histogram(self._plays, self._grid)
        return self._histogram

    def _check(self, cell: Cell) -> None:
        if cell.count < 0:
            raise ValueError(f"a cell counts plays, not {cell.count}")
        if not 0 < cell.weight <= 1:
            raise ValueError(f"a weight is min(stake, unit) / unit, in (0, 1], not {cell.weight}")
        if not 0 <= cell.multiplier <= self._highest:
            raise ValueError(f"a multiplier of this row is in [0, {self._highest}], not {cell.multiplier}")
        if not 0 <= cell.expected <= self._highest_expected:
            raise ValueError(f"a return of this row is in [0, {self._highest_expected}], not {cell.expected}")


class _Histogram:
    """The plays as floats, ready for the wealth at any δ."""

    def __init__(self, plays: dict[tuple[Fraction, Fraction], int], grid: BetGrid) -> None:
        self._grid = grid
        self._counts = list(plays.values())
        self._weights = [float(weight) for weight, _ in plays]
        self._gains = [float(weight * surplus) for weight, surplus in plays]

    def log_wealth(self) -> float:
        """Return the logarithm of the whole wealth against δ = 0."""
        return log_mean_exp((self.log_higher(0.0), self.log_lower(0.0)))

    def log_higher(self, delta: float) -> float:
        """Return the logarithm of the wealth from bets on a higher return, of 1 at the start; it falls as δ rises."""
        if delta > self._grid.reach:
            return 0.0
        return log_mean_exp(list(log_wealths(self._grid.higher, self._counts, self._gains_against(delta))))

    def log_lower(self, delta: float) -> float:
        """Return the logarithm of the wealth from bets on a lower return, of 1 at the start; it rises with δ."""
        losses = [-gain for gain in self._gains_against(delta)]
        return log_mean_exp(list(log_wealths(self._grid.lower, self._counts, losses)))

    def _gains_against(self, delta: float) -> list[float]:
        if not delta:
            return self._gains
        return [gain - weight * delta for gain, weight in zip(self._gains, self._weights, strict=True)]

    def deviation(self) -> float:
        """Return roughly the standard deviation of the realised difference: where to begin looking for an end."""
        weight = sum(weight * count for weight, count in zip(self._weights, self._counts, strict=True))
        squares = sum(gain * gain * count for gain, count in zip(self._gains, self._counts, strict=True))
        return sqrt(squares) / weight


def _log_threshold(alpha: Fraction | float) -> float:
    if not 0 < alpha < 1:
        raise ValueError(f"a level alpha is between 0 and 1, not {alpha}")
    return -log(alpha)


def _end(excess: Callable[[float], float], centre: float, bound: float, step: float) -> float:
    """Return the end of {excess < 0} between ``centre``, which lies in it, and ``bound``, rounded towards the bound."""
    inside, outside = centre, bound
    if min(centre, bound) <= 0 <= max(centre, bound):
        # Zero is tried first: whatever is returned is then on the same side of it as the e-value says.
        if excess(0.0) >= 0:
            outside = 0.0
        else:
            inside = 0.0
    reached = step
    while True:
        trial = centre + reached if bound > centre else centre - reached
        if abs(trial - centre) >= abs(outside - centre):
            trial = outside
        if abs(trial - centre) > abs(inside - centre):
            above = excess(trial)
            if above >= 0:
                return _crossing(excess, inside, trial, above)
            if trial == bound:
                return bound
            inside = trial
        elif trial == outside:
            return outside
        reached *= 2


def _crossing(excess: Callable[[float], float], inside: float, outside: float, above: float) -> float:
    """Return a point with excess >= 0 next to where it crosses zero, by the Illinois variant of regula falsi."""
    below = excess(inside)
    aim = _PRECISION * max(abs(outside - inside), 1e-9)
    kept = 0
    while abs(outside - inside) > aim:
        share = above / (above - below)
        # One side that stays put twice has its value halved; a share at the very edge is kept off it.
        middle = outside + (inside - outside) * min(max(share, 0.01), 0.99)
        if middle in {inside, outside}:
            break
        value = excess(middle)
        if value >= 0:
            outside, above = middle, value
            below /= 2 if kept == 1 else 1
            kept = 1
        else:
            inside, below = middle, value
            above /= 2 if kept == -1 else 1
            kept = -1
    return outside
