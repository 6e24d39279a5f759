"""The first entries of a log, and the promises that its configuration may not quietly change afterwards."""

from typing import TypedDict

from sqlalchemy import Connection, select

from anchor.files import write_immutable
from rng_service.config import Config
from rng_service.errors import StartRefused
from rng_service.ledger.models import LogEntryRow
from rng_service.ledger.sequencing import append_entry
from rng_service.log_entries import BeaconChainEntry, LogConfig, parse_entry
from rng_service.sequencer.context import Context, get_meta, set_meta

__all__ = ["begin_log", "check_promises", "write_verifier_key"]


class _Promises(TypedDict):
    merge_delay_s: int
    heartbeat_s: int
    close_delay_s: int
    beacon_margin_s: int
    totals_policy: str


def begin_log(context: Context) -> None:
    """Write log.config once, and each beacon chain before the first pool that names it."""
    with context.writing() as connection:
        if get_meta(connection, "origin") is None:
            set_meta(connection, "origin", context.origin)
            set_meta(connection, "environment", context.config.service.environment)
            set_meta(connection, "log_key", context.log_key.vkey())
            append_entry(connection, _log_config(context))
        _announce_chain(context, connection)
    # A crash before the commit leaves nothing, after it the queue of the log's first entries.
    context.on_step("genesis.written")
    write_verifier_key(context)


def check_promises(config: Config, connection: Connection) -> str | None:
    """Return what the configuration says otherwise than the log's first entry; None when they agree."""
    data = connection.scalars(
        select(LogEntryRow.entry).where(LogEntryRow.type == LogConfig.TYPE).order_by(LogEntryRow.id).limit(1)
    ).first()
    if data is None:
        return None
    declared = parse_entry(bytes(data))
    if not isinstance(declared, LogConfig):
        return "the ledger's log.config is another entry"
    found = _promises(config)
    for name, value in found.items():
        stated = getattr(declared, name)
        if stated != value:
            section = "beacon.margin_s" if name == "beacon_margin_s" else f"log.{name}"
            return f"{section} is {value}, but the log has declared {stated} for ever; set it back"
    return None


def write_verifier_key(context: Context) -> None:
    """Put the log's verifier key beside the log, for reading; whoever verifies must have it from elsewhere."""
    path = context.config.public_dir / "keys" / "log.vkey"
    write_immutable(path, context.log_key.vkey().encode("ascii") + b"\n")


def _log_config(context: Context) -> LogConfig:
    return LogConfig(
        origin=context.origin,
        time_us=context.clock_us(),
        environment=context.config.service.environment,
        log_key=context.log_key.vkey(),
        **_promises(context.config),
    )


def _promises(config: Config) -> _Promises:
    return {
        "merge_delay_s": config.log.merge_delay_s,
        "heartbeat_s": config.log.heartbeat_s,
        "close_delay_s": config.log.close_delay_s,
        "beacon_margin_s": config.beacon.margin_s,
        "totals_policy": config.log.totals_policy,
    }


def _announce_chain(context: Context, connection: Connection) -> None:
    chain = context.chain
    if chain is None:
        return
    known = get_meta(connection, f"chain/{chain.chain_hash.hex()[:32]}")
    if known is not None:
        if known != chain.chain_hash.hex():
            raise StartRefused(f"two beacon chains begin with {chain.chain_hash.hex()[:32]}; use another")
        return
    set_meta(connection, f"chain/{chain.chain_hash.hex()[:32]}", chain.chain_hash.hex())
    append_entry(
        connection,
        BeaconChainEntry(
            origin=context.origin,
            time_us=context.clock_us(),
            chain=chain.chain_hash,
            name=chain.name,
            scheme=chain.scheme,
            public_key=chain.public_key,
            period_s=chain.period_s,
            genesis_time=chain.genesis_time,
            group_hash=chain.group_hash,
            beacon_id=chain.beacon_id,
            development=chain.development,
        ),
    )
