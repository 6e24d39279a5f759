"""`sealdraw game import-stake-engine`: a Stake Engine math package as it is, made into a game."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from anchor.files import atomic_write
from rng_service.cli.connection import Connection, connection_options, open_connection
from rng_service.cli.game_files import upload_files
from rng_service.cli.options import json_option
from rng_service.cli.output import print_json, print_table
from rng_service.cli.progress import ProgressBar
from rng_service.errors import ConfigError
from rng_service.games import GameDefinition, GameError, theory
from rng_service.outcome.lookup import PAYOUT_UNIT

if TYPE_CHECKING:
    from rng_service.stake_engine.package import CheckedMode, Package

__all__ = ["import_stake_engine"]

# Directories of the tool's own layout, which say nothing about the game.
_LAYOUT: Final = ("publish_files", "library", "")
_NO_NAME: Final = re.compile(r"[^a-z0-9-]+")
_HEADER: Final = ("mode", "program", "cost", "rows", "return", "hits", "top prize", "odds")


@click.command(
    "import-stake-engine",
    short_help="Check a Stake Engine math package and make a game of it.",
    epilog="Example: sealdraw game import-stake-engine library/publish_files --game rage-mode --out rage-mode",
)
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--game", "name", metavar="NAME", help="The game's name; by default made of the directory's.")
@click.option("--version", type=click.IntRange(1), default=1, show_default=True, help="The game's version.")
@click.option("--title", help="The game's title; by default its name.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write game.json and its files here.")
@click.option("--register", is_flag=True, help="Upload the files to a service and register the game there.")
@connection_options
@json_option
def import_stake_engine(
    directory: Path,
    name: str | None,
    version: int,
    title: str | None,
    out: Path | None,
    register: bool,  # noqa: ARG001 - without it there is no connection
    connection: Connection | None,
    as_json: bool,
) -> None:
    """Check the package in DIRECTORY (index.json, weights, books), all of it, and show what each mode returns.

    Needs no service. Every weights row is held against its book; a row that does not hold is named by file and line.
    Returns are exact, for each unit staked: a mode's stake is its cost times the base bet. With --out or --register
    nothing is written or sent before the whole package was checked.
    """
    from rng_service.stake_engine.package import read_package

    with ProgressBar(f"reading {directory}") as bar:
        package = read_package(directory, lambda what, done, total: bar.update(done, total, what))
    name = name or _name_of(directory)
    try:
        definition = package.definition(name, version, title or name)
    except GameError as error:
        raise ConfigError(f"the game {name!r} cannot be made: {error}") from None
    figures = theory(definition)
    if as_json:
        print_json({**figures, "modes": [_as_json(mode, figures) for mode in package.modes]})
    else:
        click.echo(f"{definition.title}: {definition.game} version {definition.version}")
        click.echo(f"digest {definition.digest.hex()}\n")
        print_table(_HEADER, [_row(mode, figures) for mode in package.modes], left=2)
    if out is not None:
        _write(package, definition, out)
        click.echo(f"\nwritten to {out}; register it: sealdraw game register {out / 'game.json'}", err=as_json)
    if connection is not None:
        _register(package, definition, connection)
        click.echo(f"\nregistered {definition.game} version {definition.version}", err=as_json)


def _name_of(directory: Path) -> str:
    for part in reversed(directory.absolute().parts):
        found = _NO_NAME.sub("-", part.lower()).strip("-")[:32]
        if found and part not in _LAYOUT:
            return found
    raise ConfigError(f"{directory}: no name for a game in it; give one with --game")


def _write(package: "Package", definition: GameDefinition, out: Path) -> None:
    files = out / "files"
    files.mkdir(parents=True, exist_ok=True)
    for file, source in package.files().items():
        shutil.copyfile(source, files / file)
    # Last, so that whoever finds it finds its files too.
    atomic_write(out / "game.json", definition.canonical)


def _register(package: "Package", definition: GameDefinition, connection: Connection) -> None:
    from sealdraw.v1 import operator_pb2, operator_pb2_grpc

    from rng_service.cli.connection import call
    from rng_service.request_id import new_request_id

    names = package.files()

    def find(digest: bytes, suffixes: tuple[str, ...]) -> Path:
        return names[f"{digest.hex()}{suffixes[0]}"]

    with open_connection(connection) as channel:
        upload_files(channel, definition, find, connection)
        request = operator_pb2.RegisterGameRequest(request_id=new_request_id(), definition=definition.canonical)
        call(operator_pb2_grpc.OperatorServiceStub(channel).RegisterGame, request, connection)


def _row(checked: "CheckedMode", figures: dict[str, Any]) -> tuple[str, ...]:
    program = figures["programs"][checked.mode.program]
    top = program["top_prize"]
    return (
        checked.mode.name,
        checked.mode.program,
        str(checked.mode.cost),
        f"{checked.table.rows:,}",
        f"{program['rtp_percent']} %",
        _one_in(program["hit_frequency"]),
        f"{top['multiplier']}",
        _one_in(top["odds"]),
    )


def _one_in(fraction: str) -> str:
    numerator, _, denominator = fraction.partition("/")
    return f"1 in {int(denominator or 1) / int(numerator):,.2f}" if int(numerator) else "never"


def _as_json(checked: "CheckedMode", figures: dict[str, Any]) -> dict[str, Any]:
    mode, table, books = checked.mode, checked.table, checked.books
    program = figures["programs"][mode.program]
    return {
        "name": mode.name,
        "program": mode.program,
        "cost": str(mode.cost),
        "rows": table.rows,
        "never_drawn": sum(table.weight(row) == 0 for row in range(table.rows)),
        "total_weight": str(table.total),
        "rtp": program["rtp"],
        "rtp_percent": program["rtp_percent"],
        "hit_frequency": program["hit_frequency"],
        "top_prize": program["top_prize"],
        "top_payout_base_bets": f"{max(table.weight_by_payout) / PAYOUT_UNIT:g}",
        "weights": {"file": mode.weights, "sha256": table.digest.hex()},
        "books": {"file": mode.books, "sha256": books.file.hex(), "root": books.root.hex()},
    }
