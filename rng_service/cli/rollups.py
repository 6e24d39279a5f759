"""`sealdraw ledger`: what is kept beside the records, made again from them."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs

import os
from pathlib import Path

import click

from rng_service.cli.ledger import open_ledger
from rng_service.cli.options import config_option, json_option, read_config
from rng_service.cli.output import print_json
from rng_service.cli.progress import ProgressBar

__all__ = ["ledger"]


@click.group(short_help="Make again what follows from the records.")
def ledger() -> None:
    """Make again what follows from the records of the ledger."""


@ledger.command("rebuild-rollups", epilog="Example: sealdraw ledger rebuild-rollups --config ./sealdraw/sealdraw.toml")
@config_option
@json_option
def rebuild(config_path: Path, as_json: bool) -> None:
    """Add up every record again, by the stake bands as they are configured now. Stop the service first.

    All or nothing: interrupted, the rollups stay as they were. Acknowledged alarms stay acknowledged; tags that were
    erased are gone from the rows.
    """
    from rng_service.games.files import directory_files
    from rng_service.ledger.engine import writing
    from rng_service.ledger.leases import acquire_lease, release_lease
    from rng_service.ledger.migrate import upgrade
    from rng_service.rtp.stakes import parse_stake_bands
    from rng_service.sequencer.process import holder_name, lock_installation, system_clock_us
    from rng_service.sequencer.rollup_rebuild import rebuild_rollups
    from rng_service.sequencer.sequencer import LEASE

    config = read_config(config_path)
    lock = lock_installation(config)
    try:
        with open_ledger(config) as engine, ProgressBar("adding up") as bar:
            upgrade(engine)
            with writing(engine) as connection:
                # A sequencer elsewhere that leads this ledger is refused here, and finds its lease lost there.
                lease = acquire_lease(
                    connection, LEASE, holder_name(config), now_us=system_clock_us(), lifetime_us=1_000_000
                )
                found = rebuild_rollups(
                    connection,
                    parse_stake_bands(config.rtp.stake_bands),
                    bar.update,
                    directory_files(config.game_files_dir),
                )
                release_lease(connection, lease)
    finally:
        os.close(lock)
    if as_json:
        print_json({"digests": found.digests, "records": found.records})
        return
    click.echo(f"added up {found.records} records of {found.digests} digests")
