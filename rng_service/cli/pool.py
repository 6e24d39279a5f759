"""`sealdraw pool`: what pools there are, and quarantine."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs

from typing import Any

import click

from rng_service.cli.connection import Connection, call, connection_options, open_connection
from rng_service.cli.options import json_option
from rng_service.cli.output import print_json, print_table
from rng_service.errors import ConfigError

__all__ = ["pool"]


@click.group()
def pool() -> None:
    """Pools and their states."""


@pool.command("list", epilog="Example: sealdraw pool list --game european-roulette")
@click.option("--game", default="", help="Only pools of this game.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@connection_options
@json_option
def list_pools(game: str, limit: int, connection: Connection, as_json: bool) -> None:
    """List pools, newest first."""
    from sealdraw.v1 import audit_pb2, audit_pb2_grpc

    pools: list[Any] = []
    token = ""
    with open_connection(connection) as channel:
        stub = audit_pb2_grpc.AuditServiceStub(channel)
        while len(pools) < limit:
            request = audit_pb2.ListPoolsRequest(page_size=min(1_000, limit - len(pools)), page_token=token, game=game)
            answer = call(stub.ListPools, request, connection)
            pools.extend(answer.pools)
            token = answer.next_page_token
            if not token:
                break
    _show(pools, as_json)


@pool.command(epilog="Example: sealdraw pool quarantine prod/dice-99/1/base/real/0/17 --reason test-failed --yes")
@click.argument("pool_id")
@click.option("--reason", required=True, help="A slug that the log will show for ever.")
@click.option("--yes", is_flag=True, help="It cannot be undone: say so.")
@connection_options
@json_option
def quarantine(pool_id: str, reason: str, yes: bool, connection: Connection, as_json: bool) -> None:
    """Take a pool out of use for ever; its remaining slots are opened to the public."""
    from sealdraw.v1 import operator_pb2, operator_pb2_grpc

    from rng_service.request_id import new_request_id

    if not yes:
        raise ConfigError(f"the quarantine of {pool_id} cannot be undone; repeat with --yes")
    request = operator_pb2.QuarantinePoolRequest(request_id=new_request_id(), pool_id=pool_id, reason=reason)
    with open_connection(connection) as channel:
        answer = call(operator_pb2_grpc.OperatorServiceStub(channel).QuarantinePool, request, connection)
    _show([answer.pool], as_json)


def _show(pools: list[Any], as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {
                    "pool": item.pool_id,
                    "state": item.state,
                    "size": item.size,
                    "next_slot": item.next_slot,
                    "slot_root": item.slot_root.hex(),
                }
                for item in pools
            ]
        )
        return
    rows = [(item.pool_id, item.state, str(item.next_slot), str(item.size)) for item in pools]
    print_table(("pool", "state", "used", "size"), rows, left=2)
