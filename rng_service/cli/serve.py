"""`sealdraw serve`: everything of one node, supervised."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs

import os
import sys
from pathlib import Path

import click

from rng_service.cli.options import config_option, read_config

__all__ = ["serve"]


@click.command(
    short_help="Run everything of one node, supervised.",
    epilog="Example: sealdraw serve --config ./sealdraw/sealdraw.toml --workers 2",
)
@config_option
@click.option("--workers", type=click.IntRange(1, 64), help="Front processes; above the setting api.workers.")
def serve(config_path: Path, workers: int | None) -> None:
    """Run vault, sequencer, fronts and public files, and keep them running.

    Logs JSON lines to standard error. SIGTERM and Ctrl-C end everything in order: what was accepted is answered and
    published first. Exit status 2 when a process refuses to go on; the reason is the last line.
    """
    from rng_service.supervision.event_log import event_logger
    from rng_service.supervision.lock import take_lock
    from rng_service.supervision.plan import plan
    from rng_service.supervisor import Supervisor, base_environment, install_signals

    config = read_config(config_path)
    count = workers or config.api.workers
    lock = take_lock(config.vault_socket.parent / "serve.lock")
    supervisor = Supervisor(
        plan(config, config_path.resolve(), count),
        event_logger(sys.stderr),
        environment=base_environment(os.environ, count),
        keep_open=[lock],
    )
    install_signals(supervisor)
    supervisor.run()
