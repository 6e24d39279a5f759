"""The report of a fairness test as a PDF, with the words, tables and plots of its page; needs the extra ``pdf``."""

from collections.abc import Mapping
from typing import Any

from rng_service.report.pdf import page_pdf
from rng_service.statistics.report_page import statistics_page

__all__ = ["report_pdf"]


def report_pdf(document: Mapping[str, Any]) -> bytes:
    """Return the PDF of a document that `report_document` made; the same document gives the same bytes."""
    return page_pdf(statistics_page(document), "Fairness test report. The report in JSON holds every figure.")
