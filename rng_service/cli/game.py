"""`sealdraw game`: check a definition, register it, list what is registered."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs

from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import click

from anchor import canonical
from anchor.errors import MalformedError
from rng_service.cli.connection import Connection, call, connection_options, open_connection
from rng_service.cli.game_files import upload_files
from rng_service.cli.options import json_option
from rng_service.cli.output import print_json, print_table, table_lines
from rng_service.cli.stake_engine import import_stake_engine
from rng_service.errors import ConfigError
from rng_service.games import GameError, load_game, theory
from rng_service.games.files import files_beside, find_beside
from rng_service.par import par_page, par_sheet

__all__ = ["game"]


@click.group()
def game() -> None:
    """Game definitions: exact return, registration."""


game.add_command(import_stake_engine)


@game.command(epilog="Example: sealdraw game check games/european-roulette.json")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--distribution", is_flag=True, help="With --json: the probability of every multiplier of every bet.")
@json_option
def check(file: Path, distribution: bool, as_json: bool) -> None:
    """Read a game definition and show its exact return, bet by bet.

    Needs no service. The digest is what pools commit to. Exit status 2 names the first field that does not hold.
    """
    try:
        definition = load_game(file)
        figures = theory(definition, distribution=distribution)
    except GameError as error:
        raise MalformedError(f"{file}: {error}") from None
    if as_json:
        print_json(figures)
        return
    click.echo(f"{definition.title}: {definition.game} version {definition.version}")
    click.echo(f"digest {figures['digest']}")
    for name, program in figures["programs"].items():
        if not program["bets"]:
            click.echo(f"\nprogram {name}: no bets: outcomes only")
            continue
        click.echo(f"\nprogram {name}: returns {program['rtp_percent']} % on {program['reference_bet']}")
        for line in table_lines(_HEADER, [_row(label, bet) for label, bet in program["bets"].items()]):
            click.echo(f"  {line}")


@game.command(epilog="Example: sealdraw game par games/fruit-lines.json --out sheets")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The directory to write to; by default the current one.",
)
@json_option
def par(file: Path, out: Path, as_json: bool) -> None:
    """Write the PAR sheet of a game: GAME-VERSION.par.json, and .par.html for people and printers.

    Needs no service. A service that registers the game publishes the same two files, and their digests in its log.
    With --json the sheet goes to standard output and no file is written.
    """
    try:
        definition = load_game(file)
        sheet = par_sheet(definition)
    except GameError as error:
        raise MalformedError(f"{file}: {error}") from None
    if as_json:
        print_json(sheet)
        return
    out.mkdir(parents=True, exist_ok=True)
    stem = f"{definition.game}-{definition.version}.par"
    for name, content in ((f"{stem}.json", canonical.encode(sheet)), (f"{stem}.html", par_page(sheet))):
        (out / name).write_bytes(content)
        click.echo(f"{out / name}  SHA-256 {sha256(content).hexdigest()}")


@game.command(epilog="Example: sealdraw game register games/european-roulette.json --class real --lanes 4")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--class",
    "play_classes",
    type=click.Choice(["real", "free"]),
    multiple=True,
    help="Play classes to make pools for; by default those of the definition. May be repeated.",
)
@click.option("--lanes", type=click.IntRange(1, 256), default=1, show_default=True, help="Rows of pools per stream.")
@click.option("--pool-size", type=click.IntRange(1, 1 << 20), help="Slots of a pool; by default that of the settings.")
@click.option(
    "--files",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the files that the definition names are; by default beside it.",
)
@connection_options
@json_option
def register(
    file: Path,
    play_classes: tuple[str, ...],
    lanes: int,
    pool_size: int | None,
    files: Path | None,
    connection: Connection,
    as_json: bool,
) -> None:
    """Register a game version for ever; the same definition again changes nothing.

    Files that the definition names (weights, books) are uploaded first. Pools are sealed at once, and can be drawn from
    when their beacon round has come.
    """
    from sealdraw.v1 import operator_pb2, operator_pb2_grpc, types_pb2

    from rng_service.request_id import new_request_id

    classes = {"real": types_pb2.PLAY_CLASS_REAL, "free": types_pb2.PLAY_CLASS_FREE}
    directory = files or file.parent
    try:
        definition = load_game(file, files_beside(directory))
    except GameError as error:
        raise MalformedError(f"{file}: {error}") from None
    request = operator_pb2.RegisterGameRequest(
        request_id=new_request_id(),
        definition=definition.canonical,
        play_classes=[classes[name] for name in play_classes],
        lanes=lanes,
        pool_size=pool_size or 0,
    )
    with open_connection(connection) as channel:
        upload_files(channel, definition, partial(find_beside, directory), connection)
        answer = call(operator_pb2_grpc.OperatorServiceStub(channel).RegisterGame, request, connection)
    _show_games([answer.game], as_json)


@game.command("list", epilog="Example: sealdraw game list --json")
@connection_options
@json_option
def list_games(connection: Connection, as_json: bool) -> None:
    """List the registered game versions."""
    from sealdraw.v1 import operator_pb2, operator_pb2_grpc

    games: list[Any] = []
    token = ""
    with open_connection(connection) as channel:
        stub = operator_pb2_grpc.OperatorServiceStub(channel)
        while True:
            answer = call(stub.ListGames, operator_pb2.ListGamesRequest(page_token=token), connection)
            games.extend(answer.games)
            token = answer.next_page_token
            if not token:
                break
    _show_games(games, as_json)


@game.command(epilog="Example: sealdraw game retire european-roulette 1 --yes")
@click.argument("name")
@click.argument("version", type=click.IntRange(1))
@click.option("--yes", is_flag=True, help="It cannot be undone: say so.")
@connection_options
@json_option
def retire(name: str, version: int, yes: bool, connection: Connection, as_json: bool) -> None:
    """End a game version: no more draws; its remaining slots are opened and its pools close."""
    from sealdraw.v1 import operator_pb2, operator_pb2_grpc

    from rng_service.request_id import new_request_id

    if not yes:
        raise ConfigError(f"retiring version {version} of {name} cannot be undone; repeat with --yes")
    request = operator_pb2.RetireGameRequest(request_id=new_request_id(), name=name, version=version)
    with open_connection(connection) as channel:
        answer = call(operator_pb2_grpc.OperatorServiceStub(channel).RetireGame, request, connection)
    _show_games([answer.game], as_json)


def _show_games(games: list[Any], as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {
                    "game": item.name,
                    "version": item.version,
                    "digest": item.digest.hex(),
                    "programs": list(item.programs),
                    "retired": item.retired,
                }
                for item in games
            ]
        )
        return
    rows = [
        (item.name, str(item.version), " ".join(item.programs), "retired" if item.retired else "", item.digest.hex())
        for item in games
    ]
    print_table(("game", "version", "programs", "state", "digest"), rows, left=5)


_HEADER = ("bet", "return", "exactly", "hits", "deviation", "volatility", "top prize", "odds")
_LONGEST_FRACTION = 15


def _row(label: str, bet: dict[str, Any]) -> tuple[str, ...]:
    return (
        label,
        f"{bet['rtp_percent']} %",
        bet["rtp"] if len(bet["rtp"]) <= _LONGEST_FRACTION else "see --json",
        _short(bet["hit_frequency"]),
        f"{bet['standard_deviation']:.3f}",
        f"{bet['volatility_index_95']:.3f}",
        _short(bet["top_prize"]["multiplier"]),
        _short(bet["top_prize"]["odds"]),
    )


def _short(fraction: str) -> str:
    """Return a fraction as it is, or as ``1 in …`` when its terms are too long for a column."""
    if len(fraction) <= _LONGEST_FRACTION:
        return fraction
    numerator, _, denominator = fraction.partition("/")
    whole = int(denominator or 1) / int(numerator)
    return f"1 in {whole:,.2f}" if whole > 1 else f"{1 / whole:,.4f}"
