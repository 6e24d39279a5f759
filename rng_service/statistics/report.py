"""The report of a fairness test: what was tested, by which plan, what was found, and what that does not say.

A report is a value. `report_document` gives its JSON form, ``sealdraw/statistics@v1``; the page and the PDF are drawn
from that document alone, so whoever has the JSON can draw them again. The same run gives the same bytes: there is no
date in it, and never a seed or a slot that was not opened. Standard library only.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final

from stats_tests.multiple import Decision, Hypothesis, benjamini_hochberg, holm

__all__ = [
    "BINS",
    "INTERRUPTED",
    "REPORT_FORMAT",
    "LookTaken",
    "OutcomeCounts",
    "Report",
    "ReportedTest",
    "Source",
    "report_bytes",
    "report_document",
]

REPORT_FORMAT: Final = "sealdraw/statistics@v1"
# The verdict of a run that somebody stopped: what was found until then is shown, and decides nothing.
INTERRUPTED: Final = "interrupted"
# Of the histograms of P-values, each 1/20 wide.
BINS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What was tested: words for it, how many bytes of it were read, and their SHA-256.

    ``facts`` are further names and values that a reader needs to find the same data again.
    """

    description: str
    size_bytes: int
    sha256: bytes
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedTest:
    """One test of one ``subject``, over everything that was looked at.

    It was ``asked`` so many times (of each sequence, or once), and was not applicable, in whole or in part, ``skipped``
    times; ``reason`` is the first one given. ``p_values`` counts those there are, ``histogram`` counts them in
    twentieths. ``lists`` are the published lists that name the test.
    """

    battery: str
    name: str
    subject: str
    lists: tuple[str, ...]
    asked: int
    skipped: int
    p_values: int
    smallest: float | None
    histogram: tuple[int, ...]
    reason: str | None = None
    statistics: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LookTaken:
    """One look at the first ``sequences`` sequences of all, and what it decided."""

    sequences: int
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeCounts:
    """How often each value of a part of the outcomes came up, and how often it was expected to.

    ``labels`` name the values, or groups of them where there are too many to draw.
    """

    subject: str
    labels: tuple[str, ...]
    observed: tuple[int, ...]
    expected: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that a run found.

    ``subject`` says what kind of data: ``input`` of somebody, ``test-stream`` or ``opened`` slots of a service;
    ``run`` is its number in the log, if it has one. ``verdict`` is pass, suspicious, fail or interrupted. ``plan`` is
    the SHA-256 of the plan document that was fixed before, ``plan_document`` what it says. ``looks`` are those that
    count; ``decision`` is about all ``hypotheses`` there are, also where somebody stopped the run before a look.
    ``second_level`` are the columns behind them, as `stats_tests.second_level.Column.as_json` gives them.
    """

    source: Source
    battery: str
    verdict: str
    tests: tuple[ReportedTest, ...]
    hypotheses: tuple[Hypothesis, ...]
    looks: tuple[LookTaken, ...] = ()
    decision: Decision | None = None
    subject: str = "input"
    run: int | None = None
    mode: str | None = None
    bits: int | None = None
    sequences: int | None = None
    outcomes: int | None = None
    plan: bytes | None = None
    plan_document: Mapping[str, Any] | None = None
    second_level: tuple[Mapping[str, Any], ...] = ()
    counts: tuple[OutcomeCounts, ...] = ()
    notes: tuple[str, ...] = ()
    software: tuple[tuple[str, str], ...] = ()


def report_document(report: Report) -> dict[str, Any]:
    """Return the JSON form of ``report``: numbers, texts, lists and objects only, and no number that JSON lacks."""
    document: dict[str, Any] = {
        "format": REPORT_FORMAT,
        "verdict": report.verdict,
        "subject": report.subject,
        "battery": report.battery,
        "source": {
            "description": report.source.description,
            "bytes": report.source.size_bytes,
            "sha256": report.source.sha256.hex(),
            "facts": [{"name": name, "value": value} for name, value in report.source.facts],
        },
        "looks": [
            {"sequences": look.sequences, "verdict": str(look.decision.verdict), **look.decision.as_json()}
            for look in report.looks
        ],
        "decision": None if report.decision is None else report.decision.as_json(),
        "hypotheses": _hypotheses(report.hypotheses),
        "tests": [_test(test) for test in report.tests],
        "second_level": list(report.second_level),
        "counts": [
            {
                "subject": counts.subject,
                "labels": list(counts.labels),
                "observed": list(counts.observed),
                "expected": list(counts.expected),
            }
            for counts in report.counts
        ],
        "notes": list(report.notes),
        "software": dict(report.software),
    }
    optional = {
        "run": report.run,
        "mode": report.mode,
        "bits": report.bits,
        "sequences": report.sequences,
        "outcomes": report.outcomes,
        "plan": None if report.plan is None else report.plan.hex(),
        "plan_document": report.plan_document,
    }
    document |= {name: value for name, value in optional.items() if value is not None}
    plain: dict[str, Any] = _plain(document)
    return plain


def report_bytes(document: Mapping[str, Any]) -> bytes:
    """Return a document as ASCII, members sorted, one line."""
    text = json.dumps(document, ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return text.encode("ascii") + b"\n"


def _hypotheses(hypotheses: Sequence[Hypothesis]) -> list[dict[str, Any]]:
    p_values = [hypothesis.p_value for hypothesis in hypotheses]
    corrected = zip(hypotheses, holm(p_values), benjamini_hochberg(p_values), strict=True)
    return [
        {"label": hypothesis.label, "p_value": hypothesis.p_value, "holm": adjusted, "benjamini_hochberg": discovery}
        for hypothesis, adjusted, discovery in corrected
    ]


def _test(test: ReportedTest) -> dict[str, Any]:
    return {
        "battery": test.battery,
        "name": test.name,
        "subject": test.subject,
        "lists": list(test.lists),
        "asked": test.asked,
        "skipped": test.skipped,
        "reason": test.reason,
        "p_values": test.p_values,
        "smallest": test.smallest,
        "histogram": list(test.histogram),
        "statistics": dict(test.statistics),
    }


def _plain(value: Any) -> Any:
    """Return ``value`` with infinities as text: a statistic of a broken source may be one, and JSON has none."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not isfinite(value):
        return repr(value)
    return value
