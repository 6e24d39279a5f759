"""Shapes as SVG text: classes of the style sheet, no fonts, no scripts, the same bytes every time."""

from collections.abc import Sequence
from html import escape

from rng_service.report.shapes import Bar, Dot, Label, Outline, Path, Shape

__all__ = ["svg_of"]

_RADIUS = "3.5"


def svg_of(title: str, width: int, height: int, shapes: Sequence[Shape]) -> str:
    """Return an ``<svg>`` element of ``width`` by ``height`` pixels that shows ``shapes``, named ``title``."""
    return (
        f'<svg class="plot" role="img" aria-label="{escape(title)}" viewBox="0 0 {width} {height}"'
        f' width="{width}" height="{height}">' + "".join(map(_element, shapes)) + "</svg>"
    )


def _element(shape: Shape) -> str:
    match shape:
        case Path("grid", ((x1, y1), (x2, y2))):
            return f'<line class="grid" x1="{_number(x1)}" y1="{_number(y1)}" x2="{_number(x2)}" y2="{_number(y2)}"/>'
        case Path(kind, points):
            return f'<polyline class="{kind}" points="{_points(points)}"/>'
        case Outline(kind, points):
            return f'<polygon class="{kind}" points="{_points(points)}"/>'
        case Bar(kind, x, y, width, height, key=True):
            return f'<rect class="{kind} key" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"/>'
        case Bar(kind, x, y, width, height):
            return f'<rect class="{kind}" x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}"/>'
        case Dot(kind, x, y, text):
            return (
                f'<circle class="{kind}" cx="{x:.2f}" cy="{y:.2f}" r="{_RADIUS}"><title>{escape(text)}</title></circle>'
            )
        case Label():
            return _label(shape)


def _label(label: Label) -> str:
    kind = ' class="label"' if label.axis else ""
    turned = f' transform="rotate(-90 {_number(label.x)} {_number(label.y)})"' if label.upwards else ""
    place = f'x="{_number(label.x)}" y="{_number(label.y)}"'
    return f'<text{kind} {place} text-anchor="{label.anchor}"{turned}>{escape(label.text)}</text>'


def _number(value: float) -> str:
    """Return whole pixels as such, and what was computed with two places."""
    return str(value) if isinstance(value, int) else f"{value:.2f}"


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
