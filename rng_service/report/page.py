"""Pages: a title, sections, tables and plots, in one file that prints well and fetches nothing."""

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

from rng_service.report.parts import Banner, Facts, Figure, Figures, Heading, Items, Paragraph, Part, Table
from rng_service.report.plot import Plot

__all__ = ["Page", "Table"]

# A page can do nothing and ask nobody: it is opened from disks and archives, years later.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = files(__package__).joinpath("style.css").read_text(encoding="ascii")
_ADAPTIVE = files(__package__).joinpath("adaptive.css").read_text(encoding="ascii")


class Page:
    """A page under construction; everything that is added is escaped.

    An ``adaptive`` page is dark where the reader's screen is, and can have banners and figures side by side. The others
    keep the style that they were published with: auditors compute them again, byte for byte.
    """

    def __init__(self, title: str, subtitle: str = "", *, adaptive: bool = False) -> None:
        self.title = title
        self.parts: list[Part] = [Heading(1, title)]
        self._adaptive = adaptive
        if subtitle:
            self.text(subtitle, soft=True)

    def section(self, title: str) -> None:
        """Begin a section."""
        self.parts.append(Heading(2, title))

    def subsection(self, title: str) -> None:
        """Begin a part of a section."""
        self.parts.append(Heading(3, title))

    def text(self, text: str, *, soft: bool = False) -> None:
        """Add a paragraph."""
        self.parts.append(Paragraph(text, soft))

    def banner(self, kind: str, title: str, text: str) -> None:
        """Add what a reader must see first; ``kind`` is ``good``, ``second`` or ``bad``."""
        self.parts.append(Banner(kind, title, text))

    def items(self, texts: Sequence[str]) -> None:
        """Add a list of sentences."""
        self.parts.append(Items(texts))

    def facts(self, facts: Iterable[tuple[str, str]]) -> None:
        """Add a table of names and values."""
        self.parts.append(Facts(tuple(facts)))

    def table(self, table: Table) -> None:
        """Add a table."""
        self.parts.append(table)

    def plot(self, plot: Plot, caption: str = "") -> None:
        """Add a plot, with words for those who cannot see it."""
        self.parts.append(Figure(plot, caption))

    def plots(self, plots: Iterable[tuple[str, Plot]], *, small: bool = False) -> None:
        """Add plots side by side, each with its name: two in a row, or three where they are ``small``."""
        self.parts.append(Figures([Figure(plot, name) for name, plot in plots], small))

    def html(self, footer: str = "") -> bytes:
        """Return the page as UTF-8."""
        end = f"<footer>{escape(footer)}</footer>" if footer else ""
        style = _STYLE + _ADAPTIVE if self._adaptive else _STYLE
        body = "\n".join(part.html() for part in self.parts)
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f"<title>{escape(self.title)}</title><style>{style}</style></head><body>\n"
            f"{f'<main>{body}</main>' if self._adaptive else body}\n{end}</body></html>\n"
        ).encode()
