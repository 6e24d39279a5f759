"""`sealdraw rtp`: what was really returned, against what is stated, and whether the difference is more than chance."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import click

from rng_service.cli.connection import Connection, call, connection_options, open_connection
from rng_service.cli.options import json_option
from rng_service.cli.output import print_json, print_table
from rng_service.cli.rtp_tables import publish, table
from rng_service.errors import ConfigError

if TYPE_CHECKING:
    from sealdraw.v1.audit_pb2 import RtpRow

__all__ = ["rtp"]

_DIMENSIONS: Final = (
    "game", "version", "program", "play_class", "currency", "brand", "jurisdiction", "channel", "band",
)  # fmt: skip
_GRAINS: Final = ("hour", "day", "month")


@click.group(short_help="Realised return: figures, bounds, alarms.")
def rtp() -> None:
    """Realised return against what is stated: figures, bounds, alarms."""


rtp.add_command(publish)
rtp.add_command(table)


@rtp.command(epilog="Example: sealdraw rtp show --game dice-99 --from 2026-11 --by day,currency")
@click.option("--game", "game", multiple=True, help="Only these; may be repeated, like all that follow.")
@click.option("--version", "version", multiple=True, type=click.IntRange(1))
@click.option("--program", "program", multiple=True)
@click.option("--class", "play_class", multiple=True, type=click.Choice(["real", "free"]))
@click.option("--currency", "currency", multiple=True)
@click.option("--brand", "brand", multiple=True)
@click.option("--jurisdiction", "jurisdiction", multiple=True)
@click.option("--channel", "channel", multiple=True)
@click.option("--band", "band", multiple=True, metavar="BAND", help="A band of stakes, as `--by band` shows them.")
@click.option("--from", "first", metavar="PERIOD", help="A month, day or hour UTC: 2026-11, 2026-11-21, 2026-11-21T04.")
@click.option("--to", "last", metavar="PERIOD", help="Likewise, and included.")
@click.option(
    "--by",
    metavar="DIM,DIM",
    default="game,version,program,class,currency",
    show_default=True,
    help="What to group by; also hour, day or month.",
)
@click.option("--no-intervals", is_flag=True, help="Leave out the confidence sequences, which take longest.")
@connection_options
@json_option
def show(
    first: str | None,
    last: str | None,
    by: str,
    no_intervals: bool,
    connection: Connection,
    as_json: bool,
    **filters: Sequence[Any],
) -> None:
    """Show plays, stakes, payouts and returns, with the band at one look and the interval at any number of looks."""
    from sealdraw.v1 import audit_pb2, audit_pb2_grpc

    dimensions, grain = _grouping(by)
    request = audit_pb2.ListRtpRowsRequest(
        filters=[
            audit_pb2.RtpFilter(dimension=name, values=[str(value) for value in filters[name]])
            for name in _DIMENSIONS
            if filters[name]
        ],
        group_by=dimensions,
        from_period=first or "",
        to_period=last or "",
        grain=audit_pb2.RtpGrain.Value(f"RTP_GRAIN_{grain.upper()}") if grain else audit_pb2.RTP_GRAIN_UNSPECIFIED,
        with_intervals=not no_intervals,
    )
    rows: list[RtpRow] = []
    with open_connection(connection) as channel:
        method = audit_pb2_grpc.AuditServiceStub(channel).ListRtpRows
        while True:
            answer = call(method, request, connection)
            rows.extend(answer.rows)
            request.page_token = answer.next_page_token
            if not request.page_token:
                break
    digests = [answer.from_digest, answer.to_digest] if answer.HasField("from_digest") else None
    if as_json:
        print_json({"digests": digests, "rows": [_as_json(row, dimensions) for row in rows]})
        return
    _print_rows(rows, dimensions, grain)
    if digests is not None:
        click.echo(f"digests {digests[0]} to {digests[1]}")


@rtp.command(epilog="Example: sealdraw rtp acknowledge dice-99 1 base real EUR --reason paytable-checked")
@click.argument("game")
@click.argument("version", type=click.IntRange(1))
@click.argument("program")
@click.argument("play_class", metavar="CLASS", type=click.Choice(["real", "free"]))
@click.argument("currency")
@click.option("--reason", required=True, help="What was found, as a slug; it stands in the log.")
@connection_options
@json_option
def acknowledge(
    game: str,
    version: int,
    program: str,
    play_class: str,
    currency: str,
    reason: str,
    connection: Connection,
    as_json: bool,
) -> None:
    """Close the open alarm of a game; evidence about it begins anew with the next day."""
    from sealdraw.v1 import operator_pb2, operator_pb2_grpc, types_pb2

    request = operator_pb2.AcknowledgeRtpAlarmRequest(
        game=game,
        version=version,
        program=program,
        play_class=types_pb2.PlayClass.Value(f"PLAY_CLASS_{play_class.upper()}"),
        currency=currency,
        reason=reason,
    )
    with open_connection(connection) as channel:
        answer = call(operator_pb2_grpc.OperatorServiceStub(channel).AcknowledgeRtpAlarm, request, connection)
    if as_json:
        print_json({"raised_us": answer.raised_us, "acknowledged": True})
        return
    click.echo(f"acknowledged the alarm of {answer.raised_us} microseconds UTC")


def _grouping(text: str) -> tuple[list[str], str]:
    names = [{"class": "play_class"}.get(name, name) for name in text.split(",") if name]
    grains = [name for name in names if name in _GRAINS]
    dimensions = [name for name in names if name not in _GRAINS]
    unknown = [name for name in dimensions if name not in _DIMENSIONS]
    if unknown or len(grains) > 1 or len(set(dimensions)) < len(dimensions):
        known = ", ".join(("class" if name == "play_class" else name) for name in _DIMENSIONS)
        raise ConfigError(f"--by {text}: expected each once of {known}, and one of {', '.join(_GRAINS)}")
    return dimensions, grains[0] if grains else ""


def _as_json(row: "RtpRow", dimensions: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {"period": row.period or None}
    found.update(zip(("class" if name == "play_class" else name for name in dimensions), row.values, strict=True))
    found.update(
        {
            "outcomes": row.outcomes,
            "plays": row.plays,
            "hits": row.hits,
            "unsettled": row.unsettled,
            "stake_minor": row.stake_minor,
            "payout_minor": row.payout_minor,
        }
    )
    for name in ("theoretical", "realised", "theoretical_hit_rate", "hit_rate"):
        text = getattr(row, name)
        found[name] = text or None
        found[f"{name}_percent"] = _percent(text) or None
    found["bands"] = {
        str(band.level): {
            "lower": band.lower,
            "upper": band.upper,
            "lower_percent": _percent(band.lower),
            "upper_percent": _percent(band.upper),
        }
        for band in row.bands
    }
    interval = row.interval
    found["interval"] = (
        {
            "lower": interval.lower,
            "upper": interval.upper,
            "alpha": interval.alpha,
            "e_value": interval.e_value,
            "plays": interval.plays,
        }
        if row.HasField("interval")
        else None
    )
    return found | {"state": row.state, "notes": list(row.notes)}


def _print_rows(rows: Sequence["RtpRow"], dimensions: Sequence[str], grain: str) -> None:
    names = [*([grain] if grain else []), *("class" if name == "play_class" else name for name in dimensions)]
    print_table((*names, *_HEADER), [_cells(row, grain) for row in rows], left=len(names))
    notes = sorted({note for row in rows for note in row.notes})
    for note in notes:
        click.echo(f"note: {note}")


_HEADER: Final = (
    "plays", "stake", "payout", "theory", "realised", "band 95 %", "band 99 %", "difference, any look", "hits",
    "theory", "unsettled", "state",
)  # fmt: skip


def _cells(row: "RtpRow", grain: str) -> tuple[str, ...]:
    bands = {band.level: f"{_percent(band.lower)} to {_percent(band.upper)}" for band in row.bands}
    interval = row.interval
    return (
        *([row.period] if grain else []),
        *row.values,
        f"{row.plays:,}",
        f"{int(row.stake_minor):,}",
        f"{int(row.payout_minor):,}",
        _percent(row.theoretical),
        _percent(row.realised),
        bands.get(95, ""),
        bands.get(99, ""),
        f"{interval.lower * 100:+.2f} to {interval.upper * 100:+.2f}" if row.HasField("interval") else "",
        _percent(row.hit_rate),
        _percent(row.theoretical_hit_rate),
        f"{row.unsettled:,}",
        row.state,
    )


def _percent(text: str) -> str:
    from rng_service.games.theory import percent

    return percent(Fraction(text)) if text else ""
