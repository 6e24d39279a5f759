"""Whole rounds of games whose draws award further draws, such as free spins that can award more of themselves.

A draw of program p pays X and awards A_f draws of each feature f, jointly; the draws are independent of each
other. With T_p for everything that begins with one draw of p, and T_f for that of a feature:

    E[T_p]   = E[X]  + Σ_f E[A_f] · E[T_f]
    Var[T_p] = Var[X + Σ_f A_f · E[T_f]] + Σ_f E[A_f] · Var[T_f]

(the law of total variance, given X and A). Over the features these are two linear systems with the matrix
I - E[A]. However long a feature can go on, they are solved exactly, in fractions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from rng_service.games.errors import GameError
from rng_service.games.prizes import weighted_sum, weighted_variance

Joint = Mapping[tuple[Fraction, tuple[tuple[str, int], ...]], Fraction]
"""(multiplier, awards by program) → probability: one draw of a program."""


@dataclass(frozen=True, slots=True)
class RoundMoments:
    """Mean and variance of everything that begins with one draw, and the highest sum; None when there is none."""

    mean: Fraction
    variance: Fraction
    highest: Fraction | None


@dataclass(frozen=True, slots=True)
class Award:
    """How often a draw awards a feature, how many draws of it are played for each draw, and what they return."""

    frequency: Fraction
    draws: Fraction
    returned: Fraction


def feature_moments(features: Mapping[str, Joint]) -> dict[str, RoundMoments]:
    """Return the moments of a single awarded draw of each feature, with all that follows from it.

    Raises GameError when the features award more than is played, so that their return has no bound.
    """
    names = sorted(features)
    awards = [[_mean_award(features[name], other) for other in names] for name in names]
    inverse = _inverse(
        [[int(row == column) - awards[row][column] for column in range(len(names))] for row in _range(names)]
    )
    # For a matrix without negative entries: the series of awarded awards converges exactly when the inverse of
    # I - E[A] exists and has no negative entry either (Berman and Plemmons, Nonnegative Matrices, chapter 6).
    if inverse is None or any(value < 0 for row in inverse for value in row):
        raise GameError(
            "$.programs", f"the features {', '.join(names)} award more draws than they take: a round has no end"
        )
    means = _times(inverse, [_own_mean(features[name]) for name in names])
    mean = dict(zip(names, means, strict=True))
    variances = _times(inverse, [_spread(features[name], mean) for name in names])
    highest = _highest(features)
    return {
        name: RoundMoments(mean[name], variance, highest[name]) for name, variance in zip(names, variances, strict=True)
    }


def round_moments(joint: Joint, features: Mapping[str, RoundMoments]) -> RoundMoments:
    """Return the moments of a whole round that begins with one draw of ``joint``."""
    mean = {name: moments.mean for name, moments in features.items()}
    total = _own_mean(joint) + sum((_mean_award(joint, name) * mean[name] for name in features), Fraction(0))
    spread = _spread(joint, mean)
    spread += sum((_mean_award(joint, name) * moments.variance for name, moments in features.items()), Fraction(0))
    return RoundMoments(total, spread, _most(joint, {name: moments.highest for name, moments in features.items()}))


def awards_of(joint: Joint, features: Mapping[str, Joint]) -> dict[str, Award]:
    """Return what one draw of ``joint`` awards, by feature; ``draws`` and ``returned`` count retriggers too."""
    names = sorted(features)
    matrix = [[_mean_award(features[name], other) for other in names] for name in names]
    inverse = _inverse(
        [[int(row == column) - matrix[row][column] for column in range(len(names))] for row in _range(names)]
    )
    found = {}
    for column, name in enumerate(names):
        draws = (
            sum((_mean_award(joint, other) * inverse[row][column] for row, other in enumerate(names)), Fraction(0))
            if inverse is not None
            else Fraction(0)
        )
        frequency = sum((chance for (_, awards), chance in joint.items() if dict(awards).get(name)), Fraction(0))
        if draws:
            found[name] = Award(frequency, draws, draws * _own_mean(features[name]))
    return found


def _own_mean(joint: Joint) -> Fraction:
    return weighted_sum((pays, chance) for (pays, _), chance in joint.items())


def _mean_award(joint: Joint, name: str) -> Fraction:
    return weighted_sum(
        (Fraction(count), chance) for (_, awards), chance in joint.items() for other, count in awards if other == name
    )


def _spread(joint: Joint, mean: Mapping[str, Fraction]) -> Fraction:
    """Return Var[X + Σ A_f · E[T_f]]."""
    return weighted_variance(
        (pays + sum((count * mean[name] for name, count in awards), Fraction(0)) if awards else pays, chance)
        for (pays, awards), chance in joint.items()
    )


def _highest(features: Mapping[str, Joint]) -> dict[str, Fraction | None]:
    """Return the highest sum of each feature; None when it can award itself, directly or through others."""
    found: dict[str, Fraction | None] = {}
    left = set(features)
    while left:
        ready = {name for name in left if not _awarded(features[name]) & left}
        if not ready:
            return found | dict.fromkeys(left)
        for name in ready:
            found[name] = _most(features[name], found)
        left -= ready
    return found


def _most(joint: Joint, highest: Mapping[str, Fraction | None]) -> Fraction | None:
    best = Fraction(0)
    for (pays, awards), chance in joint.items():
        if not chance:
            continue
        total = pays
        for name, count in awards:
            most = highest[name]
            if most is None:
                return None
            total += count * most
        best = max(best, total)
    return best


def _awarded(joint: Joint) -> set[str]:
    return {name for (_, awards), chance in joint.items() if chance for name, count in awards if count}


def _range(names: Sequence[str]) -> range:
    return range(len(names))


def _times(matrix: Sequence[Sequence[Fraction]], vector: Sequence[Fraction]) -> list[Fraction]:
    return [sum((a * b for a, b in zip(row, vector, strict=True)), Fraction(0)) for row in matrix]


def _inverse(matrix: Sequence[Sequence[Fraction]]) -> list[list[Fraction]] | None:
    """Return the inverse by Gauss-Jordan elimination in fractions, None when there is none."""
    size = len(matrix)
    rows = [[*row, *(Fraction(int(index == column)) for column in range(size))] for index, row in enumerate(matrix)]
    for column in range(size):
        pivot = next((row for row in range(column, size) if rows[row][column]), None)
        if pivot is None:
            return None
        rows[column], rows[pivot] = rows[pivot], rows[column]
        head = rows[column][column]
        rows[column] = [value / head for value in rows[column]]
        for row in range(size):
            factor = rows[row][column]
            if row != column and factor:
                rows[row] = [a - factor * b for a, b in zip(rows[row], rows[column], strict=True)]
    return [row[size:] for row in rows]
