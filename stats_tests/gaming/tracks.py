"""What of an outcome is a sequence of independent values, and what is a deal without replacement."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stats_tests.gaming.outcomes import Outcomes
from stats_tests.gaming.ranks import remaining_ranks
from stats_tests.gaming.shape import OutcomeShape, Permutation, Stops, Uniform, Weighted, WithoutReplacement
from stats_tests.gaming.values import Values, uniform_values, weighted_values

__all__ = ["Deal", "Track", "columns_of", "deals_in", "ranks_of", "raw_values", "tracks_in", "values_of"]

_WIDEST: Final = 64


@dataclass(frozen=True, slots=True)
class Track:
    """Independent values: columns ``first`` … ``first`` + ``count`` - 1 of a part, equally distributed.

    ``n`` is how many values there are where they are equally likely, None otherwise. ``of_deal``: the first card of a
    deal, which is uniform; what follows it is not independent of it.
    """

    part: int
    first: int
    count: int
    n: int | None
    label: str
    of_deal: bool = False


@dataclass(frozen=True, slots=True)
class Deal:
    """``m`` of ``n`` without replacement, in the order drawn; ``shuffle`` when all are dealt."""

    part: int
    n: int
    m: int
    label: str

    @property
    def shuffle(self) -> bool:
        """Whether all are dealt."""
        return self.m == self.n


def tracks_in(shape: OutcomeShape) -> list[Track]:
    """Return the sequences of independent values of ``shape``; those with a single value are left out."""
    found: list[Track] = []
    place = 0
    for index, part in enumerate(shape.parts):
        where = f"column {place}" if part.width == 1 else f"columns {place}-{place + part.width - 1}"
        match part:
            case Uniform(n, count) if n > 1:
                found.append(Track(index, 0, count, n, where))
            case Weighted(weights, count) if _several(weights):
                found.append(Track(index, 0, count, _equal(weights), where))
            case WithoutReplacement(n, _) | Permutation(n) if n > 1:
                found.append(Track(index, 0, 1, n, f"first card of {where}", of_deal=True))
            case Stops():
                for reel, stops in enumerate(part.reels):
                    stopping = stops.n if isinstance(stops, Uniform) else _equal(stops.weights)
                    if stopping != 1 and (isinstance(stops, Uniform) or _several(stops.weights)):
                        found.append(Track(index, reel, 1, stopping, f"reel {reel + 1}"))
            case _:
                pass
        place += part.width
    return found


def deals_in(shape: OutcomeShape) -> list[Deal]:
    """Return the draws without replacement of two cards or more, and of more than one card in the deck."""
    found = []
    for index, part in enumerate(shape.parts):
        match part:
            case WithoutReplacement(n, m) if m > 1:
                found.append(Deal(index, n, m, f"{m} of {n}"))
            case Permutation(n) if n > 1:
                found.append(Deal(index, n, n, f"shuffle of {n}"))
            case _:
                pass
    return found


def raw_values(outcomes: Outcomes, track: Track) -> NDArray[np.unsignedinteger[Any]]:
    """Return the values of a track in the order in which they were drawn."""
    part = outcomes.parts[track.part]
    return part[:, track.first : track.first + track.count].ravel()


def values_of(outcomes: Outcomes, track: Track) -> list[tuple[str, Values]]:
    """Return the views of a track's values, each with a name ("" for the only one); see `uniform_values`."""
    found: list[tuple[str, Values]] = outcomes.remembered(track, lambda: _views(outcomes, track))
    return found


def _views(outcomes: Outcomes, track: Track) -> list[tuple[str, Values]]:
    return _distributed(outcomes, track.part, track.first, raw_values(outcomes, track))


def ranks_of(outcomes: Outcomes, deal: Deal) -> NDArray[np.unsignedinteger[Any]]:
    """Return `remaining_ranks` of a deal."""
    found: NDArray[np.unsignedinteger[Any]] = outcomes.remembered(
        ("ranks", deal.part), lambda: remaining_ranks(outcomes.parts[deal.part])
    )
    return found


def columns_of(outcomes: Outcomes) -> list[Values]:
    """Return the first 64 columns with more than one value, as independent columns; of deals the remaining ranks."""
    found: list[Values] = outcomes.remembered("columns", lambda: _columns(outcomes))
    return found


def _columns(outcomes: Outcomes) -> list[Values]:
    found: list[Values] = []
    deals = {deal.part: deal for deal in deals_in(outcomes.shape)}
    for index, part in enumerate(outcomes.shape.parts):
        if len(found) >= _WIDEST:
            break
        if index in deals:
            ranks = ranks_of(outcomes, deals[index])
            for column in range(min(ranks.shape[1], _WIDEST)):
                size = deals[index].n - column
                if size > 1:
                    found.append(uniform_values(np.ascontiguousarray(ranks[:, column]), size)[0][1])
            continue
        for column in range(min(part.width, _WIDEST)):
            values = np.ascontiguousarray(outcomes.parts[index][:, column])
            view = _distributed(outcomes, index, column, values)[0][1]
            if np.count_nonzero(view.probabilities) > 1:
                found.append(view)
    return found[:_WIDEST]


def _distributed(
    outcomes: Outcomes, part: int, column: int, values: NDArray[np.unsignedinteger[Any]]
) -> list[tuple[str, Values]]:
    match outcomes.shape.parts[part]:
        case Weighted(weights, _):
            return [("", weighted_values(values, weights))]
        case Uniform(n, _) | WithoutReplacement(n, _) | Permutation(n):
            return uniform_values(values, n)
        case Stops() as stops:
            reel = stops.reels[column]
            if isinstance(reel, Uniform):
                return uniform_values(values, reel.n)
            return [("", weighted_values(values, reel.weights))]


def _several(weights: Any) -> bool:
    return bool(np.count_nonzero(np.array([weight > 0 for weight in weights])) > 1)


def _equal(weights: Any) -> int | None:
    return len(weights) if min(weights) == max(weights) else None
