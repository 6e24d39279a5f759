"""`sealdraw deal`: finite deals: their flare, approval, inventory, withdrawal."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs

from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from anchor.errors import MalformedError
from rng_service.cli.connection import Connection, call, connection_options, open_connection
from rng_service.cli.options import json_option
from rng_service.cli.output import print_json, print_table
from rng_service.errors import ConfigError
from rng_service.games import GameError, load_game
from rng_service.games.reference import reference_of
from rng_service.games.theory import percent
from rng_service.outcome.steps import Deal

__all__ = ["deal"]


@click.group()
def deal() -> None:
    """Finite deals, such as pull-tabs: flare, approval, inventory, withdrawal."""


@deal.command(epilog="Example: sealdraw deal flare games/pull-tab.json")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def flare(file: Path, as_json: bool) -> None:
    """Show the public prize structure of every deal in a game definition.

    Needs no service. The serial of each deal is its pool, whose commitment names the digest shown here.
    """
    try:
        definition = load_game(file)
        found = [_flare(name, definition.program(name)) for name in sorted(definition.programs)]
    except GameError as error:
        raise MalformedError(f"{file}: {error}") from None
    deals = [item for item in found if item is not None]
    if not deals:
        raise ConfigError(f"{file}: no program of {definition.game} is a deal")
    if as_json:
        digest = definition.digest.hex()
        print_json({"game": definition.game, "version": definition.version, "digest": digest, "deals": deals})
        return
    click.echo(f"{definition.title}: {definition.game} version {definition.version}")
    click.echo(f"digest {definition.digest.hex()}")
    for item in deals:
        click.echo(
            f"\nprogram {item['program']}: {item['tickets']:,} tickets at {item['price_minor']} {item['currency']} "
            f"(minor units), returns {item['rtp_percent']} %, ends {item['end_of_deal']}"
        )
        rows = [
            (str(tier["pays_minor"]), f"{tier['tickets']:,}", f"1 in {item['tickets'] / tier['tickets']:,.2f}")
            for tier in item["tiers"]
        ]
        print_table(("pays", "tickets", "chance of the first ticket"), rows, left=0)


@deal.command(epilog="Example: sealdraw deal approve demo/pull-tab/1/base/real/0/1 --by j-doe --reference letter-17")
@click.argument("pool_id")
@click.option("--by", "approver", required=True, help="A slug: who answers for it. The log shows it for ever.")
@click.option("--reference", default="", help="What the approval rests on, such as the number of a letter.")
@connection_options
@json_option
def approve(pool_id: str, approver: str, reference: str, connection: Connection, as_json: bool) -> None:
    """Let the sale of an activated deal begin, once the approval is in the public log."""
    from sealdraw.v1 import operator_pb2, operator_pb2_grpc

    from rng_service.request_id import new_request_id

    request = operator_pb2.ApproveDealRequest(
        request_id=new_request_id(), pool_id=pool_id, approver=approver, reference=reference
    )
    with open_connection(connection) as channel:
        answer = call(operator_pb2_grpc.OperatorServiceStub(channel).ApproveDeal, request, connection)
    _show([answer.deal], as_json)


@deal.command(epilog="Example: sealdraw deal inventory --game pull-tab --json")
@click.option("--game", default="", help="Only deals of this game.")
@connection_options
@json_option
def inventory(game: str, connection: Connection, as_json: bool) -> None:
    """List the deals: activated, approved, sold, unsold, withdrawn; sold prizes of closed deals only."""
    from sealdraw.v1 import operator_pb2, operator_pb2_grpc

    deals: list[Any] = []
    token = ""
    with open_connection(connection) as channel:
        stub = operator_pb2_grpc.OperatorServiceStub(channel)
        while True:
            answer = call(stub.ListDeals, operator_pb2.ListDealsRequest(page_token=token, game=game), connection)
            deals.extend(answer.deals)
            token = answer.next_page_token
            if not token:
                break
    _show(deals, as_json)


@deal.command(epilog="Example: sealdraw deal withdraw demo/pull-tab/1/base/real/0/1 --yes")
@click.argument("pool_id")
@click.option("--yes", is_flag=True, help="It cannot be undone: say so.")
@connection_options
@json_option
def withdraw(pool_id: str, yes: bool, connection: Connection, as_json: bool) -> None:
    """End the sale of a deal whose published rule allows it; what is left is thrown away and opened to the public."""
    from sealdraw.v1 import operator_pb2, operator_pb2_grpc

    from rng_service.request_id import new_request_id

    if not yes:
        raise ConfigError(f"the withdrawal of {pool_id} cannot be undone; repeat with --yes")
    request = operator_pb2.QuarantinePoolRequest(request_id=new_request_id(), pool_id=pool_id, reason="withdrawn")
    with open_connection(connection) as channel:
        answer = call(operator_pb2_grpc.OperatorServiceStub(channel).QuarantinePool, request, connection)
    if as_json:
        print_json({"pool": answer.pool.pool_id, "state": answer.pool.state})
        return
    click.echo(f"{answer.pool.pool_id}: {answer.pool.state}")


def _flare(name: str, program: Any) -> dict[str, Any] | None:
    step, price, bet = program.outcome.steps[0], program.price, reference_of(program)
    if not isinstance(step, Deal) or price is None or bet is None:
        return None
    pays = [bet.multiplier((tier,)) for tier in range(len(step.counts))]
    returned = sum((Fraction(count) * item for count, item in zip(step.counts, pays, strict=True)), Fraction(0))
    return {
        "program": name,
        "tickets": step.size,
        "price_minor": price.minor,
        "currency": price.currency,
        "end_of_deal": program.end_of_deal,
        "rtp": str(returned / step.size),
        "rtp_percent": percent(returned / step.size),
        "tiers": [
            {"multiplier": str(item), "pays_minor": price.minor * item.numerator // item.denominator, "tickets": count}
            for count, item in sorted(zip(step.counts, pays, strict=True), key=lambda pair: -pair[1])
        ],
    }


def _show(deals: list[Any], as_json: bool) -> None:
    if as_json:
        print_json([_described(item) for item in deals])
        return
    rows = [
        (
            item.pool.pool_id,
            item.pool.state,
            "yes" if item.approved else "no",
            str(item.pool.size),
            str(item.sold),
            str(item.pool.size - item.sold - item.void),
            str(item.void),
            f"{item.price_minor} {item.currency}",
        )
        for item in deals
    ]
    print_table(("deal", "state", "approved", "tickets", "sold", "unsold", "void", "price"), rows, left=3)


def _described(item: Any) -> dict[str, Any]:
    return {
        "deal": item.pool.pool_id,
        "state": item.pool.state,
        "approved": item.approved,
        "game_digest": item.game_digest.hex(),
        "tickets": item.pool.size,
        "sold": item.sold,
        "unsold": item.pool.size - item.sold - item.void,
        "void": item.void,
        "price_minor": item.price_minor,
        "currency": item.currency,
        "end_of_deal": item.end_of_deal,
        "tiers": [
            {
                "multiplier": tier.multiplier,
                "tickets": tier.tickets,
                **({"sold": tier.sold} if tier.HasField("sold") else {}),
            }
            for tier in item.tiers
        ],
    }
