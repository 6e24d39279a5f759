"""Statements for the hot path: one round trip for many rows, the text built once for each number of rows.

SQLAlchemy's own bulk insert costs several microseconds a row in this place; these are plain statements that SQLite and
PostgreSQL both take, executed through SQLAlchemy's connection (transactions, pooling and errors stay its own).
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

# SQLite's limit on host parameters is 32,766 in every supported version.
_MAX_PARAMETERS = 30_000


@lru_cache(maxsize=4096)
def _insert_text(table: str, columns: tuple[str, ...], rows: int, suffix: str) -> str:
    row = f"({', '.join('?' * len(columns))})"
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([row] * rows)} {suffix}"  # noqa: S608


@lru_cache(maxsize=4096)
def _in_dialect(statement: str, paramstyle: str) -> str:
    return statement if paramstyle == "qmark" else statement.replace("?", "%s")


def execute(connection: Connection, statement: str, parameters: Sequence[Any] = ()) -> Any:
    """Execute ``statement``, whose parameters are written `?`, in the connection's dialect; returns its CursorResult.

    Rows of textual statements have no static types, so the result is not annotated further.
    """
    text = _in_dialect(statement, connection.dialect.paramstyle)
    return connection.exec_driver_sql(text, tuple(parameters))


def insert_rows(
    connection: Connection,
    table: str,
    columns: tuple[str, ...],
    rows: Sequence[Sequence[Any]],
    suffix: str = "",
) -> list[Any]:
    """Insert ``rows``; return what the suffix's RETURNING gives, or nothing without one."""
    found: list[Any] = []
    step = _MAX_PARAMETERS // len(columns)
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        flat = [value for row in part for value in row]
        result = execute(connection, _insert_text(table, columns, len(part), suffix), flat)
        if "RETURNING" in suffix:
            found.extend(result.fetchall())
    return found


def marks(count: int) -> str:
    """Return ``count`` parameter marks for an IN list."""
    return ", ".join("?" * count)
