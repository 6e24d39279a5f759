"""A run of `sealdraw stats run`: what is examined, by which plan, what is printed and written, and the exit status."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

import click

from anchor.errors import MalformedError
from rng_service.cli.inputs import STANDARD_INPUT, open_input, size_of
from rng_service.cli.interrupts import undisturbed
from rng_service.cli.progress import ProgressBar
from rng_service.cli.stats_gaming import Gaming, open_outcomes
from rng_service.cli.stats_report import Finished, Printer, printer
from rng_service.statistics.bits import NistExamination, WeaknessExamination
from rng_service.statistics.examination import Examination, Watch
from rng_service.statistics.looks import Conclusion, look_by_plan, look_once
from rng_service.statistics.making import make_report
from rng_service.statistics.outcome_tests import SEQUENCE_OUTCOMES
from rng_service.statistics.plans import MAX_PLAN_BYTES, StatisticsPlan, parse_statistics_plan
from rng_service.statistics.report import Report, Source
from rng_service.statistics.report_files import WrittenFile, prepare_directory, write_report
from rng_service.statistics.taps import TappedStream
from stats_tests.bits import DEFAULT_SEQUENCE_BITS
from stats_tests.errors import StatsError
from stats_tests.multiple import Verdict
from stats_tests.nist import Mode

__all__ = ["Request", "run_statistics"]

_FOUND_WRONG: Final = 1
_INTERRUPTED: Final = 130
_DEFAULT_PLAN: Final = "default"
# What a plan calls a battery, by what this command calls it: of bits, `all` is what plans call `bits`.
_PLAN_BATTERIES: Final = {"nist": "nist", "weakness": "weakness", "all": "bits", "gaming": "gaming"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody asked for; members are the options of the command."""

    file: str
    battery: str
    mode: str
    bits: int | None
    sequences: int | None
    plan: str | None
    jobs: int
    game: Path | None
    program: str
    beside: tuple[str, ...]
    outcomes: int | None
    report: Path | None
    pdf: bool
    as_json: bool


@dataclass(slots=True)
class _Examined:
    """What is under test, and what is said of it beside the tests."""

    examinations: list[Examination]
    tap: TappedStream
    nist: NistExamination | None = None
    gaming: Gaming | None = None
    facts: list[tuple[str, str]] = field(default_factory=list)

    def notes(self) -> list[str]:
        notes = [] if self.gaming is None else self.gaming.notes()
        if self.nist is not None and self.nist.reader.left_over_bits:
            left = self.nist.reader.left_over_bits
            notes.append(f"the last {left:,} bits are too few for a sequence and were not tested")
        return notes


def run_statistics(request: Request) -> int | None:
    """Test, print, write the report, and return the exit status.

    Raises ClickException naming the file for input that cannot be used, and for input that ended too early once
    everything found until then is printed.
    """
    plan = _plan(request)
    if request.report is not None:
        # Before hours of work, not after them.
        prepare_directory(request.report, pdf=request.pdf)
    output = printer(as_json=request.as_json)
    with open_input(request.file) as stream, ProgressBar("testing") as bar:
        try:
            examined = _examine(request, plan, stream, _watch(bar, stream, request), output)
            conclusion = (
                look_once(examined.examinations, request.sequences)
                if plan is None
                else look_by_plan(examined.examinations, plan)
            )
        except StatsError as error:
            raise click.ClickException(f"{request.file}: {error}") from None
    if conclusion.decision is None:
        return _INTERRUPTED
    notes = [*_interruption(conclusion, examined.examinations), *examined.notes()]
    report = make_report(
        examined.examinations,
        conclusion,
        source=_source(request, examined),
        battery=request.battery,
        plan=plan,
        notes=notes,
    )
    written = _write(request, report)
    output.end(Finished(report, conclusion, conclusion.decision, examined.examinations, written))
    return _status(request, conclusion)


def _status(request: Request, conclusion: Conclusion) -> int | None:
    if conclusion.interrupted:
        return _INTERRUPTED
    if conclusion.verdict is Verdict.FAIL:
        return _FOUND_WRONG
    if conclusion.shortfall is not None:
        raise click.ClickException(f"{request.file}: {conclusion.shortfall}")
    return None


def _examine(
    request: Request, plan: StatisticsPlan | None, stream: BinaryIO, watch: Watch, output: Printer
) -> _Examined:
    """Open what the battery is about, and refuse it before anything is printed when it cannot be used."""
    if request.battery == "gaming":
        tap = TappedStream(stream)
        gaming = open_outcomes(
            tap,
            name=request.file,
            game=request.game,
            program=request.program,
            beside=request.beside,
            most=request.outcomes,
            sequence_outcomes=SEQUENCE_OUTCOMES if plan is None else plan.outcomes,
            watch=watch,
        )
        output.begin({"battery": "gaming", **gaming.head})
        return _Examined([gaming.examination], tap, gaming=gaming, facts=gaming.facts)
    bits = request.bits if plan is None else plan.bits
    if request.battery == "weakness":
        tap = TappedStream(stream)
        output.begin({"battery": "weakness"})
        return _Examined([WeaknessExamination(tap, bits=bits, watch=watch)], tap)
    weakness = WeaknessExamination(watch=watch)
    # One reads, the other one hears what was read: a stream is read once.
    tap = TappedStream(stream, weakness.hear if request.battery == "all" else None)
    nist = NistExamination(tap, mode=Mode(request.mode), bits=bits, jobs=request.jobs, watch=watch, hear=output.add)
    weakness.bits = nist.reader.bits
    output.begin({"battery": request.battery, "mode": request.mode, "bits": nist.reader.bits})
    return _Examined([nist, weakness] if request.battery == "all" else [nist], tap, nist=nist)


def _plan(request: Request) -> StatisticsPlan | None:
    """Return the plan that is named; raises MalformedError, and UsageError when it is about something else."""
    if request.plan is None:
        return None
    battery = _PLAN_BATTERIES[request.battery]
    if request.plan == _DEFAULT_PLAN:
        if battery == "gaming":
            return StatisticsPlan(battery, outcomes=SEQUENCE_OUTCOMES)
        return StatisticsPlan(battery, bits=request.bits or DEFAULT_SEQUENCE_BITS)
    with Path(request.plan).open("rb") as file:
        data = file.read(MAX_PLAN_BYTES + 1)
    try:
        plan = parse_statistics_plan(data)
    except MalformedError as error:
        raise MalformedError(f"{request.plan}: {error}") from None
    if plan.battery != battery:
        raise click.UsageError(
            f"{request.plan} is a plan for the battery {plan.battery}, and this is a run of {battery}: choose --battery"
        )
    if request.bits is not None and request.bits != plan.bits:
        raise click.UsageError(f"{request.plan} plans sequences of {plan.bits} bits: leave out --bits")
    return plan


def _watch(bar: ProgressBar, stream: BinaryIO, request: Request) -> Watch:
    """Return who shows how far it is; of a regular file it is known beforehand how many sequences there are."""
    size = size_of(stream)

    def progress(what: str, done: int, total: int) -> None:
        if not total and size and what == "bytes":
            total = max(size, done)
        elif not total and size and what == "sequences":
            total = max(size * 8 // (request.bits or DEFAULT_SEQUENCE_BITS), done)
        bar.update(done, total, what if total else f"{done:,} {what}")

    return Watch(progress, undisturbed)


def _source(request: Request, examined: _Examined) -> Source:
    name = "standard input" if request.file == STANDARD_INPUT else Path(request.file).name
    return Source(
        description=name, size_bytes=examined.tap.size, sha256=examined.tap.sha256, facts=tuple(examined.facts)
    )


def _interruption(conclusion: Conclusion, examinations: Sequence[Examination]) -> list[str]:
    if not conclusion.interrupted:
        return []
    finished = " and ".join(examination.finished for examination in examinations)
    return [f"interrupted after {finished}; the verdict is about these alone"]


def _write(request: Request, report: Report) -> Sequence[WrittenFile]:
    """Write the report that was asked for, if one was."""
    if request.report is None:
        return ()
    return write_report(request.report, report, pdf=request.pdf)
