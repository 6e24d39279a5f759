"""What a reel shows at each stop: symbols by row, and the symbols that count wherever they stand."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

Window = tuple[int, ...]


@dataclass(frozen=True)
class Reel:
    """One reel. ``windows[stop]`` are symbol numbers from the top row down, wilds expanded where they do.

    ``counted[stop]`` are the scatters of the stop as a packed integer (`counting`), before any wild expanded;
    ``weights[stop]`` is how often the stop comes.
    """

    windows: Sequence[Window]
    counted: Sequence[int]
    weights: Sequence[int]

    @property
    def rows(self) -> int:
        """The number of rows shown."""
        return len(self.windows[0])

    @cached_property
    def total(self) -> int:
        """The weight of all stops."""
        return sum(self.weights)

    @cached_property
    def shown(self) -> Mapping[tuple[Window, int], int]:
        """The different sights, (window, counted symbols), with their weights."""
        found: Counter[tuple[Window, int]] = Counter()
        for window, counted, weight in zip(self.windows, self.counted, self.weights, strict=True):
            found[window, counted] += weight
        return found

    def symbols_on(self, row: int) -> Counter[int]:
        """Return symbol → weight of one row; with expanding wilds the rows differ."""
        found: Counter[int] = Counter()
        for window, weight in zip(self.windows, self.weights, strict=True):
            found[window[row]] += weight
        return found


def reel(
    strip: Sequence[int], rows: int, digits: Mapping[int, int], expanding: Sequence[int], weights: Sequence[int] | None
) -> Reel:
    """Return the reel of a strip; stop s shows s, s + 1, … from the top down, wrapping round.

    ``digits`` is what each counted symbol adds to ``counted``. A wild of ``expanding`` covers the whole window
    in which it stands, the first of them where there are several.
    """
    windows, counted = [], []
    for stop in range(len(strip)):
        window = tuple([strip[(stop + row) % len(strip)] for row in range(rows)])
        counted.append(sum(digits.get(symbol, 0) for symbol in window))
        covering = next((wild for wild in expanding if wild in window), None)
        windows.append(window if covering is None else (covering,) * rows)
    return Reel(windows, counted, list(weights) if weights else [1] * len(strip))
