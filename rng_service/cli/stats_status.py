"""`sealdraw stats runs` and `acknowledge`: what scheduled statistics came to, and who has seen to a failure."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from rng_service.cli.connection import Connection, call, connection_options, open_connection
from rng_service.cli.options import json_option
from rng_service.cli.output import print_json, print_table

if TYPE_CHECKING:
    from sealdraw.v1 import operator_pb2

__all__ = ["acknowledge", "runs"]

_FOUND_WRONG = 1


@click.command(epilog="Example: sealdraw stats runs --limit 10")
@click.option("--limit", type=click.IntRange(1, 1_000), default=30, show_default=True, help="How many, newest first.")
@connection_options
@json_option
def runs(limit: int, connection: Connection, as_json: bool) -> int | None:
    """List runs of scheduled statistics and dumps, as the log has them.

    Reports are statistics/RUN.json and .html of the public directory. Exit status 1 while a failed run waits for
    somebody to see to it.
    """
    from sealdraw.v1 import operator_pb2, operator_pb2_grpc

    with open_connection(connection) as channel:
        stub = operator_pb2_grpc.OperatorServiceStub(channel)
        answer = call(stub.ListStatisticsRuns, operator_pb2.ListStatisticsRunsRequest(page_size=limit), connection)
    waiting = [run.run for run in answer.runs if run.verdict == "fail" and not run.acknowledged]
    if as_json:
        print_json({"runs": [_as_json(run) for run in answer.runs], "unacknowledged": waiting})
    else:
        rows = [(str(run.run), _subject(run), _time(run.begun_us), _verdict(run)) for run in answer.runs]
        print_table(("run", "subject", "begun (UTC)", "verdict"), rows, left=4)
        for run in waiting:
            click.echo(f"run {run} failed: look into it, then `sealdraw stats acknowledge {run} --reason …`", err=True)
    return _FOUND_WRONG if waiting else None


@click.command(epilog="Example: sealdraw stats acknowledge 17 --reason generator-replaced")
@click.argument("run", type=click.IntRange(min=1))
@click.option("--reason", required=True, metavar="SLUG", help="What was found and done; it stands in the log for ever.")
@connection_options
def acknowledge(run: int, reason: str, connection: Connection) -> None:
    """Say in the log that a failed run was looked into; pools are sealed again from then on."""
    from sealdraw.v1 import operator_pb2, operator_pb2_grpc

    request = operator_pb2.AcknowledgeStatisticsRequest(run=run, reason=reason)
    with open_connection(connection) as channel:
        call(operator_pb2_grpc.OperatorServiceStub(channel).AcknowledgeStatistics, request, connection)
    click.echo(f"run {run} is acknowledged: {reason}")


def _subject(run: "operator_pb2.StatisticsRun") -> str:
    if run.purpose == "dump":
        return f"dump of {run.bits:,} bits"
    if run.game_digest:
        return f"opened outcomes of {run.game_digest.hex()[:16]}, {run.program}"
    return "test stream"


def _verdict(run: "operator_pb2.StatisticsRun") -> str:
    if run.purpose == "dump":
        return "-"
    return f"{run.verdict or 'goes on'}{', acknowledged' if run.acknowledged else ''}"


def _time(time_us: int) -> str:
    return f"{datetime.fromtimestamp(time_us / 1_000_000, UTC):%Y-%m-%d %H:%M:%S}"


def _as_json(run: "operator_pb2.StatisticsRun") -> dict[str, Any]:
    found: dict[str, Any] = {"run": run.run, "purpose": run.purpose, "subject": run.subject, "begun_us": run.begun_us}
    optional: dict[str, Any] = {
        "verdict": run.verdict,
        "ended_us": run.ended_us,
        "bits": run.bits,
        "game_digest": run.game_digest.hex(),
        "program": run.program,
        "acknowledged": run.acknowledged,
    }
    return found | {name: value for name, value in optional.items() if value}
