"""`sealdraw init`: settings, keys and ledger of a new service."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs

import time
from pathlib import Path

import click

from rng_service.cli.options import json_option
from rng_service.cli.output import print_json

__all__ = ["init"]


@click.command(
    short_help="Make a new service: settings, keys, ledger.",
    epilog="Example: sealdraw init ./sealdraw --origin acme.example --env prod",
)
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--origin", "name", required=True, metavar="NAME", help="Your name in the log's name: acme.example.")
@click.option(
    "--env", "environment", required=True, metavar="ENV", help="Environment: prod, or dev, test, demo for development."
)
@json_option
def init(directory: Path, name: str, environment: str, as_json: bool) -> None:
    """Make DIRECTORY into a new service: sealdraw.toml, vault keys, ledger, public directory.

    The log is called NAME/ENV for ever. A directory with content is refused.
    """
    from rng_service.initialise import initialise, origin_of

    done = initialise(directory, origin_of(name, environment), clock_us=lambda: time.time_ns() // 1_000)
    if as_json:
        print_json(
            {
                "origin": done.config.service.origin,
                "config": str(done.settings_path),
                "public": str(done.config.public_dir),
                "vkey": done.vkey,
            }
        )
        return
    click.echo(f"{directory}: ready for {done.config.service.origin}")
    click.echo("The log's verifier key; hand it to auditors by a way of its own:")
    click.echo(f"  {done.vkey}")
    click.echo(f"Look at the settings, then: sealdraw serve --config {done.settings_path}")
