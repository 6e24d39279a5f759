"""`sealdraw anchor`: how the public log stands."""

# ruff: noqa: PLC0415 - a command loads what it needs when it runs

import time
from typing import Any

import click

from rng_service.cli.options import json_option, key_option, log_option, read_vkey
from rng_service.cli.output import print_json

__all__ = ["anchor"]

_MAX_CHECKPOINT_BYTES = 65_536
_SECOND_US = 1_000_000


@click.group()
def anchor() -> None:
    """The public log and those who confirm it."""


@anchor.command(epilog="Example: sealdraw anchor status --log ./sealdraw/public --key acme.example.vkey")
@log_option
@key_option
@json_option
def status(log: str, key: str, as_json: bool) -> None:
    """Show size and root of the log, the age of its newest digest, and who cosigned it.

    The newest digest's time is the operator's word. It must be younger than the heartbeat that the log has declared
    plus the merge delay; exit status 1 when it is not.
    """
    from anchor.errors import VerificationError
    from anchor.note import VerifierKey, parse_note
    from anchor.reader import LogReader
    from anchor.source import open_source

    source = open_source(log)
    reader = LogReader(source, VerifierKey.parse(read_vkey(key)))
    checkpoint = reader.checkpoint()
    facts = _facts(reader, checkpoint.size)
    note = parse_note(source.read("checkpoint", limit=_MAX_CHECKPOINT_BYTES))
    now_us = time.time_ns() // 1_000
    newest_us: int | None = facts["newest_digest_us"]
    limit_s: int = facts["heartbeat_s"] + facts["merge_delay_s"]
    age_s = None if newest_us is None else (now_us - newest_us) / _SECOND_US
    cosignatures = max(0, len(note.unverified) - 1)
    if as_json:
        print_json(
            {
                "origin": checkpoint.origin,
                "size": checkpoint.size,
                "root": checkpoint.root.hex(),
                "digest_age_s": age_s,
                "digest_limit_s": limit_s,
                "cosignatures": cosignatures,
            }
        )
    else:
        click.echo(f"{checkpoint.origin}: {checkpoint.size} entries, root {checkpoint.root.hex()}")
        click.echo("no digest yet" if age_s is None else f"newest digest {age_s:.1f} s old, promised {limit_s} s")
        click.echo(f"cosignatures by others: {cosignatures or 'none'}")
    if age_s is not None and age_s > limit_s:
        raise VerificationError("digest-late", f"the newest digest is {age_s:.0f} s old, promised {limit_s} s")


def _facts(reader: Any, size: int) -> dict[str, Any]:
    """Return what log.config promises and the time of the newest digest, looking no further back than needed."""
    from anchor.errors import MalformedError
    from rng_service.log_entries import Digest, LogConfig, parse_entry

    config = parse_entry(reader.entry(0))
    if not isinstance(config, LogConfig):
        raise MalformedError("entry 0 is not the log's configuration")
    newest_us = None
    for index in range(size - 1, -1, -1):
        entry = parse_entry(reader.entry(index))
        if isinstance(entry, Digest):
            newest_us = entry.time_us
            break
    return {
        "heartbeat_s": config.heartbeat_s,
        "merge_delay_s": config.merge_delay_s,
        "newest_digest_us": newest_us,
    }
