"""`sealdraw recall`: one round, or one player's, from commitment to anchor."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anchor.errors import MalformedError, VerificationError
from rng_service.cli.connection import Connection, call, connection_options, open_connection
from rng_service.cli.options import json_option, read_config, read_vkey
from rng_service.cli.output import print_json
from rng_service.errors import ConfigError

if TYPE_CHECKING:
    from sealdraw.v1.audit_pb2 import RecalledRecord

    from rng_service.verify.recall import Recaller

__all__ = ["recall"]


@click.command(
    short_help="Show a round, or a player's, from commitment to anchor.",
    epilog="Example: sealdraw recall 0190b5a4-7b1c-7e2f-8a3d-5f6e7d8c9b0a --of casino",
)
@click.argument("request_id", required=False)
@click.option("--of", "owner", metavar="CALLER", help="Whose request it is.")
@click.option("--player", metavar="TOKEN", help="Instead of a request: the tag `player`, or a settlement's bettor.")
@click.option("--log", "log", metavar="DIR|URL", help="The public directory; by default that of the settings.")
@click.option("--key", "key", metavar="VKEY", help="The log's verifier key; by default that of the settings' service.")
@connection_options
@json_option
def recall(
    request_id: str | None,
    owner: str | None,
    player: str | None,
    log: str | None,
    key: str | None,
    connection: Connection,
    as_json: bool,
) -> int:
    """Show what one request, or one player's requests, came to, and check every link of the chain.

    Commitment, beacon, activation, binding, outcome, payout, settlements, digest, checkpoint. Exit status 1 when
    something of it does not hold.
    """
    if (request_id is None) == (player is None):
        raise click.UsageError("give either a request id or --player")
    if request_id is not None and owner is None:
        raise click.UsageError("--of: a request id is one caller's; say whose")
    recaller = _recaller(log, key, connection.config_path)
    found: list[dict[str, Any]] = []
    wrong = 0
    for record in _records(request_id or "", owner or "", player or "", connection):
        described = _described(record, recaller)
        wrong += "wrong" in described
        if as_json:
            found.append(described)
        else:
            _print(described)
    if as_json:
        print_json({"records": found, "verified": not wrong})
    elif wrong:
        click.echo(f"{wrong} records do not hold")
    return 1 if wrong else 0


def _recaller(log: str | None, key: str | None, config_path: Path) -> "Recaller":
    from anchor.note import VerifierKey
    from anchor.source import open_source
    from rng_service.verify.recall import Recaller

    public = None if log is not None and key is not None else read_config(config_path).public_dir
    if public is None:
        where, vkey = log or "", key or ""
    else:
        where, vkey = log or str(public), key or str(public / "keys" / "log.vkey")
    return Recaller(open_source(where), VerifierKey.parse(read_vkey(vkey)), time.time_ns() // 1_000)


def _records(request_id: str, owner: str, player: str, connection: Connection) -> Iterator["RecalledRecord"]:
    from sealdraw.v1 import audit_pb2, audit_pb2_grpc

    request = audit_pb2.RecallRoundsRequest(request_id=request_id, caller=owner, player=player)
    with open_connection(connection) as channel:
        method = audit_pb2_grpc.AuditServiceStub(channel).RecallRounds
        while True:
            answer = call(method, request, connection)
            yield from answer.records
            request.page_token = answer.next_page_token
            if not request.page_token:
                break


def _described(record: "RecalledRecord", recaller: "Recaller") -> dict[str, Any]:
    from rng_service.client.receipt import read_receipt

    place = {"caller": record.caller, "kind": record.kind, "pool": record.pool_id, "slot": record.slot}
    if not record.record:
        return {**place, "open": "bound, and in no digest yet"}
    try:
        proof = record.proof.encode("utf-8")
        if record.kind == "settle":
            return {**place, **recaller.settlement(record.record, proof)}
        file = read_receipt(record.receipt, "", recaller.vkey.name).to_bytes()
        settlements = [(item.record, item.proof.encode("utf-8")) for item in record.settlements]
        return {**place, **recaller.receipt(file, proof, settlements)}
    except (VerificationError, MalformedError) as error:
        return {**place, "wrong": str(error)}
    except OSError as error:
        raise ConfigError(f"the public directory cannot be read: {error}") from None


def _print(value: dict[str, Any]) -> None:
    click.echo(f"{value['kind']} of slot {value['slot']} of {value['pool']}, for {value['caller']}")
    for name, item in value.items():
        if name in {"kind", "slot", "pool", "caller"}:
            continue
        if name == "settlements":
            click.echo(f"  settlements: {len(item)}")
            for settlement in item:
                click.echo(f"    {_flat(settlement)}")
        elif item is None:
            click.echo(f"  {name}: not published yet" if name == "anchor" else f"  {name}: none")
        else:
            click.echo(f"  {name}: {_flat(item)}")


def _flat(value: Any) -> str:
    """Return nested values on one line."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_flat(item)}" for name, item in value.items() if item is not None)
    if isinstance(value, list):
        return " ".join(map(_flat, value)) or "none"
    return str(value)
