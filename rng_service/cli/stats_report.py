"""What `sealdraw stats run` prints: a table for people, or JSON that is written while the tests run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import click

from rng_service.cli.output import print_table
from rng_service.statistics.bits import NistExamination, WeaknessExamination
from rng_service.statistics.examination import Examination
from rng_service.statistics.looks import Conclusion
from rng_service.statistics.outcome_tests import OutcomeExamination
from rng_service.statistics.report import Report, ReportedTest
from rng_service.statistics.report_files import WrittenFile
from stats_tests.gaming import PublishedList
from stats_tests.multiple import Decision
from stats_tests.results import SequenceResult
from stats_tests.second_level import Column

__all__ = ["Finished", "Printer", "printer"]

_SHORT_LISTS: Final[Mapping[str, str]] = {
    PublishedList.GLI_2020: "GLI's seven",
    PublishedList.FIFTEEN: "the fifteen",
    PublishedList.ADDITIONAL: "additional",
}
_MOST_NAMED: Final = 10


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that is over: its report, what the verdict rests on, what was examined, and the files written."""

    report: Report
    conclusion: Conclusion
    decision: Decision
    examinations: Sequence[Examination]
    written: Sequence[WrittenFile]


class Printer(Protocol):
    """Hears of a run as it goes on."""

    def begin(self, head: Mapping[str, Any]) -> None:
        """Hear what is being run."""

    def add(self, result: SequenceResult) -> None:
        """Hear the results of the next sequence."""

    def end(self, finished: Finished) -> None:
        """Hear what came of it."""


def printer(*, as_json: bool) -> Printer:
    """Return what prints in the form asked for."""
    return _JsonPrinter() if as_json else _TextPrinter()


class _JsonPrinter:
    """One JSON object; sequences are printed as they come, so that a long run needs no memory for them."""

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._printed = 0

    def begin(self, head: Mapping[str, Any]) -> None:
        self._head = dict(head)

    def add(self, result: SequenceResult) -> None:
        self._sequence(result.as_json())

    def end(self, finished: Finished) -> None:
        examinations = finished.examinations
        if not any(isinstance(examination, NistExamination) for examination in examinations):
            # Everything at once is one sequence: all that was read.
            tests = [_brief(test) for examination in examinations for test in _details(examination)]
            self._sequence({"index": 0, "bits": finished.report.source.size_bytes * 8, "tests": tests})
        elif not self._printed:
            self._begin()
        rest: dict[str, Any] = {
            "second_level": list(finished.report.second_level),
            "tests": [test for examination in examinations for test in _details(examination)],
            "looks": [
                {"sequences": look.sequences, "verdict": str(look.decision.verdict), **look.decision.as_json()}
                for look in finished.conclusion.looks
            ],
            "verdict": str(finished.conclusion.verdict),
            "decision": finished.decision.as_json(),
            "interrupted": finished.conclusion.interrupted,
            "notes": list(finished.report.notes),
        }
        if finished.report.outcomes is not None:
            rest["outcomes"] = finished.report.outcomes
        if finished.report.plan is not None:
            rest["plan"] = finished.report.plan.hex()
        if finished.written:
            rest["report"] = {
                file.kind: {"file": str(file.path), "sha256": file.sha256.hex()} for file in finished.written
            }
        click.echo(f"\n], {json.dumps(rest)[1:]}")

    def _begin(self) -> None:
        head = json.dumps(self._head)
        click.echo(f'{head[:-1]}, "sequences": [', nl=False)

    def _sequence(self, sequence: Mapping[str, Any]) -> None:
        if not self._printed:
            self._begin()
        click.echo(f"{',' if self._printed else ''}\n{json.dumps(sequence)}", nl=False)
        self._printed += 1


def _details(examination: Examination) -> list[dict[str, Any]]:
    """Return the tests of what is not tested sequence by sequence, with what they came from."""
    if isinstance(examination, WeaknessExamination):
        return [{**result.as_json(), "statistics": dict(result.statistics)} for result in examination.results]
    if isinstance(examination, OutcomeExamination):
        return [result.as_json() for result in examination.results]
    return []


def _brief(test: Mapping[str, Any]) -> dict[str, Any]:
    name = f"{test['name']}, {test['subject']}" if "subject" in test else test["name"]
    return {"name": name, "p_values": test["p_values"], "reason": test["reason"]}


class _TextPrinter:
    """A line for each test, why tests were skipped, and the verdict."""

    def __init__(self) -> None:
        self._head: Mapping[str, Any] = {}

    def begin(self, head: Mapping[str, Any]) -> None:
        self._head = head

    def add(self, result: SequenceResult) -> None:
        """Print nothing yet: what sequences say together comes at the end."""

    def end(self, finished: Finished) -> None:
        report = finished.report
        click.echo(f"{_title(report, self._head)}\n")
        for examination in finished.examinations:
            if isinstance(examination, NistExamination):
                _nist(examination)
            else:
                _all_at_once(examination.tests())
            click.echo()
        _skipped(report.tests)
        for note in report.notes:
            click.echo(f"note: {note}")
        if report.plan is not None:
            _looks(finished.conclusion, report.plan)
        if report.plan is not None and not finished.conclusion.looks:
            click.echo(f"verdict: {finished.conclusion.verdict}  (no look of the plan was taken)")
        else:
            _verdict(finished.conclusion, finished.decision)
        for file in finished.written:
            click.echo(f"{file.path}  SHA-256 {file.sha256.hex()}")


def _title(report: Report, head: Mapping[str, Any]) -> str:
    if report.outcomes is not None:
        return f"{report.outcomes:,} outcomes of {head['game']}, program {head['program']}, battery gaming"
    if report.mode is None:
        return f"{report.source.size_bytes:,} bytes, battery {report.battery}"
    return (
        f"{report.sequences or 0:,} sequences, battery {report.battery}, mode {report.mode},"
        f" {report.bits or 0:,} bits a sequence"
    )


def _nist(examination: NistExamination) -> None:
    columns = examination.columns()
    header = ("test", "sequences", "P-values", "below 0.01", "smallest", "least uniform", "NIST would flag")
    print_table(header, [_nist_row(name, columns) for name in dict.fromkeys(column.test for column in columns)])
    flagged = sum(bool(column.nist_flags) for column in columns)
    if flagged:
        click.echo(
            f"\nNIST's report would flag {flagged} of {len(columns)} lines. By the text's rules a hundred perfect"
            " sequences have 3 to 4 such lines of 188: by itself it says nothing."
        )


def _nist_row(name: str, columns: Sequence[Column]) -> tuple[str, ...]:
    own = [column for column in columns if column.test == name]
    return (
        name,
        f"{sum(column.sequences for column in own if column.index == 0):,}",
        f"{sum(column.sequences for column in own):,}",
        f"{sum(column.sequences - column.passed for column in own):,}",
        _short(min((column.smallest for column in own if column.smallest is not None), default=None)),
        _short(min((column.uniformity_p for column in own if column.uniformity_p is not None), default=None)),
        f"{sum(bool(column.nist_flags) for column in own)} of {len(own)}",
    )


def _all_at_once(tests: Sequence[ReportedTest]) -> None:
    rows = [
        (
            test.name,
            test.subject,
            ", ".join(_SHORT_LISTS.get(name, name) for name in test.lists),
            _short(test.smallest),
            f"{test.p_values:,}",
        )
        for test in tests
    ]
    print_table(("test", "of", "list", "smallest P", "P-values"), rows, left=3)


def _skipped(tests: Sequence[ReportedTest]) -> None:
    """Say what was not applicable, and why."""
    for test in tests:
        if test.reason is None:
            continue
        part = " in part" if test.p_values and test.asked == 1 else ""
        often = f" to {test.skipped:,} of {test.asked:,}" if test.battery == "nist" else part
        subject = f", {test.subject}" if test.battery == "gaming" else ""
        click.echo(f"{test.name}{subject}: not applicable{often}: {test.reason}")


def _looks(conclusion: Conclusion, plan: bytes) -> None:
    click.echo(f"plan: SHA-256 {plan.hex()}")
    for look in conclusion.looks:
        click.echo(
            f"look at {look.sequences:,} sequences: {look.decision.verdict}, smallest after Holm"
            f" {_short(look.decision.smallest)}, fail below {look.decision.thresholds.fail:g}"
        )


def _verdict(conclusion: Conclusion, decision: Decision) -> None:
    click.echo(
        f"verdict: {conclusion.verdict}  ({decision.hypotheses:,} P-values taken together: smallest after Holm"
        f" {_short(decision.smallest)}; suspicious below {decision.thresholds.suspicious:g},"
        f" fail below {decision.thresholds.fail:g})"
    )
    for label in decision.rejected[:_MOST_NAMED]:
        click.echo(f"  {label}")
    if len(decision.rejected) > _MOST_NAMED:
        click.echo(f"  and {len(decision.rejected) - _MOST_NAMED} more")


def _short(p_value: float | None) -> str:
    return "-" if p_value is None else f"{p_value:.3g}"
