"""`sealdraw rtp publish` and `sealdraw rtp table`: tables of returns, made by the service and shown from a file."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs

import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from rng_service.cli.connection import Connection, call, connection_options, open_connection
from rng_service.cli.options import json_option
from rng_service.cli.output import print_json
from rng_service.errors import ConfigError

if TYPE_CHECKING:
    from sealdraw.v1.operator_pb2 import RtpTable

__all__ = ["publish", "table"]

_MAX_TABLE_BYTES: Final = 64 * 2**20
_POLL_S: Final = 0.2
_WAIT_S: Final = 120.0


@click.command(epilog="Example: sealdraw rtp publish --from 2026-11-01 --to 2026-11-30 --wait")
@click.option("--from", "first", metavar="DAY", help="The first day UTC, like 2026-11-20; by default the first of all.")
@click.option("--to", "last", metavar="DAY", help="The last day, included; by default up to now.")
@click.option(
    "--table",
    "expected",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The table that you expect, as canonical JSON: any other is refused.",
)
@click.option("--show-plays", is_flag=True, help="Under committed totals: state numbers of plays.")
@click.option("--wait", is_flag=True, help="Wait until it is published or refused.")
@click.option("--request-id", help="Ask again for what became of an earlier request.")
@connection_options
@json_option
def publish(
    first: str | None,
    last: str | None,
    expected: Path | None,
    show_plays: bool,
    wait: bool,
    request_id: str | None,
    connection: Connection,
    as_json: bool,
) -> None:
    """Publish a table of returns over whole days, with its hash in the log.

    Exit status 1 when it is refused: the published totals, or the records, do not support it. The message says where.
    """
    from sealdraw.v1 import operator_pb2, operator_pb2_grpc

    from rng_service.request_id import new_request_id

    request = operator_pb2.PublishRtpTableRequest(
        request_id=request_id or new_request_id(),
        from_day=first or "",
        to_day=last or "",
        table=b"" if expected is None else _read(expected),
        show_plays=show_plays,
    )
    with open_connection(connection) as channel:
        method = operator_pb2_grpc.OperatorServiceStub(channel).PublishRtpTable
        found = call(method, request, connection).table
        deadline = time.monotonic() + _WAIT_S
        while wait and found.state == operator_pb2.RTP_TABLE_STATE_WAITING and time.monotonic() < deadline:
            time.sleep(_POLL_S)
            found = call(method, request, connection).table
    state = operator_pb2.RtpTableState.Name(found.state).removeprefix("RTP_TABLE_STATE_").lower()
    if as_json:
        print_json(_as_json(found, state))
    else:
        click.echo(_line(found, state))
    if state == "refused":
        raise click.exceptions.Exit(1)


@click.command(epilog="Example: sealdraw rtp table public/rtp/000.json --out tables")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The directory to write to; by default the current one.",
)
def table(file: Path, out: Path) -> None:
    """Write a table of returns as CSV and as a page, from its JSON; needs no service.

    It shows what the file says. Whether that is so, `sealdraw verify log` and `sealdraw verify export` say.
    """
    from anchor import canonical
    from anchor.errors import MalformedError
    from rng_service.rtp.table import TABLE_FORMAT
    from rng_service.rtp.table_files import table_csv, table_page

    document = canonical.decode_object(_read(file), limit=_MAX_TABLE_BYTES, what=str(file))
    try:
        if document["format"] != TABLE_FORMAT:
            raise MalformedError(f"{file}: expected the format {TABLE_FORMAT}")
        contents = {".csv": table_csv(document), ".html": table_page(document)}
    except (ArithmeticError, AttributeError, KeyError, OSError, StopIteration, TypeError, ValueError):
        raise MalformedError(f"{file}: not a table of returns as the service publishes them") from None
    out.mkdir(parents=True, exist_ok=True)
    for suffix, content in contents.items():
        path = out / (file.stem + suffix)
        path.write_bytes(content)
        click.echo(f"{path}  SHA-256 {sha256(content).hexdigest()}")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_TABLE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    if len(data) > _MAX_TABLE_BYTES:
        raise ConfigError(f"{path}: larger than {_MAX_TABLE_BYTES} bytes")
    return data


def _as_json(found: "RtpTable", state: str) -> dict[str, Any]:
    return {
        "request_id": found.request_id,
        "state": state,
        "sequence": found.sequence if found.HasField("sequence") else None,
        "refusal": found.refusal or None,
    }


def _line(found: "RtpTable", state: str) -> str:
    if state == "published":
        return f"published: rtp/{_number(found.sequence)}.html of the public directory, .json and .csv beside it"
    if state == "refused":
        return f"refused: {found.refusal}"
    return f"waiting; ask again with --request-id {found.request_id} and the same options, or with --wait"


def _number(seq: int) -> str:
    from rng_service.public_files import rtp_table_paths

    return rtp_table_paths(seq)[0].removeprefix("rtp/").removesuffix(".json")
