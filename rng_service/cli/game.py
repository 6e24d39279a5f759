"""`sealdraw game`: check a definition, register it, list what is registered."""

from pathlib import Path
from typing import Any

import click

from anchor.errors import MalformedError
from rng_service.cli.options import json_option
from rng_service.cli.output import print_json, table_lines
from rng_service.games import GameError, load_game, theory

__all__ = ["game"]


@click.group()
def game() -> None:
    """Game definitions: exact return, registration."""


@game.command(epilog="Example: sealdraw game check games/european-roulette.json")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def check(file: Path, as_json: bool) -> None:
    """Read a game definition and show its exact return, bet by bet.

    Needs no service. The digest is what pools commit to. Exit status 2 names the first field that does not hold.
    """
    try:
        definition = load_game(file)
        figures = theory(definition)
    except GameError as error:
        raise MalformedError(f"{file}: {error}") from None
    if as_json:
        print_json(figures)
        return
    click.echo(f"{definition.title}: {definition.game} version {definition.version}")
    click.echo(f"digest {figures['digest']}")
    for name, program in figures["programs"].items():
        click.echo(f"\nprogram {name}: returns {program['rtp_percent']} % on {program['reference_bet']}")
        for line in table_lines(_HEADER, [_row(label, bet) for label, bet in program["bets"].items()]):
            click.echo(f"  {line}")


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
