"""`sealdraw stats`: statistical batteries over bits that somebody made, from a file or a pipe."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs: without the extra `stats` there is no numpy

import os
import stat
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import click

from rng_service.cli.options import json_option
from rng_service.cli.progress import ProgressBar
from rng_service.cli.stats_gaming import run_gaming, run_weakness
from rng_service.cli.stats_report import JsonReport, Report, TextReport

if TYPE_CHECKING:
    from stats_tests.bits import SequenceReader
    from stats_tests.nist import Mode
    from stats_tests.second_level import SecondLevel

__all__ = ["stats"]

_FOUND_WRONG: Final = 1
_INTERRUPTED: Final = 130
_STANDARD_INPUT: Final = "-"


@click.group(short_help="Statistical tests of bits and outcomes.")
def stats() -> None:
    """Run statistical tests. They find faults of a generator; they never show that one is fair, or unpredictable."""


@stats.command(epilog="Example: sealdraw stats run random.bin --sequences 100")
@click.argument("file", metavar="FILE|-")
@click.option(
    "--battery",
    type=click.Choice(["nist", "gaming", "weakness"]),
    default="nist",
    show_default=True,
    help="Which tests.",
)
@click.option(
    "--mode",
    type=click.Choice(["exact", "nist-2.1.2"]),
    default="exact",
    show_default=True,
    help="Right constants, or those of NIST's program sts-2.1.2, for comparison with it.",
)
@click.option(
    "--bits",
    type=click.IntRange(min=1),
    help="Bits in a sequence; by default a million, or as many as a shorter input has.",
)
@click.option("--sequences", type=click.IntRange(min=1), help="How many sequences; by default as many as there are.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes that share the work.")
@click.option("--game", type=click.Path(path_type=Path), help="With gaming: the definition whose outcomes these are.")
@click.option("--program", default="base", show_default=True, help="With gaming: which program of the game.")
@click.option("--outcomes", type=click.IntRange(min=1), help="With gaming: how many outcomes to read at most.")
@json_option
def run(
    file: str,
    battery: str,
    mode: str,
    bits: int | None,
    sequences: int | None,
    jobs: int,
    game: Path | None,
    program: str,
    outcomes: int | None,
    as_json: bool,
) -> int | None:
    """Run a battery over raw bytes, the most significant bit of each first, or over outcomes.

    nist is SP 800-22. weakness finds generators that SP 800-22 passes. gaming takes outcomes: an export, lines of
    JSON, or CSV; the game's definition says how they are distributed, and so which tests are run.

    Exit status 0: pass, or suspicious, which asks for more data and is expected of one perfect source in a hundred.
    1: fail. 2: the input cannot be used, or ended before the sequences asked for; what was tested is printed first.
    Ctrl-C prints what is finished.
    """
    from stats_tests.errors import StatsError
    from stats_tests.multiple import Verdict, decide
    from stats_tests.nist import Mode

    if battery != "nist":
        try:
            with _open(file) as stream:
                if battery == "weakness":
                    return run_weakness(stream, as_json=as_json)
                if game is None:
                    raise click.UsageError("the battery gaming needs --game FILE, the definition of the game")
                return run_gaming(stream, name=file, game=game, program=program, most=outcomes, as_json=as_json)
        except StatsError as error:
            raise click.ClickException(f"{file}: {error}") from None
    report: Report = JsonReport() if as_json else TextReport()
    try:
        with _open(file) as stream:
            reader = _reader(stream, bits, Mode(mode))
            total = sequences or _sequences_in(stream, reader)
            report.begin(battery, mode, reader.bits)
            second_level, interrupted = _test(reader, sequences, total, Mode(mode), jobs, report)
        if second_level.sequences == 0:
            return _INTERRUPTED
        decision = decide(second_level.hypotheses())
    except StatsError as error:
        raise click.ClickException(f"{file}: {error}") from None
    notes = _notes(second_level.sequences, sequences, reader, interrupted=interrupted)
    report.end(second_level.columns(), decision, notes)
    if interrupted:
        return _INTERRUPTED
    if decision.verdict is Verdict.FAIL:
        return _FOUND_WRONG
    if sequences is not None and second_level.sequences < sequences:
        raise click.ClickException(f"{file}: {notes[0]}")
    return None


def _reader(stream: BinaryIO, bits: int | None, mode: "Mode") -> "SequenceReader":
    """Open the bits, and refuse sequences that no test can be run on before anything is printed."""
    from stats_tests.bits import SequenceReader
    from stats_tests.errors import InputError
    from stats_tests.nist import NIST_WORD_BITS, SUITE, Mode

    reader = SequenceReader(stream, bits=bits, align=NIST_WORD_BITS if mode is Mode.NIST_2_1_2 else 1)
    reasons = [test.unsuitable(reader.bits) for test in SUITE]
    if None not in reasons:
        raise InputError(f"{reader.bits} bits are too few for every test; the first {reasons[0]}")
    return reader


def _test(
    reader: "SequenceReader", sequences: int | None, total: int, mode: "Mode", jobs: int, report: Report
) -> "tuple[SecondLevel, bool]":
    """Test sequence after sequence; return what they say together, and whether somebody pressed Ctrl-C."""
    from stats_tests.nist import Mode, run_stream
    from stats_tests.second_level import SecondLevel

    second_level = SecondLevel(as_nist=mode is Mode.NIST_2_1_2)
    with ProgressBar("testing") as bar:
        bar.update(0, total)

        def progress(done: int) -> None:
            bar.update(done, max(done, total) if total else 0, "" if total else f"{done:,} sequences")

        results = run_stream(reader, sequences=sequences, mode=mode, jobs=jobs, progress=progress)
        with closing(results):
            try:
                for result in results:
                    second_level.add([result])
                    report.add(result)
            except KeyboardInterrupt:
                return second_level, True
    return second_level, False


def _notes(done: int, asked: int | None, reader: "SequenceReader", *, interrupted: bool) -> list[str]:
    notes = []
    if interrupted:
        notes.append(f"interrupted after {done:,} sequences; the verdict is about these alone")
    elif asked is not None and done < asked:
        notes.append(f"the input ended after {done:,} of {asked:,} sequences; the verdict is about these alone")
    if reader.left_over_bits and not interrupted:
        notes.append(f"the last {reader.left_over_bits:,} bits are too few for a sequence and were not tested")
    return notes


def _sequences_in(stream: BinaryIO, reader: "SequenceReader") -> int:
    """Return about how many sequences a regular file holds, for the progress bar; 0 for a pipe."""
    try:
        status = os.fstat(stream.fileno())
    except OSError:  # nothing that the operating system knows of
        return 0
    return status.st_size * 8 // reader.bits if stat.S_ISREG(status.st_mode) else 0


@contextmanager
def _open(file: str) -> Generator[BinaryIO]:
    if file == _STANDARD_INPUT:
        yield sys.stdin.buffer
        return
    with Path(file).open("rb") as stream:
        yield stream
