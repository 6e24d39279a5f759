"""Reports as files: JSON for programs, a page for people, and a PDF for whoever asks for one."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from anchor.files import atomic_write
from rng_service.statistics.report import Report, report_bytes, report_document
from rng_service.statistics.report_page import report_page

__all__ = ["WrittenFile", "prepare_directory", "write_report"]


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """One file of a report: ``kind`` is ``json``, ``html`` or ``pdf``."""

    kind: str
    path: Path
    sha256: bytes


def prepare_directory(directory: Path, *, pdf: bool = False) -> None:
    """Make ``directory``, and load what a PDF needs: what is missing is said before a long run, not after it.

    Raises OSError, and ModuleNotFoundError without the extra ``pdf``.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if pdf:
        import fpdf  # noqa: F401, PLC0415 - an extra, and it takes a while to load


def write_report(
    directory: Path, report: Report, *, name: str = "statistics", pdf: bool = False
) -> tuple[WrittenFile, ...]:
    """Write ``name``.json, ``name``.html and maybe ``name``.pdf into ``directory``, and return them.

    The same report gives the same bytes. Each file is whole once it has its name; a crash between two of them leaves
    the JSON, from which the others can be drawn again. Raises OSError.
    """
    document = report_document(report)
    files = {"json": report_bytes(document), "html": report_page(document)}
    if pdf:
        from rng_service.statistics.report_pdf import report_pdf  # noqa: PLC0415 - needs the extra

        files["pdf"] = report_pdf(document)
    written = []
    for kind, data in files.items():
        path = directory / f"{name}.{kind}"
        atomic_write(path, data)
        written.append(WrittenFile(kind, path, sha256(data).digest()))
    return tuple(written)
