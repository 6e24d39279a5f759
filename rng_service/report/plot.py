"""Plots: lines, bands, bars and dots over two axes, as shapes that SVG and PDF are drawn from."""

from collections.abc import Iterable, Sequence

from rng_service.report.axis import Axis
from rng_service.report.shapes import Bar, Dot, Label, Outline, Path, Point, Shape
from rng_service.report.svg import svg_of

__all__ = ["Plot"]

_LEFT, _RIGHT, _TOP, _BOTTOM = 72, 16, 16, 48


class Plot:
    """A plot, ``width`` by ``height`` pixels; what is added later is drawn on top.

    ``kind`` of a mark is one of the classes that the page's style sheet knows: ``main``, ``second``, ``band``,
    ``wide``, ``good``, ``bad``, ``guide``. The legend stands at the right, or where ``legend_left`` says so.
    """

    def __init__(
        self, title: str, x: Axis, y: Axis, *, width: int = 680, height: int = 320, legend_left: bool = False
    ) -> None:
        self.title = title
        self.width = width
        self.height = height
        self._x = x
        self._y = y
        self._marks: list[Shape] = []
        self._legend: list[tuple[str, str]] = []
        self._legend_left = legend_left

    def line(self, points: Iterable[Point], kind: str = "main", label: str = "") -> None:
        """Join ``points`` by a line."""
        self._marks.append(Path(kind, self._placed(points)))
        self._name(kind, label)

    def band(self, low: Sequence[Point], high: Sequence[Point], kind: str = "band", label: str = "") -> None:
        """Fill what lies between two lines over the same x."""
        self._marks.append(Outline(kind, self._placed([*low, *reversed(high)])))
        self._name(kind, label)

    def bars(self, bars: Iterable[tuple[float, float, float]], kind: str = "main", label: str = "") -> None:
        """Draw bars (left, right, height) from the lower end of the y axis."""
        floor = self._vertical(self._y.low)
        for left, right, height in bars:
            x, top = self._horizontal(left), self._vertical(height)
            # A hairline between neighbours.
            wide = max(self._horizontal(right) - x - 1, 1)
            self._marks.append(Bar(kind, x, top, wide, floor - top))
        self._name(kind, label)

    def dots(self, dots: Iterable[tuple[float, float, str]], kind: str = "main", label: str = "") -> None:
        """Draw dots (x, y, what a reader sees who points at it)."""
        self._marks.extend(Dot(kind, self._horizontal(x), self._vertical(y), text) for x, y, text in dots)
        self._name(kind, label)

    def rule(self, y: float, kind: str = "guide", label: str = "") -> None:
        """Draw a horizontal line across the plot."""
        self.line([(self._x.low, y), (self._x.high, y)], kind, label)

    def shapes(self) -> list[Shape]:
        """Return everything to draw, the hindmost first."""
        return [*self._grid(), *self._marks, *self._names()]

    def svg(self) -> str:
        """Return the plot as an ``<svg>`` element."""
        return svg_of(self.title, self.width, self.height, self.shapes())

    def _grid(self) -> list[Shape]:
        right, bottom = self.width - _RIGHT, self.height - _BOTTOM
        parts: list[Shape] = []
        for value, text in self._x.ticks:
            x = self._horizontal(value)
            # A text at the right edge ends there, so that nothing of it is cut off.
            anchor = "end" if x > right - 1 else "middle"
            parts.append(Path("grid", ((x, _TOP), (x, bottom))))
            parts.append(Label(x, bottom + 16, anchor, text))
        for value, text in self._y.ticks:
            y = self._vertical(value)
            parts.append(Path("grid", ((_LEFT, y), (right, y))))
            parts.append(Label(_LEFT - 6, y + 4, "end", text))
        middle_x, middle_y = (_LEFT + right) / 2, (_TOP + bottom) / 2
        parts.append(Label(middle_x, self.height - 8, "middle", self._x.label, axis=True))
        parts.append(Label(14, middle_y, "middle", self._y.label, axis=True, upwards=True))
        return parts

    def _names(self) -> list[Shape]:
        parts: list[Shape] = []
        for number, (kind, label) in enumerate(self._legend):
            y = _TOP + 14 + 16 * number
            if self._legend_left:
                parts.append(Bar(kind, _LEFT + 8, y - 9, 12, 8, key=True))
                parts.append(Label(_LEFT + 26, y, "start", label))
                continue
            x = self.width - _RIGHT - 8
            parts.append(Bar(kind, x - 14, y - 9, 12, 8, key=True))
            parts.append(Label(x - 20, y, "end", label))
        return parts

    def _name(self, kind: str, label: str) -> None:
        if label:
            self._legend.append((kind, label))

    def _placed(self, points: Iterable[Point]) -> tuple[Point, ...]:
        return tuple((self._horizontal(x), self._vertical(y)) for x, y in points)

    def _horizontal(self, value: float) -> float:
        return _LEFT + self._x.position(value) * (self.width - _LEFT - _RIGHT)

    def _vertical(self, value: float) -> float:
        return self.height - _BOTTOM - self._y.position(value) * (self.height - _TOP - _BOTTOM)
