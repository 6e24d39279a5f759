"""Plots as SVG text: lines, bands, bars and dots over two axes; no scripts, no fonts, the same bytes every time."""

from collections.abc import Iterable, Sequence
from html import escape

from rng_service.report.axis import Axis

__all__ = ["Plot"]

_LEFT, _RIGHT, _TOP, _BOTTOM = 72, 16, 16, 48
Point = tuple[float, float]


class Plot:
    """A plot, ``width`` by ``height`` pixels; what is added later is drawn on top.

    ``kind`` of a mark is one of the classes that the page's style sheet knows: ``main``, ``second``, ``band``,
    ``wide``, ``good``, ``bad``, ``guide``.
    """

    def __init__(self, title: str, x: Axis, y: Axis, *, width: int = 680, height: int = 320) -> None:
        self._title = title
        self._x = x
        self._y = y
        self._width = width
        self._height = height
        self._marks: list[str] = []
        self._legend: list[tuple[str, str]] = []

    def line(self, points: Iterable[Point], kind: str = "main", label: str = "") -> None:
        """Join ``points`` by a line."""
        self._marks.append(f'<polyline class="{kind}" points="{self._path(points)}"/>')
        self._name(kind, label)

    def band(self, low: Sequence[Point], high: Sequence[Point], kind: str = "band", label: str = "") -> None:
        """Fill what lies between two lines over the same x."""
        self._marks.append(f'<polygon class="{kind}" points="{self._path([*low, *reversed(high)])}"/>')
        self._name(kind, label)

    def bars(self, bars: Iterable[tuple[float, float, float]], kind: str = "main", label: str = "") -> None:
        """Draw bars (left, right, height) from the lower end of the y axis."""
        floor = self._vertical(self._y.low)
        for left, right, height in bars:
            x, top = self._horizontal(left), self._vertical(height)
            # A hairline between neighbours.
            wide = max(self._horizontal(right) - x - 1, 1)
            self._marks.append(
                f'<rect class="{kind}" x="{x:.2f}" y="{top:.2f}" width="{wide:.2f}" height="{floor - top:.2f}"/>'
            )
        self._name(kind, label)

    def dots(self, dots: Iterable[tuple[float, float, str]], kind: str = "main", label: str = "") -> None:
        """Draw dots (x, y, what a reader sees who points at it)."""
        for x, y, text in dots:
            self._marks.append(
                f'<circle class="{kind}" cx="{self._horizontal(x):.2f}" cy="{self._vertical(y):.2f}" r="3.5">'
                f"<title>{escape(text)}</title></circle>"
            )
        self._name(kind, label)

    def rule(self, y: float, kind: str = "guide", label: str = "") -> None:
        """Draw a horizontal line across the plot."""
        self.line([(self._x.low, y), (self._x.high, y)], kind, label)

    def svg(self) -> str:
        """Return the plot as an ``<svg>`` element."""
        size = f"{self._width} {self._height}"
        shape = f' width="{self._width}" height="{self._height}"'
        return "".join(
            [
                f'<svg class="plot" role="img" aria-label="{escape(self._title)}" viewBox="0 0 {size}"{shape}>',
                *self._grid(),
                *self._marks,
                *self._names(),
                "</svg>",
            ]
        )

    def _grid(self) -> list[str]:
        right, bottom = self._width - _RIGHT, self._height - _BOTTOM
        parts = []
        for value, text in self._x.ticks:
            x = self._horizontal(value)
            # A text at the right edge ends there, so that nothing of it is cut off.
            anchor = "end" if x > right - 1 else "middle"
            parts.append(f'<line class="grid" x1="{x:.2f}" y1="{_TOP}" x2="{x:.2f}" y2="{bottom}"/>')
            parts.append(f'<text x="{x:.2f}" y="{bottom + 16}" text-anchor="{anchor}">{escape(text)}</text>')
        for value, text in self._y.ticks:
            y = self._vertical(value)
            parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y:.2f}" x2="{right}" y2="{y:.2f}"/>')
            parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.2f}" text-anchor="end">{escape(text)}</text>')
        middle_x, middle_y = (_LEFT + right) / 2, (_TOP + bottom) / 2
        parts.append(
            f'<text class="label" x="{middle_x:.2f}" y="{self._height - 8}" text-anchor="middle">'
            f"{escape(self._x.label)}</text>"
        )
        parts.append(
            f'<text class="label" x="14" y="{middle_y:.2f}" text-anchor="middle" '
            f'transform="rotate(-90 14 {middle_y:.2f})">{escape(self._y.label)}</text>'
        )
        return parts

    def _names(self) -> list[str]:
        parts = []
        for number, (kind, label) in enumerate(self._legend):
            y = _TOP + 14 + 16 * number
            x = self._width - _RIGHT - 8
            parts.append(f'<rect class="{kind} key" x="{x - 14}" y="{y - 9}" width="12" height="8"/>')
            parts.append(f'<text x="{x - 20}" y="{y}" text-anchor="end">{escape(label)}</text>')
        return parts

    def _name(self, kind: str, label: str) -> None:
        if label:
            self._legend.append((kind, label))

    def _path(self, points: Iterable[Point]) -> str:
        return " ".join(f"{self._horizontal(x):.2f},{self._vertical(y):.2f}" for x, y in points)

    def _horizontal(self, value: float) -> float:
        return _LEFT + self._x.position(value) * (self._width - _LEFT - _RIGHT)

    def _vertical(self, value: float) -> float:
        return self._height - _BOTTOM - self._y.position(value) * (self._height - _TOP - _BOTTOM)
