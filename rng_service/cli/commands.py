"""Every top-level command. None of their modules loads gRPC or a database before a command needs it."""

from typing import Final

import click

from rng_service.cli.game import game
from rng_service.cli.init import init
from rng_service.cli.serve import serve
from rng_service.cli.verify import verify

__all__ = ["COMMANDS"]

COMMANDS: Final[tuple[click.Command, ...]] = (init, serve, game, verify)
