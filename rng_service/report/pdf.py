"""Pages as PDF, drawn from the same parts and shapes as the HTML; needs the extra ``pdf``.

The fonts are the fourteen that every reader has, so nothing is embedded: what Latin-1 lacks is spelt out.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from rng_service.report.page import Page
from rng_service.report.parts import Banner, Facts, Figure, Figures, Heading, Items, Paragraph, Part, Table
from rng_service.report.plot import Plot
from rng_service.report.shapes import Bar, Dot, Label, Outline, Path, Shape

__all__ = ["page_pdf"]

_Colour = tuple[int, int, int]

_INK: Final = (27, 31, 36)
_SOFT: Final = (87, 96, 106)
_LINE: Final = (208, 215, 222)
_HEAD: Final = (246, 248, 250)
_PAPER: Final = (255, 255, 255)
# The style sheet's colours; bands are what their opacity leaves on paper.
_COLOURS: Final[dict[str, _Colour]] = {
    "main": (31, 95, 168),
    "second": (179, 89, 0),
    "good": (26, 127, 75),
    "bad": (192, 38, 45),
    "guide": _SOFT,
    "grid": (234, 238, 242),
    "band": (214, 225, 240),
    "wide": (235, 241, 248),
}
_SPELT: Final = str.maketrans(
    {"…": "...", "≤": "<=", "≥": ">=", "→": "->", "√": "sqrt ", "\u2013": "-", "\u2014": "-", "\u2212": "-"}
)
_MARGIN_MM: Final = 15.0
_ROW_MM: Final = 5.0
_GAP_MM: Final = 4.0
_WIDEST_FIGURE_MM: Final = 150.0
_WITH_PICTURES_MM: Final = 80.0
_WITH_TEXT_MM: Final = 30.0
_RADIUS_MM: Final = 0.55
_SIZES: Final = {1: 18.0, 2: 13.0, 3: 10.5}
# No date: the same page gives the same bytes.
_NO_DATE: Final = datetime(1970, 1, 1, tzinfo=UTC)


def page_pdf(page: Page, footer: str = "") -> bytes:
    """Return ``page`` as a PDF in A4; the same page gives the same bytes."""
    pdf = _Document(footer)
    pdf.set_title(_spelt(page.title))
    pdf.set_lang("en")
    pdf.set_creation_date(_NO_DATE)
    pdf.add_page()
    for place, part in enumerate(page.parts):
        if isinstance(part, Heading) and part.level > 1:
            # A title does not stand alone at the foot of a page.
            pictures = any(isinstance(after, Figure | Figures) for after in page.parts[place + 1 : place + 3])
            pdf.room_for(_WITH_PICTURES_MM if pictures else _WITH_TEXT_MM)
        _draw(pdf, part)
    return bytes(pdf.output())


class _Document(FPDF):
    """A4 with page numbers, and the footer of the page on each."""

    def __init__(self, footer: str) -> None:
        super().__init__(format="A4")
        self._footer = _spelt(footer)
        self.set_margins(_MARGIN_MM, _MARGIN_MM)
        self.set_auto_page_break(True, _MARGIN_MM + 6)

    def footer(self) -> None:
        self.set_y(-_MARGIN_MM)
        self.set_font("Helvetica", size=6.5)
        self.set_text_color(*_SOFT)
        self.cell(self.epw - 20, 4, self._footer)
        self.cell(20, 4, f"{self.page_no()}", align="R")

    def room_for(self, height: float) -> None:
        """Begin a new page when less than ``height`` is left of this one."""
        if self.get_y() + height > self.page_break_trigger:
            self.add_page()

    def words(self, text: str, size: float, *, style: str = "", colour: _Colour = _INK) -> None:
        """Write a paragraph over the whole width."""
        self.set_font("Helvetica", style=style, size=size)
        self.set_text_color(*colour)
        self.multi_cell(self.epw, size * 0.46, _spelt(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT, align="L")


def _draw(pdf: _Document, part: Part) -> None:
    match part:
        case Heading(level, text):
            pdf.ln({1: 0, 2: 5, 3: 2}[level])
            pdf.words(text, _SIZES[level], style="B")
            pdf.ln(1)
        case Paragraph(text, soft):
            pdf.words(text, 8.5 if soft else 9, colour=_SOFT if soft else _INK)
            pdf.ln(1.5)
        case Banner():
            _banner(pdf, part)
        case Items(texts):
            for text in texts:
                pdf.words(f"\xb7  {text}", 9)
                pdf.ln(0.8)
        case Facts(rows):
            _facts(pdf, rows)
        case Table():
            _table(pdf, part)
        case Figure(plot, caption):
            _figure(pdf, plot, min(pdf.epw, _WIDEST_FIGURE_MM))
            if caption:
                pdf.words(caption, 8.5, colour=_SOFT)
                pdf.ln(1.5)
        case Figures():
            _figures(pdf, part)


def _banner(pdf: _Document, banner: Banner) -> None:
    pdf.room_for(22)
    top, tone = pdf.get_y() + 1, _COLOURS[banner.kind]
    pdf.set_y(top + 3)
    pdf.set_left_margin(_MARGIN_MM + 6)
    pdf.words(banner.title, 13, style="B", colour=tone)
    pdf.words(banner.text, 9)
    pdf.set_left_margin(_MARGIN_MM)
    bottom = pdf.get_y() + 3
    pdf.set_draw_color(*_LINE)
    pdf.set_line_width(0.2)
    pdf.rect(_MARGIN_MM, top, pdf.epw, bottom - top)
    pdf.set_fill_color(*tone)
    pdf.rect(_MARGIN_MM, top, 2, bottom - top, style="F")
    pdf.set_y(bottom + 3)


def _facts(pdf: _Document, rows: Sequence[tuple[str, str]]) -> None:
    for name, value in rows:
        pdf.room_for(_ROW_MM)
        pdf.set_font("Helvetica", style="B", size=8)
        pdf.set_text_color(*_INK)
        pdf.cell(42, _ROW_MM, _spelt(name))
        pdf.set_font("Courier", size=7.5)
        pdf.multi_cell(pdf.epw - 42, _ROW_MM, _spelt(value), new_x=XPos.LMARGIN, new_y=YPos.NEXT, align="L")
    pdf.ln(2)


def _table(pdf: _Document, table: Table) -> None:
    widths = _widths(pdf, table)
    pdf.room_for(3 * _ROW_MM)
    _head(pdf, table, widths)
    for row, cells in enumerate(table.rows):
        if pdf.get_y() + _ROW_MM > pdf.page_break_trigger:
            pdf.add_page()
            _head(pdf, table, widths)
        for column, text in enumerate(cells):
            mark = (table.marks or {}).get((row, column))
            pdf.set_font("Helvetica", style="B" if mark else "", size=7.5)
            pdf.set_text_color(*(_COLOURS[mark] if mark else _INK))
            _cell(pdf, widths[column], text, left=column < table.left)
        pdf.ln(_ROW_MM)
        pdf.set_draw_color(*_LINE)
        pdf.set_line_width(0.1)
        pdf.line(_MARGIN_MM, pdf.get_y(), _MARGIN_MM + sum(widths), pdf.get_y())
    pdf.ln(3)


def _head(pdf: _Document, table: Table, widths: list[float]) -> None:
    pdf.set_font("Helvetica", style="B", size=7.5)
    pdf.set_text_color(*_INK)
    pdf.set_fill_color(*_HEAD)
    for column, text in enumerate(table.header):
        _cell(pdf, widths[column], text, left=column < table.left, fill=True)
    pdf.ln(_ROW_MM)


def _cell(pdf: _Document, width: float, text: str, *, left: bool, fill: bool = False) -> None:
    """Write one cell; what does not fit is cut, and ends in dots."""
    pdf.cell(width, _ROW_MM, _fitting(pdf, _spelt(text), width - 2), align="L" if left else "R", fill=fill)


def _fitting(pdf: _Document, text: str, width: float) -> str:
    shown, kept = text, len(text)
    while kept > 0 and (found := pdf.get_string_width(shown)) > width:
        # Letters are of about equal width, so a few steps do.
        kept = min(kept - 1, int(kept * width / found))
        shown = f"{text[:kept].rstrip()}..."
    return shown if kept > 0 else ""


def _widths(pdf: _Document, table: Table) -> list[float]:
    """Return the width of each column: what its widest cell needs, and less of the widest where they do not fit."""
    pdf.set_font("Helvetica", style="B", size=7.5)
    widths = [
        max(pdf.get_string_width(_spelt(row[column])) for row in (table.header, *table.rows)) + 4
        for column in range(len(table.header))
    ]
    excess = sum(widths) - pdf.epw
    if excess > 0:
        widest = widths.index(max(widths))
        widths[widest] = max(20.0, widths[widest] - excess)
    return widths


def _figures(pdf: _Document, figures: Figures) -> None:
    across = 3 if figures.small else 2
    width = (pdf.epw - _GAP_MM * (across - 1)) / across
    for first in range(0, len(figures.figures), across):
        row = figures.figures[first : first + across]
        height = 6 + max(width * figure.plot.height / figure.plot.width for figure in row)
        pdf.room_for(height)
        top = pdf.get_y()
        for place, figure in enumerate(row):
            left = _MARGIN_MM + place * (width + _GAP_MM)
            pdf.set_xy(left, top)
            pdf.set_font("Helvetica", style="B", size=7)
            pdf.set_text_color(*_INK)
            _cell(pdf, width, figure.caption, left=True)
            _shapes(pdf, figure.plot, left, top + _ROW_MM, width)
        pdf.set_xy(_MARGIN_MM, top + height + 1)


def _figure(pdf: _Document, plot: Plot, width: float) -> None:
    height = width * plot.height / plot.width
    pdf.room_for(height)
    top = pdf.get_y()
    _shapes(pdf, plot, _MARGIN_MM, top, width)
    pdf.set_xy(_MARGIN_MM, top + height + 1)


def _shapes(pdf: _Document, plot: Plot, left: float, top: float, width: float) -> None:
    scale = width / plot.width
    for shape in plot.shapes():
        _shape(pdf, shape, left, top, scale)


def _shape(pdf: _Document, shape: Shape, left: float, top: float, scale: float) -> None:
    def placed(point: tuple[float, float]) -> tuple[float, float]:
        return left + point[0] * scale, top + point[1] * scale

    match shape:
        case Path(kind, points):
            pdf.set_draw_color(*_COLOURS[kind])
            pdf.set_line_width(0.1 if kind == "grid" else 0.3)
            pdf.set_dash_pattern(*((0.9, 0.7) if kind == "guide" else (0, 0)))
            pdf.polyline([placed(point) for point in points])
            pdf.set_dash_pattern()
        case Outline(kind, points):
            pdf.set_fill_color(*_COLOURS[kind])
            pdf.polygon([placed(point) for point in points], style="F")
        case Bar(kind, x, y, wide, high):
            pdf.set_fill_color(*_COLOURS[kind])
            pdf.rect(*placed((x, y)), wide * scale, high * scale, style="F")
        case Dot(kind, x, y, _):
            pdf.set_fill_color(*_COLOURS[kind])
            pdf.circle(*placed((x, y)), _RADIUS_MM, style="F")
        case Label():
            _label(pdf, shape, placed((shape.x, shape.y)), scale)


def _label(pdf: _Document, label: Label, place: tuple[float, float], scale: float) -> None:
    """Write a text of the style sheet's size: 11 or 12 pixels, and a point is 0.3528 millimetres."""
    pdf.set_font("Helvetica", size=max(4.0, (12 if label.axis else 11) * scale / 0.3528))
    pdf.set_text_color(*(_INK if label.axis else _SOFT))
    text = _spelt(label.text)
    before = {"start": 0.0, "middle": 0.5, "end": 1.0}[label.anchor] * pdf.get_string_width(text)
    if label.upwards:
        with pdf.rotation(90, *place):
            pdf.text(place[0] - before, place[1], text)
    else:
        pdf.text(place[0] - before, place[1], text)


def _spelt(text: str) -> str:
    return text.translate(_SPELT).encode("latin-1", "replace").decode("latin-1")
