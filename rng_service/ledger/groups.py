"""The row of a commit group, and its time, which never lies before the time of the group before it."""

from sqlalchemy import Connection

from rng_service.ledger.statements import execute

__all__ = ["insert_group"]

_NOW = {
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)",
}
_LATER = {"sqlite": "max", "postgresql": "greatest"}
_NEWEST = "COALESCE((SELECT created_us FROM commit_groups ORDER BY id DESC LIMIT 1), 0)"


def insert_group(connection: Connection, key_id: str, *, now_us: int | None = None) -> tuple[int, int]:
    """Insert a group whose receipts ``key_id`` will sign; return its id and its time in microseconds UTC.

    The time is ``now_us``, or without it the database's; but the newest group's where that is later. Fronts and the
    sequencer both bind, each by its own clock, and a clock may have been set back: what the ledger holds is the one
    floor that all of them see.
    """
    name = connection.dialect.name
    now, values = (_NOW[name], ()) if now_us is None else ("?", (now_us,))
    statement = (
        f"INSERT INTO commit_groups (created_us, key_id) VALUES ({_LATER[name]}({now}, {_NEWEST}), ?) "  # noqa: S608
        "RETURNING id, created_us"
    )
    group_id, created_us = execute(connection, statement, (*values, key_id)).one()
    return group_id, created_us
