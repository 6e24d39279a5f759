"""A game server's calls from the shell: draw, reserve, settle, resolve."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from rng_service.cli.connection import Connection, connection_options, tls_files
from rng_service.cli.options import json_option, read_config, read_vkey
from rng_service.cli.output import print_json
from rng_service.errors import ConfigError

if TYPE_CHECKING:
    from rng_service.client import Client, Receipt, Settlement, Ticket

__all__ = ["draw", "reserve", "resolve", "settle"]

Command = TypeVar("Command", bound=Callable[..., Any])
_PLAY_CLASSES = click.Choice(["real", "free"])
_STATUSES = click.Choice(["final", "void"])


def _stream_options(command: Command) -> Command:
    """Add what names a stream, and the session."""
    wrapped: Any = command
    for option in (
        click.option("--session", default="", help="The session that the call is counted in."),
        click.option("--class", "play_class", type=_PLAY_CLASSES, default="real", show_default=True),
        click.option("--version", default=0, help="The game's version; by default the newest."),
        click.option("--program", default="base", show_default=True, help="The game's program."),
        click.argument("game"),
    ):
        wrapped = option(wrapped)
    result: Command = wrapped
    return result


def _log_options(command: Command) -> Command:
    """Add where receipts are checked, and where requests are kept."""
    wrapped: Any = command
    for option in (
        click.option("--key", metavar="VKEY", help="The log's verifier key; by default that of the settings' service."),
        click.option("--log", metavar="DIR|URL", help="The public directory; by default that of the settings."),
        click.option(
            "--journal",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Where requests are kept until they are answered; by default below ~/.local/state/sealdraw.",
        ),
    ):
        wrapped = option(wrapped)
    result: Command = wrapped
    return result


@click.command(
    short_help="Draw outcomes.",
    epilog="Example: sealdraw draw european-roulette --stake 100 --currency EUR --bet red --out win.json",
)
@_stream_options
@click.option("--count", type=click.IntRange(1, 1_000), default=1, show_default=True, help="Outcomes, all or none.")
@click.option("--ticket", type=click.Path(path_type=Path), help="A ticket that `sealdraw reserve` wrote.")
@click.option("--stake", type=click.IntRange(1), help="Stake of each outcome in minor units.")
@click.option("--currency", default="EUR", show_default=True, help="Of the stake.")
@click.option(
    "--bet", default="", metavar="BET", help="Name or JSON, as in docs/games.md; then the payout is computed."
)
@click.option("--round", "round_id", default="", metavar="ROUND", help="The round that the draw is a step of.")
@click.option("--step", type=click.IntRange(1), help="Which step of the round: 1, 2, 3 …; each is drawn once.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the receipt here (receipt-1, -2 … for several).")
@_log_options
@connection_options
@json_option
def draw(
    game: str,
    program: str,
    version: int,
    play_class: Literal["real", "free"],
    session: str,
    count: int,
    ticket: Path | None,
    stake: int | None,
    currency: str,
    bet: str,
    round_id: str,
    step: int | None,
    out: Path | None,
    log: str | None,
    key: str | None,
    journal: Path | None,
    connection: Connection,
    as_json: bool,
) -> None:
    """Draw outcomes of GAME, check the receipt, and show both.

    The request is kept in the journal before it is sent, and one that was interrupted is resolved by the next call.
    """
    from rng_service.client import Wager

    wager = None if stake is None else Wager(stake, currency, _bet(bet))
    if ticket is not None and count > 1:
        raise ConfigError("--ticket holds one slot: leave --count out")
    if bool(round_id) != (step is not None):
        raise ConfigError("--round and --step stand together")
    if round_id and count > 1:
        raise ConfigError("--round takes one outcome a step: leave --count out")
    with _client(connection, log, key, journal) as client:
        stream: dict[str, Any] = {"version": version, "play_class": play_class, "session": session, "wager": wager}
        if count > 1:
            receipts = client.batch_draw(game, program, count, **stream)
        else:
            held = None if ticket is None else _read_ticket(ticket)
            receipts = (client.draw(game, program, ticket=held, round_id=round_id, step=step or 0, **stream),)
        client.check()
    _show_receipts(receipts, out, as_json)


@click.command(
    short_help="Reserve a slot for a client seed.",
    epilog="Example: sealdraw reserve dice-99 --session table-7 --out ticket.json",
)
@_stream_options
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Where the ticket and its seed are kept.")
@_log_options
@connection_options
@json_option
def reserve(
    game: str,
    program: str,
    version: int,
    play_class: Literal["real", "free"],
    session: str,
    out: Path,
    log: str | None,
    key: str | None,
    journal: Path | None,
    connection: Connection,
    as_json: bool,
) -> None:
    """Reserve the next slot of GAME for a fresh client seed, and write the ticket to a file.

    The file holds the seed: until it is drawn with `sealdraw draw --ticket`, nobody else may read it.
    """
    with _client(connection, log, key, journal) as client:
        ticket = client.reserve(game, program, version=version, play_class=play_class, session=session)
        client.check()
    _write_ticket(out, ticket)
    if as_json:
        print_json(
            {
                "request_id": ticket.receipt.request_id,
                "pool": ticket.receipt.pool_id,
                "slot": ticket.receipt.slot,
                "ticket_hash": ticket.hash.hex(),
                "expires_us": ticket.expires_us,
            }
        )
        return
    click.echo(f"{out}: slot {ticket.receipt.slot} of {ticket.receipt.pool_id}")
    click.echo(f"Draw it: sealdraw draw {game} --program {program} --session '{session}' --ticket {out}")


@click.command(
    short_help="Report a bettor's stake and payout.",
    epilog="Example: sealdraw settle 0190b5a4-7b1c-7e2f-8a3d-5f6e7d8c9b0a --bettor "
    "5f…00 --stake 100 --payout 200 --currency EUR",
)
@click.argument("draw_request_id")
@click.option("--item", type=click.IntRange(0), default=0, show_default=True, help="Which outcome of the draw.")
@click.option("--bettor", required=True, metavar="HEX", help="32 bytes that stand for the bettor; never a name.")
@click.option("--stake", type=click.IntRange(0), required=True, help="Minor units.")
@click.option("--payout", type=click.IntRange(0), required=True, help="Minor units.")
@click.option("--currency", default="EUR", show_default=True)
@click.option("--bet", default="", metavar="BET", help="Required where the paytable is complete.")
@click.option("--status", type=_STATUSES, default="final", show_default=True)
@click.option("--reason", default="", help="A slug; required with --status void.")
@_log_options
@connection_options
@json_option
def settle(
    draw_request_id: str,
    item: int,
    bettor: str,
    stake: int,
    payout: int,
    currency: str,
    bet: str,
    status: Literal["final", "void"],
    reason: str,
    log: str | None,
    key: str | None,
    journal: Path | None,
    connection: Connection,
    as_json: bool,
) -> None:
    """Report stake and payout of one bettor on an outcome whose draw had no bet of its own."""
    try:
        token = bytes.fromhex(bettor)
    except ValueError:
        raise ConfigError(f"--bettor {bettor[:80]}: expected 64 hex digits") from None
    with _client(connection, log, key, journal) as client:
        settlement = client.settle(
            draw_request_id,
            bettor=token,
            stake_minor=stake,
            payout_minor=payout,
            currency=currency,
            item=item,
            bet=_bet(bet),
            status=status,
            reason=reason,
        )
        client.check()
    _show_settlement(settlement, as_json)


@click.command(epilog="Example: sealdraw resolve 0190b5a4-7b1c-7e2f-8a3d-5f6e7d8c9b0a")
@click.argument("request_id")
@click.option("--out", type=click.Path(path_type=Path), help="Write the receipt here.")
@_log_options
@connection_options
@json_option
def resolve(
    request_id: str,
    out: Path | None,
    log: str | None,
    key: str | None,
    journal: Path | None,
    connection: Connection,
    as_json: bool,
) -> None:
    """Say what became of a request id. One that was never bound is fenced: it never will be."""
    with _client(connection, log, key, journal) as client:
        found = client.resolve(request_id)
        client.check()
    if not found.bound:
        if as_json:
            print_json({"request_id": request_id, "bound": False})
        else:
            click.echo(f"{request_id}: never bound, and fenced for ever")
        return
    if found.settlement is not None:
        _show_settlement(found.settlement, as_json)
        return
    tickets = () if found.ticket is None else (found.ticket.receipt,)
    _show_receipts((*found.receipts, *tickets), out, as_json)


@contextmanager
def _client(connection: Connection, log: str | None, key: str | None, journal: Path | None) -> Iterator["Client"]:
    """Give a client that checks every answer before it is shown."""
    from rng_service.client import Client

    if log is None or key is None:
        config = read_config(connection.config_path)
        log = log or str(config.public_dir)
        key = key or str(config.public_dir / "keys" / "log.vkey")
    try:
        client = Client(
            connection.target,
            caller=connection.caller,
            journal=journal or _default_journal(connection.caller),
            tls=tls_files(connection),
            development=connection.development,
            public=log,
            vkey=read_vkey(key),
            verify="inline",
        )
    except ValueError as error:
        raise ConfigError(str(error)) from None
    with client:
        yield client


def _bet(text: str) -> str:
    """Return a bet as JSON; a bare name like ``red`` is one that needs no choices."""
    return json.dumps(text) if text and text[0] not in '{"' else text


def _default_journal(caller: str) -> Path:
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "sealdraw" / f"{caller}.journal"


def _show_receipts(receipts: "tuple[Receipt, ...]", out: Path | None, as_json: bool) -> None:
    paths: list[Path] = []
    if out is not None:
        several = len(receipts) > 1
        paths = [out.with_stem(f"{out.stem}-{n}") if several else out for n in range(1, len(receipts) + 1)]
        for receipt, path in zip(receipts, paths, strict=True):
            receipt.save(path)
            if receipt.book is not None:
                receipt.save_book(path.with_suffix(".book"))
    if as_json:
        print_json([json.loads(receipt.to_bytes()) | {"request_id": receipt.request_id} for receipt in receipts])
        return
    for receipt in receipts:
        place = f"slot {receipt.slot}" if receipt.count == 1 else f"{receipt.count} slots from {receipt.slot}"
        click.echo(f"{receipt.record.kind} {receipt.request_id}: {place} of {receipt.pool_id}")
        payouts = receipt.payouts_minor or (None,) * receipt.count
        for outcome, payout in zip(receipt.outcomes, payouts, strict=False):
            paid = "" if payout is None else f"  pays {payout}"
            click.echo(f"  {' '.join(map(str, outcome))}{paid}")
        labels = receipt.protection
        mark = ", development beacon: protects nobody" if labels.development_beacon else ""
        click.echo(f"  content {labels.content}, assignment {labels.assignment}, foreseen {labels.foreseen}{mark}")
    for receipt, path in zip(receipts, paths, strict=False):
        click.echo(f"receipt: {path}")
        if receipt.book is not None:
            click.echo(f"book: {path.with_suffix('.book')}")


def _show_settlement(settlement: "Settlement", as_json: bool) -> None:
    binding = settlement.record.binding
    if as_json:
        print_json({"request_id": settlement.request_id, "record": json.loads(settlement.record_bytes)})
        return
    click.echo(
        f"settlement {settlement.request_id}: {binding['status']}, stake {binding['stake_minor']}, "
        f"payout {binding['payout_minor']} {binding['currency']}"
    )


def _write_ticket(path: Path, ticket: "Ticket") -> None:
    members = {
        "expires_us": ticket.expires_us,
        "hash": ticket.hash.hex(),
        "receipt": ticket.receipt.to_bytes().decode("ascii"),
        "request_id": ticket.receipt.request_id,
        "seed": ticket.seed.hex(),
    }
    # Readable by its owner alone from the first moment, for it holds the seed.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        json.dump(members, file)
        file.flush()
        os.fsync(descriptor)


def _read_ticket(path: Path) -> "Ticket":
    from rng_service.client import Receipt, Ticket
    from rng_service.records.receipt import parse_receipt
    from rng_service.verify.opened import read_record

    try:
        members = json.loads(path.read_text(encoding="ascii"))
        receipt = parse_receipt(members["receipt"].encode("ascii"))
        return Ticket(
            receipt=Receipt(members["request_id"], receipt, read_record(receipt.record)),
            hash=bytes.fromhex(members["hash"]),
            expires_us=int(members["expires_us"]),
            seed=bytes.fromhex(members["seed"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(f"{path}: not a ticket that `sealdraw reserve` wrote") from None
