"""`sealdraw doctor`: a service looked over, without changing anything."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs

import time
from dataclasses import asdict
from pathlib import Path

import click

from rng_service.cli.options import config_option, json_option, read_config
from rng_service.cli.output import print_json

__all__ = ["doctor"]

_MARKS = {"ok": "ok   ", "note": "note ", "weak": "WEAK ", "wrong": "WRONG"}


@click.command(
    short_help="What is configured, reachable, hardened; and what not.",
    epilog="Example: sealdraw doctor --config ./sealdraw/sealdraw.toml",
)
@config_option
@json_option
def doctor(config_path: Path, as_json: bool) -> int:
    """Say what is configured, reachable and hardened, and what is not.

    Run it as the service's own user. Exit status 1 when something is WRONG; WEAK works and could be better protected.
    """
    from rng_service.doctor import Verdict, examine

    checks = []
    for check in examine(read_config(config_path), clock_us=lambda: time.time_ns() // 1_000):
        checks.append(check)
        if not as_json:
            click.echo(f"{_MARKS[check.verdict]}  {check.name}: {check.finding}")
            if check.advice:
                click.echo(f"       → {check.advice}")
    wrong = sum(check.verdict is Verdict.WRONG for check in checks)
    if as_json:
        print_json({"wrong": wrong, "checks": [asdict(check) for check in checks]})
    else:
        weak = sum(check.verdict is Verdict.WEAK for check in checks)
        click.echo(f"{len(checks)} checks: {wrong} wrong, {weak} weak")
    return 1 if wrong else 0
