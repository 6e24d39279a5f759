"""What plots are drawn of, in pixels from the upper left corner: SVG and PDF draw the same shapes."""

from dataclasses import dataclass

__all__ = ["Bar", "Dot", "Label", "Outline", "Path", "Shape"]

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Path:
    """A line through ``points``."""

    kind: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """A filled polygon without an edge."""

    kind: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """A filled rectangle; ``key`` for one that stands in a legend."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    key: bool = False


@dataclass(frozen=True, slots=True)
class Dot:
    """A small filled circle, and what a reader sees who points at it."""

    kind: str
    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Label:
    """A text whose baseline is at ``y``; ``anchor`` is start, middle or end. ``axis`` for the name of an axis."""

    x: float
    y: float
    anchor: str
    text: str
    axis: bool = False
    upwards: bool = False


Shape = Path | Outline | Bar | Dot | Label
