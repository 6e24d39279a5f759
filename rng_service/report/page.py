"""Pages: a title, sections, tables and plots, in one file that prints well and fetches nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from rng_service.report.plot import Plot

__all__ = ["Page", "Table"]

# A page can do nothing and ask nobody: it is opened from disks and archives, years later.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = files(__package__).joinpath("style.css").read_text(encoding="ascii")


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


class Page:
    """A page under construction; everything that is added is escaped."""

    def __init__(self, title: str, subtitle: str = "") -> None:
        self._title = title
        self._parts = [f"<h1>{escape(title)}</h1>"]
        if subtitle:
            self._parts.append(f'<p class="soft">{escape(subtitle)}</p>')

    def section(self, title: str) -> None:
        """Begin a section."""
        self._parts.append(f"<h2>{escape(title)}</h2>")

    def subsection(self, title: str) -> None:
        """Begin a part of a section."""
        self._parts.append(f"<h3>{escape(title)}</h3>")

    def text(self, text: str, *, soft: bool = False) -> None:
        """Add a paragraph."""
        self._parts.append(f'<p class="soft">{escape(text)}</p>' if soft else f"<p>{escape(text)}</p>")

    def facts(self, facts: Iterable[tuple[str, str]]) -> None:
        """Add a table of names and values."""
        rows = "".join(
            f'<tr><th class="left">{escape(name)}</th><td class="left"><code>{escape(value)}</code></td></tr>'
            for name, value in facts
        )
        self._parts.append(f'<div class="scroll"><table><tbody>{rows}</tbody></table></div>')

    def table(self, table: Table) -> None:
        """Add a table."""
        self._parts.append(table.html())

    def plot(self, plot: Plot, caption: str = "") -> None:
        """Add a plot, with words for those who cannot see it."""
        self._parts.append(plot.svg())
        if caption:
            self.text(caption, soft=True)

    def html(self, footer: str = "") -> bytes:
        """Return the page as UTF-8."""
        end = f"<footer>{escape(footer)}</footer>" if footer else ""
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f"<title>{escape(self._title)}</title><style>{_STYLE}</style></head><body>\n"
            + "\n".join(self._parts)
            + f"\n{end}</body></html>\n"
        ).encode()
