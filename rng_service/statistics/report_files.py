"""Reports as files: JSON for programs, a page for people, and their digests for the log."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from anchor.files import atomic_write
from rng_service.statistics.report import Report, report_bytes, report_document
from rng_service.statistics.report_page import report_page

__all__ = ["RenderedReport", "render_report", "write_report"]


@dataclass(frozen=True, slots=True)
class RenderedReport:
    """The bytes of a report: ``document`` is JSON, ``page`` HTML that fetches nothing."""

    document: bytes
    page: bytes

    @property
    def document_digest(self) -> bytes:
        """SHA-256 of the JSON."""
        return sha256(self.document).digest()

    @property
    def page_digest(self) -> bytes:
        """SHA-256 of the page."""
        return sha256(self.page).digest()


def render_report(report: Report) -> RenderedReport:
    """Return the bytes of ``report``; the same report gives the same bytes."""
    document = report_document(report)
    return RenderedReport(report_bytes(document), report_page(document))


def write_report(directory: Path, report: Report, *, name: str = "statistics") -> RenderedReport:
    """Write ``name``.json and ``name``.html into ``directory``, which is made; each is whole once it has its name.

    A crash between the two leaves the JSON alone, from which the page can be drawn again. Raises OSError.
    """
    rendered = render_report(report)
    atomic_write(directory / f"{name}.json", rendered.document)
    atomic_write(directory / f"{name}.html", rendered.page)
    return rendered
