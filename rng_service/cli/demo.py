"""`sealdraw demo`: the main job, end to end, on this machine."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs

import threading
from pathlib import Path
from typing import Self

import click

from rng_service.cli.demo_report import demo_json, demo_lines
from rng_service.cli.output import print_json
from rng_service.cli.progress import ProgressBar

__all__ = ["demo"]


@click.command(
    short_help="The main job end to end on this machine, and three cheats caught.",
    epilog="Example: sealdraw demo --dir /tmp/sealdraw-demo --draws 50000",
)
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="A new directory; a former demo in it is replaced.",
)
@click.option("--draws", type=click.IntRange(1_000, 10_000_000), default=12_000, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def demo(directory: Path, draws: int, as_json: bool) -> None:
    """Start the real processes, play four games over gRPC, audit everything, and catch three cheats.

    The development beacon stands in for drand: it shows how everything runs and protects nobody. Nothing leaves this
    machine. The directory stays, for you to look at.
    """
    from rng_service.demo.run import run_demo

    if not as_json:
        click.echo(f"Sealdraw demo in {directory}{'' if directory.is_absolute() else '/'}".rstrip("/"))
        click.echo()
    with _Narrator(quiet=as_json) as narrator:
        done = run_demo(directory, draws, narrator)
    if as_json:
        print_json(demo_json(done))
        return
    for line in demo_lines(done):
        click.echo(line)


class _Narrator:
    """A line for each part on standard output, a progress bar on a terminal meanwhile."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._name = ""
        self._bar = ProgressBar("")
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self._bar.clear()

    def step(self, name: str) -> None:
        with self._lock:
            self._name = name
            self._bar = ProgressBar(f"  {name:<8}")
            self._bar.update(0, 0)

    def progress(self, done: int, total: int) -> None:
        with self._lock:
            self._bar.update(done, total)

    def done(self, text: str) -> None:
        with self._lock:
            self._bar.clear()
            if not self._quiet:
                click.echo(f"  {click.style(f'{self._name:<8}', bold=True)}  {text}")
