"""Plots of a fairness test, from its document: how P-values fell, and how often outcomes came up."""

from collections.abc import Iterable, Mapping, Sequence
from math import log10, sqrt
from typing import Any, Final, TypedDict

from scipy import special  # type: ignore[import-untyped]

from rng_service.report import Axis, Plot, axis_for

__all__ = ["counts_plot", "histogram_plot", "quantile_plot", "residual_plot"]


class _Size(TypedDict):
    width: int
    height: int


# A P-value of 0 has no logarithm; nothing below this is told apart in a picture.
_LEAST_SHOWN: Final = 1e-20
_MOST_DOTS: Final = 400
_BAND: Final = 0.99
# So many standard deviations a count is off with probability 0.001.
_FAR: Final = 3.2905
# So much higher than the bars that the legend stands above them.
_LEGEND_ROOM: Final = 1.35
_SMALL: Final[_Size] = {"width": 420, "height": 230}
_LARGE: Final[_Size] = {"width": 460, "height": 270}


def histogram_plot(title: str, histogram: Sequence[int], *, small: bool = False) -> Plot:
    """Return P-values counted in equal parts of 0 … 1, the count that each should have, and where it may lie.

    Few P-values are shown in half as many parts. The band holds each count with probability 0.999 when P-values are
    independent; those of one sequence are not quite.
    """
    counts = list(histogram)
    if sum(counts) < 100 and len(counts) % 2 == 0:
        counts = [counts[place] + counts[place + 1] for place in range(0, len(counts), 2)]
    parts, total = len(counts), sum(counts)
    expected = total / parts
    spread = _FAR * sqrt(expected * (1 - 1 / parts))
    low, high = max(0.0, expected - spread), expected + spread
    x = Axis("P-value", 0, 1, tuple((tick / 5, f"{tick / 5:g}") for tick in range(6)))
    plot = Plot(title, x, axis_for("how many", [0, high, *counts], show=_count), **(_SMALL if small else _LARGE))
    plot.band([(0, low), (1, low)], [(0, high), (1, high)], "band")
    plot.bars([(place / parts, (place + 1) / parts, count) for place, count in enumerate(counts)])
    plot.rule(expected, "guide")
    return plot


def quantile_plot(p_values: Iterable[float]) -> Plot:
    """Return the P-values in order against where those of a perfect source should lie, both as -log10.

    What is likely lies lower left, what is rare upper right. The band holds each P-value with probability 0.99. What is
    below 1e-20 is drawn there.
    """
    ordered = sorted(max(p_value, _LEAST_SHOWN) for p_value in p_values)
    total = len(ordered)
    ranks = _ranks(total)
    expected = {rank: -log10((rank - 0.5) / total) for rank in ranks}
    low = [(expected[rank], _quantile(rank, total, (1 + _BAND) / 2)) for rank in ranks]
    high = [(expected[rank], _quantile(rank, total, (1 - _BAND) / 2)) for rank in ranks]
    observed = [-log10(ordered[rank - 1]) for rank in ranks]
    plot = Plot(
        "P-values in order against their expectation",
        axis_for("expected, -log10 P", [0, *expected.values()]),
        axis_for("found, -log10 P", [0, *observed, *(value for _, value in high)]),
        legend_left=True,
        **_LARGE,
    )
    plot.band(low, high, "band", "99 % of perfect sources, each")
    last = max(expected.values())
    plot.line([(0, 0), (last, last)], "guide", "expected")
    plot.dots(
        [
            (expected[rank], value, f"P = {ordered[rank - 1]:.3g}, {rank} of {total}")
            for rank, value in zip(ranks, observed, strict=True)
        ],
        "main",
        "found",
    )
    return plot


def counts_plot(counts: Mapping[str, Any]) -> Plot:
    """Return how often each value came up beside how often it was expected to."""
    observed, expected = counts["observed"], counts["expected"]
    plot = Plot(
        f"how often each value came up, {counts['subject']}",
        _values_axis(counts["labels"]),
        axis_for("how often", [0, _LEGEND_ROOM * max(*observed, *expected)], show=_count),
        **_SMALL,
    )
    plot.bars([(place + 0.08, place + 0.92, count) for place, count in enumerate(observed)], "main", "found")
    steps = [(place + side, chance) for place, chance in enumerate(expected) for side in (0, 1)]
    plot.line(steps, "second", "expected")
    return plot


def residual_plot(counts: Mapping[str, Any]) -> Plot:
    """Return how far each count is from its expectation, in standard deviations; 999 of 1,000 lie in the band."""
    found = _residuals(counts["observed"], counts["expected"])
    plot = Plot(
        f"distance from the expectation, {counts['subject']}",
        _values_axis(counts["labels"]),
        axis_for("standard deviations", [-4, 4, *found]),
        **_SMALL,
    )
    size = len(found)
    plot.band([(0, -_FAR), (size, -_FAR)], [(0, _FAR), (size, _FAR)])
    plot.rule(0)
    named = zip(counts["labels"], found, strict=True)
    dots = [(place + 0.5, value, f"{label}: {value:+.2f}") for place, (label, value) in enumerate(named)]
    plot.dots([dot for dot in dots if abs(dot[1]) <= _FAR])
    plot.dots([dot for dot in dots if abs(dot[1]) > _FAR], "bad")
    return plot


def _residuals(observed: Sequence[int], expected: Sequence[float]) -> list[float]:
    total = sum(expected)
    return [
        (count - chance) / sqrt(chance * (1 - chance / total)) if 0 < chance < total else 0.0
        for count, chance in zip(observed, expected, strict=True)
    ]


def _values_axis(labels: Sequence[str]) -> Axis:
    every = max(1, -(-len(labels) // 10))
    ticks = tuple((place + 0.5, labels[place]) for place in range(0, len(labels), every))
    return Axis("value", 0, len(labels), ticks)


def _ranks(total: int) -> list[int]:
    """Return which of ``total`` P-values are drawn: the smallest ones all, the others ever more sparsely."""
    if total <= _MOST_DOTS:
        return list(range(1, total + 1))
    half = _MOST_DOTS // 2
    ratio = (total / half) ** (1 / half)
    return sorted({*range(1, half + 1), *(min(total, round(half * ratio**step)) for step in range(half + 1))})


def _quantile(rank: int, total: int, probability: float) -> float:
    """Return -log10 of a quantile of the ``rank``-th smallest of ``total`` uniform values, which is a beta variable."""
    return -log10(max(float(special.betaincinv(rank, total - rank + 1, probability)), _LEAST_SHOWN))


def _count(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"
