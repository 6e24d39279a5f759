"""Many rows watched at once: how to divide one error budget among them, and how to join their evidence."""

from collections.abc import Iterable
from fractions import Fraction

from rng_service.rtp.betting import log_mean_exp


def alpha_for(rows: int, alpha: Fraction) -> Fraction:
    """Return the level of each of ``rows`` rows: any false alarm, ever, has probability at most ``alpha``.

    The union bound alpha / rows: rows may overlap (a game and its brands) and depend on each other in any way.
    """
    if rows < 1:
        raise ValueError(f"there is at least one row, not {rows}")
    return _level(alpha) / rows


def alpha_of_row(number: int, alpha: Fraction) -> Fraction:
    """Return the level of the ``number``-th row to be opened, from 1, when nobody knows how many will follow.

    alpha / (number · (number + 1)): over all rows there will ever be these add up to alpha.
    """
    if number < 1:
        raise ValueError(f"rows are numbered from 1, not {number}")
    return _level(alpha) / (number * (number + 1))


def average_log_e_value(log_e_values: Iterable[float]) -> float:
    """Return the logarithm of the mean of e-values: again an e-value, against "every row is as stated".

    Any dependence between the rows is allowed, and weights fixed in advance would be too. The mean of wealth processes
    of one stream of plays may be looked at any number of times.
    """
    return log_mean_exp(list(log_e_values))


def _level(alpha: Fraction) -> Fraction:
    if not 0 < alpha < 1:
        raise ValueError(f"a level alpha is between 0 and 1, not {alpha}")
    return alpha
