"""`sealdraw recover`: what does not belong together after a crash or a restored copy, and what can be done."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs

from dataclasses import asdict
from pathlib import Path

import click

from rng_service.cli.options import config_option, json_option, read_config
from rng_service.cli.output import print_json

__all__ = ["recover"]

_ADVICE = {
    "configure": "correct the setting",
    "restore": "put the newest copy back; nothing here can replace it",
    "rebuild": "with --yes: the public directory is made again from the ledger",
    "burn": "with --yes: the pools concerned are stopped, and the log says so",
}


@click.command(
    short_help="Compare ledger, vault and log; rebuild or burn.",
    epilog="Example: sealdraw recover --config ./sealdraw/sealdraw.toml",
)
@config_option
@click.option("--yes", is_flag=True, help="Do what can be done. Without it nothing is changed.")
@json_option
def recover(config_path: Path, yes: bool, as_json: bool) -> int:
    """Compare ledger, vault and public directory, and say what would be rebuilt or burned. Stop the service first.

    Exit status 1 while something does not belong together.
    """
    from rng_service.recovery import examine, repair

    config = read_config(config_path)
    done: list[str] = []
    if yes:
        findings, done = repair(config)
    else:
        findings = examine(config)
    if as_json:
        print_json({"findings": [asdict(finding) for finding in findings], "done": done})
        return 1 if findings else 0
    for line in done:
        click.echo(f"done: {line}")
    for finding in findings:
        click.echo(f"{finding.kind}: {finding.message}")
        click.echo(f"  → {_ADVICE[finding.remedy]}")
    if not findings:
        click.echo("ledger, vault and public directory belong together; start the service: sealdraw serve")
    return 1 if findings else 0
