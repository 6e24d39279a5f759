"""`sealdraw verify`: what an auditor runs, from static files alone, without gRPC and without a database."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from anchor.errors import MalformedError, MissingError
from anchor.source import Source, open_source
from rng_service.cli.options import json_option, key_option, log_option, read_vkey
from rng_service.cli.output import print_json
from rng_service.cli.progress import ProgressBar

if TYPE_CHECKING:
    from rng_service.verify.openings import Openings

__all__ = ["verify"]

_openings_option = click.option(
    "--openings",
    type=click.Path(path_type=Path),
    help="The file that opens committed totals and tables, as an auditor got it.",
)
_MAX_VKEY_BYTES = 1_024
_MAX_CHECKPOINT_BYTES = 65_536
_OWN_KEY = "the log's key was taken from the log itself: give --key, from somewhere you trust"


class _Report(Protocol):
    @property
    def skipped(self) -> tuple[str, ...]: ...

    def as_json(self) -> dict[str, Any]: ...

    def lines(self) -> list[str]: ...


@click.group(short_help="Check receipts, logs, pools and exports from public files.")
def verify() -> None:
    """Check receipts, logs, pools and exports from the public files alone.

    Exit status 0: everything that could be checked holds. 1: something is wrong; the message says what and where.
    2: the input cannot be used. What was not checked, and what cannot be proven, stands in every answer.
    """


@verify.command(
    epilog="Example: sealdraw verify receipt demo/receipts/dice-99.json --log demo/public --key demo/keys/log.vkey"
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--log", "log", metavar="DIR|URL", help="The log's public directory, or where it is served.")
@click.option(
    "--proof",
    type=click.Path(path_type=Path),
    help="Instead of --log: the receipt's .tlog-proof file. Shows, offline, that the record is in the log.",
)
@click.option("--book", type=click.Path(path_type=Path), help="A book that came with it: check it too. Needs --log.")
@click.option("--item", type=click.IntRange(0), default=0, help="Which outcome of a batch the book is of, from 0.")
@key_option
@json_option
def receipt(
    file: Path, log: str | None, proof: Path | None, book: Path | None, item: int, key: str, as_json: bool
) -> None:
    """Check one receipt: commitment, slot, game, outcome, payout, ticket, signature, labels, digest.

    With --proof only the way from the record over its digest to a signed checkpoint is checked, from these two files
    alone.
    """
    from rng_service.records.receipt import MAX_RECEIPT_BYTES

    if (log is None) == (proof is None):
        raise click.UsageError("give either --log or --proof")
    if book is not None and log is None:
        raise click.UsageError("--book needs --log")
    data = _read(file, MAX_RECEIPT_BYTES)
    if log is not None:
        from rng_service.books import MAX_BOOK_FILE_BYTES, parse_book_file
        from rng_service.verify.receipt import verify_receipt

        found = None if book is None else parse_book_file(_read(book, MAX_BOOK_FILE_BYTES))
        report = verify_receipt(data, _open_log(log), read_vkey(key), now_us=_now_us(), book=found, item=item)
        _show(report, as_json)
    elif proof is not None:
        from anchor.proof import MAX_PROOF
        from rng_service.verify.proof import verify_proof_file

        _show(verify_proof_file(data, _read(proof, MAX_PROOF), read_vkey(key)), as_json)


@verify.command(epilog="Example: sealdraw verify log https://log.example.com --key example.com.vkey --previous kept")
@click.argument("directory", metavar="DIR|URL")
@key_option
@click.option(
    "--previous",
    type=click.Path(path_type=Path),
    help="A copy of `checkpoint` from an earlier visit: the log must still contain it.",
)
@click.option(
    "--max-outage",
    type=click.IntRange(min=0),
    metavar="SECONDS",
    help="How much outage, as the operator admits it, is put up with in all; any by default.",
)
@_openings_option
@json_option
def log(
    directory: str, key: str, previous: Path | None, max_outage: int | None, openings: Path | None, as_json: bool
) -> None:
    """Check a whole log: every tile, entry, digest, pool, opened void, total and table of returns."""
    from rng_service.verify.log import verify_log

    old = None if previous is None else _read(previous, _MAX_CHECKPOINT_BYTES)
    with ProgressBar("checking the log") as bar:
        report = verify_log(
            _open_log(directory),
            read_vkey(key),
            old_checkpoint=old,
            now_us=_now_us(),
            max_outage_s=max_outage,
            openings=_openings(openings),
            progress=bar.update,
        )
    _show(report, as_json)


@verify.command(epilog="Example: sealdraw verify pool demo/dice-99/1/base/real/0/1 --log demo/public")
@click.argument("pool_id")
@log_option
@click.option("--key", "key", metavar="VKEY", help="The log's verifier key, or a file that holds it.")
@json_option
def pool(pool_id: str, log: str, key: str | None, as_json: bool) -> None:
    """Check one pool from its commitment to where it stands, by auditing its log."""
    from rng_service.verify.pool import verify_pool

    source = _open_log(log)
    vkey, skipped = _vkey(source, key)
    with ProgressBar("checking the log") as bar:
        report = verify_pool(pool_id, source, vkey, now_us=_now_us(), progress=bar.update)
    _show(report, as_json, skipped)


@verify.command(epilog="Example: sealdraw verify export demo/export.jsonl --log demo/public --key demo/keys/log.vkey")
@click.argument("file", type=click.Path(path_type=Path))
@log_option
@click.option("--key", "key", metavar="VKEY", help="The log's verifier key, or a file that holds it.")
@_openings_option
@json_option
def export(file: Path, log: str, key: str | None, openings: Path | None, as_json: bool) -> None:
    """Check an auditor's export: records against digests, outcomes and payouts recomputed, totals and tables too."""
    from rng_service.verify.export import verify_export

    source = _open_log(log)
    vkey, skipped = _vkey(source, key)
    with ProgressBar("checking the export") as bar:
        report = verify_export(file, source, vkey, now_us=_now_us(), openings=_openings(openings), progress=bar.update)
    _show(report, as_json, skipped)


def _openings(path: Path | None) -> "Openings | None":
    if path is None:
        return None
    from rng_service.verify.openings import open_openings

    try:
        return open_openings(path)
    except FileNotFoundError:
        raise MissingError(f"{path}: no such file") from None


def _now_us() -> int:
    return time.time_ns() // 1_000


def _open_log(text: str) -> Source:
    """Return the log at ``text``; raises MissingError when there is none, which is no finding about a log."""
    source = open_source(text)
    try:
        source.read("checkpoint", limit=_MAX_CHECKPOINT_BYTES)
    except MissingError as error:
        raise MissingError(f"{text}: no log here: {error}") from None
    return source


def _vkey(source: Source, key: str | None) -> tuple[str, tuple[str, ...]]:
    """Return the verifier key, and what has to be said about where it came from."""
    if key is not None:
        return read_vkey(key), ()
    data = source.read("keys/log.vkey", limit=_MAX_VKEY_BYTES)
    try:
        return data.decode("ascii").strip(), (_OWN_KEY,)
    except UnicodeDecodeError:
        raise MalformedError("keys/log.vkey: not a verifier key") from None


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError:
        raise MissingError(f"{path}: no such file") from None
    if len(data) > limit:
        raise MalformedError(f"{path}: larger than {limit} bytes")
    return data


def _show(report: _Report, as_json: bool, skipped: Sequence[str] = ()) -> None:
    if as_json:
        print_json({**report.as_json(), "skipped": [*report.skipped, *skipped]})
        return
    for line in report.lines():
        click.echo(line)
    for line in skipped:
        click.echo(f"NOT CHECKED: {line}")
