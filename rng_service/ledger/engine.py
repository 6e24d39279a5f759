"""Engines for the ledger: SQLite as the embedded default, PostgreSQL by URL. Durable or refused."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from rng_service.errors import LedgerError

BUSY_TIMEOUT_MS = 5_000
_BUSY_STEP_S = 0.0005
# Inserts of a commit group have a text for each number of rows: a small cache would parse them again and again.
_SQLITE = {"check_same_thread": False, "cached_statements": 1_024}


def open_engine(url: str, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> Engine:
    """Return an engine whose commits are durable when they return.

    SQLite: WAL, synchronous=FULL, foreign keys, one writer at a time through BEGIN IMMEDIATE. PostgreSQL: refused
    unless `synchronous_commit` keeps what it acknowledges. Raises LedgerError naming what is wrong.
    """
    try:
        parsed = make_url(url)
    except SQLAlchemyError:
        # The text of the URL may hold a password: it is not repeated.
        raise LedgerError("ledger.url is not a database URL; expected sqlite:///… or postgresql+psycopg://…") from None
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(url, busy_timeout_ms)
    if parsed.get_backend_name() == "postgresql":
        return _postgresql(url)
    raise LedgerError(f"ledger.url names {parsed.get_backend_name()}; expected sqlite or postgresql+psycopg")


def _sqlite(url: str, busy_timeout_ms: int) -> Engine:
    engine = create_engine(url, connect_args=_SQLITE | {"timeout": busy_timeout_ms / 1000})

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin where this module says, not where the driver guesses
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {busy_timeout_ms}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA temp_store = MEMORY")
        cursor.execute("PRAGMA cache_size = -65536")
        # `ledger.checkpointing` keeps the log short; a commit does so itself only when nobody else did, at 128 MiB.
        cursor.execute("PRAGMA wal_autocheckpoint = 32768")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        mode = connection.get_execution_options().get("sealdraw_begin", "IMMEDIATE")
        if mode == "IMMEDIATE":
            _begin_writing(connection, busy_timeout_ms)
        else:
            connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


def _begin_writing(connection: Connection, busy_timeout_ms: int) -> None:
    """Take SQLite's write lock, trying again twice a millisecond while another process has it.

    SQLite's own waiting backs off to a tenth of a second a try, many times as long as a commit here takes.
    """
    until = time.monotonic() + busy_timeout_ms / 1000
    connection.exec_driver_sql("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            except OperationalError as error:
                if not _is_busy(error) or time.monotonic() >= until:
                    raise
                time.sleep(_BUSY_STEP_S)
            else:
                return
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {busy_timeout_ms}")


def _is_busy(error: OperationalError) -> bool:
    code = getattr(error.orig, "sqlite_errorcode", 0)
    # The low byte is the primary code; the rest says which lock it was.
    return bool(code & 0xFF == sqlite3.SQLITE_BUSY)


def _postgresql(url: str) -> Engine:
    engine = create_engine(url, pool_pre_ping=True, isolation_level="READ COMMITTED")
    try:
        with engine.connect() as connection:
            settings = {
                name: connection.execute(text("SELECT current_setting(:name)"), {"name": name}).scalar_one()
                for name in ("synchronous_commit", "fsync", "synchronous_standby_names")
            }
            standbys = connection.execute(text("SELECT count(*) FROM pg_stat_replication")).scalar_one()
    except SQLAlchemyError as error:
        raise LedgerError(f"the PostgreSQL server of ledger.url cannot be used: {type(error).__name__}") from None
    if settings["synchronous_commit"] not in {"on", "remote_apply"}:
        raise LedgerError(
            f"PostgreSQL runs with synchronous_commit = {settings['synchronous_commit']}: it would acknowledge draws "
            "that a crash can lose. Set synchronous_commit = on.",
        )
    if standbys and not settings["synchronous_standby_names"]:
        raise LedgerError(
            "PostgreSQL has standbys but no synchronous_standby_names: a failover could lose acknowledged draws. "
            "Set it.",
        )
    return engine


def sqlite_url(path: Path) -> str:
    """Return the URL of an SQLite ledger at ``path``."""
    return f"sqlite:///{path}"


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Give a connection with one consistent snapshot and no write lock."""
    options: dict[str, str] = {"sealdraw_begin": "DEFERRED"}
    if engine.dialect.name == "postgresql":
        # Its default shows each statement what committed meanwhile: two reads could contradict each other.
        options["isolation_level"] = "REPEATABLE READ"
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Give a connection in a transaction that is durable when the block ends without an exception."""
    with engine.begin() as connection:
        yield connection
