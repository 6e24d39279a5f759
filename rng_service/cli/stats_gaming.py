"""`sealdraw stats run` with the batteries `gaming`, over outcomes, and `weakness`, over raw bytes."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs: without the extra `stats` there is no numpy

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeVar

import click

from anchor.errors import MalformedError
from rng_service.cli.output import print_json, print_table
from rng_service.cli.progress import ProgressBar

if TYPE_CHECKING:
    from stats_tests.multiple import Decision
    from stats_tests.results import TestResult

__all__ = ["run_gaming", "run_weakness"]

_Result = TypeVar("_Result")

_FOUND_WRONG: Final = 1
_INTERRUPTED: Final = 130


def run_gaming(stream: BinaryIO, *, name: str, game: Path, program: str, most: int | None, as_json: bool) -> int | None:
    """Test the outcomes in ``stream`` as the program's steps say they are distributed; return the exit status.

    Raises MalformedError for a definition or outcomes that cannot be read, ConfigError for a finite deal, StatsError.
    """
    from rng_service.games import GameError, load_game
    from rng_service.statistics.outcomes import read_outcomes
    from rng_service.statistics.shapes import shape_of
    from stats_tests.gaming import battery_for, hypotheses, outcomes_of
    from stats_tests.multiple import decide

    try:
        definition = load_game(game)
        steps = definition.program(program).outcome
    except GameError as error:
        raise MalformedError(f"{game}: {error}") from None
    shape = shape_of(steps.steps)
    recorded = read_outcomes(
        stream,
        name=name,
        game=definition.game,
        version=definition.version,
        program=program,
        width=steps.width,
        most=most,
    )
    outcomes = outcomes_of(shape, recorded.rows)
    plan = battery_for(shape, recorded.splits)
    results, interrupted = _watched((test.run(outcomes) for test in plan), len(plan))
    decision = decide(hypotheses(results)) if results else None
    notes = _interrupted(interrupted, len(results), len(plan))
    if recorded.more:
        notes.append(f"only the first {len(recorded.rows):,} outcomes were read")
    head = {"battery": "gaming", "game": definition.game, "program": program, "outcomes": len(recorded.rows)}
    if as_json:
        _print_json(head, [result.as_json() for result in results], decision, notes)
    else:
        click.echo(f"{len(recorded.rows):,} outcomes of {definition.game}, program {program}, battery gaming\n")
        rows = [
            (result.label, result.result, ", ".join(_SHORT_LISTS[name] for name in result.lists)) for result in results
        ]
        _print_text(("test", "smallest P", "P-values", "lists"), rows, decision, notes)
    return _status(decision, interrupted=interrupted)


def run_weakness(stream: BinaryIO, *, as_json: bool) -> int | None:
    """Test raw bytes with what catches weak generators; return the exit status.

    The stream is read to its end for the duplicates, its first 80 MB for the rest. Raises InputError when it is empty
    or text.
    """
    from stats_tests.bits import refuse_text
    from stats_tests.multiple import Hypothesis, decide
    from stats_tests.weakness import SAMPLE_BYTES, WEAKNESS, run_weakness_stream

    sample = _read(stream, SAMPLE_BYTES)
    refuse_text(sample[:4_096])
    results, interrupted = _watched(run_weakness_stream(sample, stream), len(WEAKNESS) + 1)
    questions: list[Hypothesis] = [
        Hypothesis(f"{result.name}[{index}]", p_value)
        for result in results
        for index, p_value in enumerate(result.p_values)
        if p_value is not None
    ]
    decision = decide(questions) if results else None
    notes = _interrupted(interrupted, len(results), len(WEAKNESS) + 1)
    if as_json:
        shown = [{**result.as_json(), "statistics": dict(result.statistics)} for result in results]
        _print_json({"battery": "weakness"}, shown, decision, notes)
    else:
        click.echo("raw bytes, battery weakness\n")
        rows = [(result.name, result, "") for result in results]
        _print_text(("test", "smallest P", "P-values", ""), rows, decision, notes)
    return _status(decision, interrupted=interrupted)


_SHORT_LISTS: Final = {
    "GLI-11/GLI-19 §3.2.2 (2020)": "GLI 2020",
    "older fifteen-test list, e.g. 58 Pa. Code": "fifteen",
    "additional": "additional",
}


def _watched(results: Iterator[_Result], total: int) -> tuple[list[_Result], bool]:
    """Collect results under a progress bar; what is there when somebody presses Ctrl-C is kept."""
    found: list[_Result] = []
    with ProgressBar("testing") as bar:
        bar.update(0, total)
        try:
            for result in results:
                found.append(result)
                bar.update(len(found), total)
        except KeyboardInterrupt:
            return found, True
    return found, False


def _interrupted(interrupted: bool, done: int, total: int) -> list[str]:
    return [f"interrupted after {done} of {total} tests; the verdict is about these alone"] if interrupted else []


def _print_json(
    head: dict[str, Any], results: list[dict[str, Any]], decision: "Decision | None", notes: list[str]
) -> None:
    rest = {"verdict": decision and str(decision.verdict), "decision": decision and decision.as_json()}
    print_json({**head, "tests": results, **rest, "notes": notes})


def _print_text(
    header: tuple[str, ...],
    rows: "Sequence[tuple[str, TestResult, str]]",
    decision: "Decision | None",
    notes: Sequence[str],
) -> None:
    print_table(header, [(label, _short(result.smallest), _counted(result), last) for label, result, last in rows])
    click.echo()
    for label, result, _ in rows:
        if result.reason is not None:
            click.echo(f"{label}: not applicable{' in part' if result.applicable else ''}: {result.reason}")
    for note in notes:
        click.echo(f"note: {note}")
    if decision is None:
        return
    click.echo(
        f"verdict: {decision.verdict}  ({decision.hypotheses:,} P-values taken together: smallest after Holm"
        f" {_short(decision.smallest)}; suspicious below {decision.thresholds.suspicious:g},"
        f" fail below {decision.thresholds.fail:g})"
    )
    for label in decision.rejected[:10]:
        click.echo(f"  {label}")


def _counted(result: "TestResult") -> str:
    return str(sum(p_value is not None for p_value in result.p_values))


def _short(p_value: float | None) -> str:
    return "-" if p_value is None else f"{p_value:.3g}"


def _status(decision: "Decision | None", *, interrupted: bool) -> int | None:
    from stats_tests.multiple import Verdict

    if interrupted:
        return _INTERRUPTED
    return _FOUND_WRONG if decision is not None and decision.verdict is Verdict.FAIL else None


def _read(stream: BinaryIO, size: int) -> bytes:
    """Read ``size`` bytes, or what there is: a pipe gives less than asked for long before its end."""
    parts: list[bytes] = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
