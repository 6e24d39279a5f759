"""`sealdraw reconcile`: a game server's own list of rounds against the ledger."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from anchor.errors import MalformedError
from rng_service.cli.connection import Connection, connection_options, open_connection, stream
from rng_service.cli.options import json_option
from rng_service.cli.output import print_json
from rng_service.errors import ConfigError

if TYPE_CHECKING:
    from rng_service.reconcile import Difference, FileRound, LedgerRound

__all__ = ["reconcile"]

_HOUR_US: Final = 3_600_000_000
_MILLISECOND_US: Final = 1_000


@click.command(
    short_help="Compare a game server's rounds with the ledger.",
    epilog="Example: sealdraw reconcile november.csv --of casino --from 2026-11 --to 2026-11",
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--of", "owner", required=True, metavar="CALLER", help="The caller whose rounds the file lists.")
@click.option("--from", "first", metavar="PERIOD", help="A month, day or hour UTC; by default the file's first round.")
@click.option("--to", "last", metavar="PERIOD", help="Likewise, and included; by default the file's last round.")
@click.option("--settlements", is_flag=True, help="The file lists settlements under their own ids: miss none.")
@click.option("--most", type=click.IntRange(0), default=1_000, show_default=True, help="Differences that are shown.")
@click.option(
    "--scratch",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Where the list is sorted: needs as much room as it has. By default the system's temporary directory.",
)
@connection_options
@json_option
def reconcile(
    file: Path,
    owner: str,
    first: str | None,
    last: str | None,
    settlements: bool,
    most: int,
    scratch: Path | None,
    connection: Connection,
    as_json: bool,
) -> int:
    """Compare FILE, CSV with a header or one JSON object a line (.jsonl), with what the ledger has of a caller.

    Fields, in any order: request_id, stake_minor, payout_minor, currency; and as far as known item, outcome (numbers
    with spaces between), pool and slot, status (final, confirm, void, unsettled). Memory stays small however long the
    list is. Exit status 1 when anything is missing, extra, different or unsettled; 2 names a row that is no row.
    """
    from rng_service.reconcile.comparing import Compared, compare
    from rng_service.reconcile.rows import read_rounds
    from rng_service.reconcile.sorting import sorted_rounds

    bounds = _bounds(first, last)
    seen = _Seen(bounds)
    counts = Compared()
    shown: list[Difference] = []
    directory = scratch or Path(tempfile.gettempdir())
    with open_connection(connection) as channel:
        # All rows are read, and sorted, before the first comes out: what they span is known then.
        theirs = sorted_rounds(seen.within(read_rounds(file)), directory)
        head = next(theirs, None)
        ours = _ledger_rounds(channel, connection, owner, *seen.span())
        for found in compare(_again(head, theirs), ours, counts, settlements=settlements):
            if len(shown) < most:
                shown.append(found)
                if not as_json:
                    click.echo(_line(file, found))
    if as_json:
        print_json(
            {
                "file": str(file),
                "rounds": seen.rows,
                "outside": seen.outside,
                "equal": counts.equal,
                "open": counts.open,
                "settlements_left_out": counts.settlements_left_out,
                **counts.by_kind,
                "differences": [_as_json(item) for item in shown],
                "left_out": counts.differences - len(shown),
            }
        )
        return 1 if counts.differences else 0
    if counts.differences > len(shown):
        click.echo(f"… and {counts.differences - len(shown)} more")
    click.echo(f"{file}: {seen.rows} rounds, {counts.equal} equal, {counts.open} still open, {seen.outside} outside")
    click.echo(", ".join(f"{kind} {number}" for kind, number in counts.by_kind.items()))
    return 1 if counts.differences else 0


class _Seen:
    """Counts rows on their way, and remembers what time they span."""

    def __init__(self, bounds: tuple[int | None, int | None]) -> None:
        self._bounds = bounds
        self._span: tuple[int, int] | None = None
        self.rows = 0
        self.outside = 0

    def within(self, rounds: Iterator["FileRound"]) -> Iterator["FileRound"]:
        from rng_service.request_id import request_id_time_us

        first, end = self._bounds
        for item in rounds:
            at = request_id_time_us(item.request_id)
            if (first is not None and at < first) or (end is not None and at >= end):
                self.outside += 1
                continue
            self.rows += 1
            low, high = self._span or (at, at)
            self._span = min(low, at), max(high, at)
            yield item

    def span(self) -> tuple[int, int]:
        first, end = self._bounds
        if self._span is None and (first is None or end is None):
            raise ConfigError("the file lists no round; say --from and --to")
        low, high = self._span or (0, 0)
        # Ids count milliseconds, and the last one's is included.
        return (low if first is None else first), (high + _MILLISECOND_US if end is None else end)


def _bounds(first: str | None, last: str | None) -> tuple[int | None, int | None]:
    from rng_service.rtp.periods import parse_time

    try:
        return (
            None if first is None else parse_time(first, end=False) * _HOUR_US,
            None if last is None else parse_time(last, end=True) * _HOUR_US,
        )
    except MalformedError as error:
        raise ConfigError(f"--from, --to: {error}") from None


def _ledger_rounds(
    channel: Any, connection: Connection, owner: str, first_us: int, end_us: int
) -> Iterator["LedgerRound"]:
    from sealdraw.v1 import audit_pb2, audit_pb2_grpc

    from rng_service.reconcile import LedgerRound
    from rng_service.request_id import parse_request_id

    request = audit_pb2.ExportRoundsRequest(caller=owner, from_us=first_us, to_us=end_us)
    for answer in stream(audit_pb2_grpc.AuditServiceStub(channel).ExportRounds, request, connection):
        for item in answer.rounds:
            yield LedgerRound(
                parse_request_id(item.request_id),
                item.item,
                item.kind,
                item.pool_id,
                item.slot,
                tuple(item.outcome),
                int(item.stake_minor),
                int(item.payout_minor),
                item.currency,
                item.status,
            )


def _again(head: "FileRound | None", rest: Iterator["FileRound"]) -> Iterator["FileRound"]:
    if head is not None:
        yield head
    yield from rest


def _line(file: Path, item: "Difference") -> str:
    from rng_service.request_id import format_request_id

    place = f"{file}:{item.line}" if item.line is not None else f"{file}: -"
    said = "; ".join(f"{name} {_text(their)}, the ledger {_text(our)}" for name, (their, our) in item.fields.items())
    return f"{place}: {item.kind}: {format_request_id(item.request_id)} item {item.item}{': ' if said else ''}{said}"


def _as_json(item: "Difference") -> dict[str, Any]:
    from rng_service.request_id import format_request_id

    return {
        "kind": item.kind,
        "request_id": format_request_id(item.request_id),
        "item": item.item,
        "line": item.line,
        "fields": {name: {"file": _text(their), "ledger": _text(our)} for name, (their, our) in item.fields.items()},
    }


def _text(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
