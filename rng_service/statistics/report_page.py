"""The page of a fairness test: the verdict first, what it rests on below, and what it does not say."""

from collections.abc import Mapping
from typing import Any, Final

from rng_service.report import Page, Table

__all__ = ["report_page"]

_MEANING: Final = {
    "pass": "No test found a departure that chance does not explain.",
    "suspicious": "Something is rarer than one perfect source in a hundred shows: more data of the same source decide.",
    "fail": "A perfect source shows this less than once in ten thousand reports.",
    "interrupted": "Somebody stopped this run. What follows was found until then, and decides nothing.",
}


def report_page(document: Mapping[str, Any]) -> bytes:
    """Return the page of a document that `report_document` made; the same document gives the same bytes."""
    source = document["source"]
    page = Page("Fairness test report", source["description"])
    page.section(f"Verdict: {document['verdict']}")
    page.text(_MEANING[document["verdict"]])
    page.section("What was tested")
    facts = [("bytes read", f"{source['bytes']:,}"), ("SHA-256", source["sha256"]), *source["facts"].items()]
    page.facts([(name, str(value)) for name, value in facts])
    page.section("Tests")
    rows = [
        (
            test["name"],
            test["subject"],
            ", ".join(test["lists"]),
            f"{test['p_values']:,}",
            "-" if test["smallest"] is None else f"{test['smallest']:.3g}",
        )
        for test in document["tests"]
    ]
    page.table(Table(("test", "subject", "lists", "P-values", "smallest"), rows, left=3))
    for note in document["notes"]:
        page.text(note)
    return page.html(document["format"])
