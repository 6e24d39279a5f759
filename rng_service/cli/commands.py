"""Every top-level command. None of their modules loads gRPC or a database before a command needs it."""

from typing import Final

import click

from rng_service.cli.anchor import anchor
from rng_service.cli.bench import bench
from rng_service.cli.caller import caller
from rng_service.cli.deal import deal
from rng_service.cli.demo import demo
from rng_service.cli.doctor import doctor
from rng_service.cli.export import export
from rng_service.cli.game import game
from rng_service.cli.game_server import draw, reserve, resolve, settle
from rng_service.cli.init import init
from rng_service.cli.keys import keys
from rng_service.cli.pool import pool
from rng_service.cli.recall import recall
from rng_service.cli.reconcile import reconcile
from rng_service.cli.recover import recover
from rng_service.cli.rollups import ledger
from rng_service.cli.rtp import rtp
from rng_service.cli.serve import serve
from rng_service.cli.stats import stats
from rng_service.cli.verify import verify

__all__ = ["COMMANDS"]

COMMANDS: Final[tuple[click.Command, ...]] = (
    demo,
    init,
    serve,
    doctor,
    recover,
    game,
    draw,
    reserve,
    settle,
    resolve,
    verify,
    export,
    anchor,
    rtp,
    reconcile,
    recall,
    ledger,
    stats,
    pool,
    deal,
    keys,
    caller,
    bench,
)
