"""`sealdraw keys`: rotation without interruption."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs

from typing import Final

import click

from rng_service.cli.connection import Connection, call, connection_options, open_connection
from rng_service.cli.options import json_option
from rng_service.cli.output import print_json

__all__ = ["keys"]

_KINDS: Final = ("kek", "drbg", "receipt")


@click.group()
def keys() -> None:
    """Keys of the vault."""


@keys.command(epilog="Example: sealdraw keys rotate receipt")
@click.argument("kind", type=click.Choice([*_KINDS, "all"]))
@connection_options
@json_option
def rotate(kind: str, connection: Connection, as_json: bool) -> None:
    """Replace the key-encryption key, the DRBG instance or the receipt key. Each rotation is a log entry."""
    from sealdraw.v1 import operator_pb2, operator_pb2_grpc

    from rng_service.request_id import new_request_id

    known = {
        "kek": operator_pb2.KEY_KEY_ENCRYPTION,
        "drbg": operator_pb2.KEY_DRBG,
        "receipt": operator_pb2.KEY_RECEIPT,
    }
    chosen = _KINDS if kind == "all" else (kind,)
    request = operator_pb2.RotateKeysRequest(request_id=new_request_id(), keys=[known[name] for name in chosen])
    with open_connection(connection) as channel:
        answer = call(operator_pb2_grpc.OperatorServiceStub(channel).RotateKeys, request, connection)
    epochs = dict(zip(chosen, answer.epochs, strict=True))
    if as_json:
        print_json(epochs)
        return
    for name, epoch in epochs.items():
        click.echo(f"{name}: epoch {epoch}")
