"""SQLite's checkpoints, taken beside the draw path instead of in it.

By default the connection whose commit makes the write-ahead log long copies it into the database file and waits for the
disk: a draw in every few thousand would take a tenth of a second. A thread of its own does most of that without holding
anybody up, and then briefly takes the write lock for what is left, so that the log starts again from its beginning.
"""

import logging
import sqlite3
import threading
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from rng_service.ledger.engine import BUSY_TIMEOUT_MS

_log = logging.getLogger(__name__)

INTERVAL_S: Final = 0.5
# Pages of 4 KiB; with fewer in the log nothing is worth doing.
_WORTHWHILE: Final = 500


def checkpoint(engine: Engine) -> int:
    """Copy what is in the write-ahead log into the database; return how many pages were in it, 0 if not SQLite.

    Durable for the database file when it returns; commits were durable before, in the log.
    """
    if engine.dialect.name != "sqlite":
        return 0
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        # Whoever reads or writes comes first: this is tried again soon.
        cursor.execute("PRAGMA busy_timeout = 20")
        try:
            pages = cursor.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1]
            if pages >= _WORTHWHILE:
                cursor.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            cursor.close()
        return int(pages)
    finally:
        raw.close()


class Checkpointer:
    """Takes checkpoints in a thread until it is stopped."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpointer", daemon=True)

    def start(self) -> None:
        """Begin; does nothing for other databases."""
        if self._engine.dialect.name == "sqlite":
            self._thread.start()

    def stop(self) -> None:
        """Finish the checkpoint under way, and end."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(INTERVAL_S):
            try:
                checkpoint(self._engine)
            except (SQLAlchemyError, sqlite3.Error) as error:
                # On a full disk commits fail too, and say so to those who wait. Otherwise the log only gets longer, and
                # SQLite's own limit makes a commit do the work after all.
                _log.warning("no checkpoint of the ledger: %s", type(error).__name__)
