"""What pages are made of, as values: HTML and PDF are drawn from the same parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from rng_service.report.plot import Plot

__all__ = ["Banner", "Facts", "Figure", "Figures", "Heading", "Items", "Paragraph", "Part", "Table"]


@dataclass(frozen=True, slots=True)
class Heading:
    """A title: of the page (1), of a section (2), of a part of one (3)."""

    level: int
    text: str

    def html(self) -> str:
        """Return the element."""
        return f"<h{self.level}>{escape(self.text)}</h{self.level}>"


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph; ``soft`` for what matters less."""

    text: str
    soft: bool = False

    def html(self) -> str:
        """Return the element."""
        return f'<p class="soft">{escape(self.text)}</p>' if self.soft else f"<p>{escape(self.text)}</p>"


@dataclass(frozen=True, slots=True)
class Banner:
    """What a reader must see first; ``kind`` is ``good``, ``second`` or ``bad``, which the words say without colour."""

    kind: str
    title: str
    text: str

    def html(self) -> str:
        """Return the element."""
        return f'<div class="banner {self.kind}"><strong>{escape(self.title)}</strong><p>{escape(self.text)}</p></div>'


@dataclass(frozen=True, slots=True)
class Items:
    """A list of sentences."""

    texts: Sequence[str]

    def html(self) -> str:
        """Return the element."""
        return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in self.texts) + "</ul>"


@dataclass(frozen=True, slots=True)
class Facts:
    """A table of names and values."""

    rows: Sequence[tuple[str, str]]

    def html(self) -> str:
        """Return the table as an element that scrolls where it is wider than the page."""
        rows = "".join(
            f'<tr><th class="left">{escape(name)}</th><td class="left"><code>{escape(value)}</code></td></tr>'
            for name, value in self.rows
        )
        return f'<div class="scroll"><table><tbody>{rows}</tbody></table></div>'


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first ``left`` columns are text, the others numbers.

    ``marks`` colours cells: (row, column) → a class of the style sheet.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1
    marks: "dict[tuple[int, int], str] | None" = None

    def html(self) -> str:
        """Return the table as an element that scrolls where it is wider than the page."""
        head = "".join(f"<th{self._side(column)}>{escape(text)}</th>" for column, text in enumerate(self.header))
        body = "".join(
            "<tr>" + "".join(self._cell(row, column, text) for column, text in enumerate(cells)) + "</tr>"
            for row, cells in enumerate(self.rows)
        )
        return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'

    def _side(self, column: int) -> str:
        return ' class="left"' if column < self.left else ""

    def _cell(self, row: int, column: int, text: str) -> str:
        mark = (self.marks or {}).get((row, column), "")
        names = " ".join(filter(None, ("left" if column < self.left else "", mark)))
        kind = f' class="{names}"' if names else ""
        return f"<td{kind}>{escape(text)}</td>"


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot, with words for those who cannot see it."""

    plot: Plot
    caption: str = ""

    def html(self) -> str:
        """Return the element, and a paragraph behind it if there is a caption."""
        caption = f"\n{Paragraph(self.caption, soft=True).html()}" if self.caption else ""
        return self.plot.svg() + caption


@dataclass(frozen=True, slots=True)
class Figures:
    """Plots side by side, each with its name above: two in a row, or three where they are ``small``."""

    figures: Sequence[Figure]
    small: bool = False

    def html(self) -> str:
        """Return the element."""
        kind = "figures small" if self.small else "figures"
        return f'<div class="{kind}">' + "".join(map(self._one, self.figures)) + "</div>"

    @staticmethod
    def _one(figure: Figure) -> str:
        return f"<figure><figcaption>{escape(figure.caption)}</figcaption>{figure.plot.svg()}</figure>"


Part = Heading | Paragraph | Banner | Items | Facts | Table | Figure | Figures
