"""`sealdraw stats`: statistical batteries over bits that somebody made, or over outcomes, from a file or a pipe."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs: without the extra `stats` there is no numpy

from pathlib import Path

import click

from rng_service.cli.options import json_option
from rng_service.cli.stats_dump import dump
from rng_service.cli.stats_health import health
from rng_service.cli.stats_status import acknowledge, runs

__all__ = ["stats"]


@click.group(short_help="Statistical tests of bits and outcomes.")
def stats() -> None:
    """Run statistical tests. They find faults of a generator; they never show that one is fair, or unpredictable."""


stats.add_command(dump)
stats.add_command(runs)
stats.add_command(acknowledge)
stats.add_command(health)


@stats.command(epilog="Example: sealdraw stats run random.bin --sequences 100 --report fairness")
@click.argument("file", metavar="FILE|-")
@click.option(
    "--battery",
    type=click.Choice(["nist", "gaming", "weakness", "all"]),
    help="Which tests. By default nist, or gaming with --game.",
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
@click.option(
    "--plan",
    "plan_name",
    metavar="FILE|default",
    help="Look when this plan says so, and take more data while the result is suspicious.",
)
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes that share the work.")
@click.option("--game", type=click.Path(path_type=Path), help="With gaming: the definition whose outcomes these are.")
@click.option("--program", default="base", show_default=True, help="With gaming: which program of the game.")
@click.option(
    "--beside",
    multiple=True,
    metavar="GAME[:PROGRAM]",
    help="With gaming, for an export: another game whose outcomes must not go together with these. Repeatable.",
)
@click.option("--outcomes", type=click.IntRange(min=1), help="With gaming: how many outcomes to read at most.")
@click.option(
    "--report",
    "report_directory",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write statistics.json and statistics.html there.",
)
@click.option("--pdf", is_flag=True, help="With --report: write statistics.pdf, too.")
@json_option
def run(
    file: str,
    battery: str | None,
    mode: str,
    bits: int | None,
    sequences: int | None,
    plan_name: str | None,
    jobs: int,
    game: Path | None,
    program: str,
    beside: tuple[str, ...],
    outcomes: int | None,
    report_directory: Path | None,
    pdf: bool,
    as_json: bool,
) -> int | None:
    """Run a battery over raw bytes, the most significant bit of each first, or over outcomes.

    nist is SP 800-22. weakness finds generators that SP 800-22 passes. all is both, with one verdict. gaming takes
    outcomes: an export, lines of JSON, or CSV; the game's definition says how they are distributed, and so which tests
    are run; of an export also how pools, lanes and streams beside each other go together.

    Exit status 0: pass, or suspicious, which asks for more data and is expected of one perfect source in a hundred.
    1: fail. 2: the input cannot be used, or ended before what was asked for; what was tested is printed first.
    Ctrl-C prints, and reports, what is finished.
    """
    from rng_service.cli.stats_run import Request, run_statistics

    chosen = battery or ("nist" if game is None else "gaming")
    if chosen == "all" and game is not None:
        chosen = "gaming"  # all that there is to run over outcomes
    _refuse_contradictions(
        chosen,
        {"--game": game, "--beside": beside, "--outcomes": outcomes},
        {"--bits": bits, "--sequences": sequences},
    )
    if plan_name is not None and (sequences, outcomes) != (None, None):
        raise click.UsageError("a plan says how many sequences are looked at: leave out --sequences and --outcomes")
    if pdf and report_directory is None:
        raise click.UsageError("--pdf needs --report DIR")
    return run_statistics(
        Request(
            file=file,
            battery=chosen,
            mode=mode,
            bits=bits,
            sequences=sequences,
            plan=plan_name,
            jobs=jobs,
            game=game,
            program=program,
            beside=beside,
            outcomes=outcomes,
            report=report_directory,
            pdf=pdf,
            as_json=as_json,
        )
    )


def _refuse_contradictions(battery: str, about_outcomes: dict[str, object], about_bits: dict[str, object]) -> None:
    """Raise UsageError for an option that would do nothing with this battery, and for gaming without a game."""
    gaming = battery == "gaming"
    if gaming and about_outcomes["--game"] is None:
        raise click.UsageError("the battery gaming needs --game FILE, the definition of the game")
    for name, value in (about_bits if gaming else about_outcomes).items():
        if value:
            raise click.UsageError(f"{name} means nothing to the battery {battery}")
