"""SQLite's checkpoints are taken beside the commits, and lose nothing."""

import sqlite3

import pytest
from sqlalchemy import text

from rng_service.ledger import checkpointing
from rng_service.ledger.checkpointing import Checkpointer, checkpoint
from rng_service.ledger.engine import open_engine, reading, sqlite_url, writing


@pytest.fixture
def engine(tmp_path):
    engine = open_engine(sqlite_url(tmp_path / "ledger.db"))
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE facts (id INTEGER PRIMARY KEY, value BLOB)"))
    yield engine
    engine.dispose()


def fill(engine, rows):
    with writing(engine) as connection:
        for _ in range(rows):
            connection.execute(text("INSERT INTO facts (value) VALUES (zeroblob(4000))"))


def count(engine):
    with reading(engine) as connection:
        return connection.execute(text("SELECT count(*) FROM facts")).scalar_one()


def test_a_checkpoint_lets_the_log_begin_again(engine, tmp_path):
    fill(engine, 2_000)
    assert checkpoint(engine) > 500
    length = (tmp_path / "ledger.db-wal").stat().st_size
    fill(engine, 1_000)
    assert (tmp_path / "ledger.db-wal").stat().st_size == length
    assert count(engine) == 3_000


def test_a_checkpoint_beside_an_open_write_transaction_waits_for_another_time(engine):
    fill(engine, 1_000)
    with writing(engine) as connection:
        connection.execute(text("INSERT INTO facts (value) VALUES (zeroblob(10))"))
        checkpoint(engine)
    assert count(engine) == 1_001


def test_a_full_disk_does_not_end_the_thread(engine, monkeypatch):
    calls = []

    def fail_twice(_engine):
        calls.append(1)
        if len(calls) < 3:
            raise sqlite3.OperationalError("database or disk is full")
        keeper._stopping.set()

    monkeypatch.setattr(checkpointing, "checkpoint", fail_twice)
    monkeypatch.setattr(checkpointing, "INTERVAL_S", 0.001)
    keeper = Checkpointer(engine)
    keeper.start()
    keeper._thread.join(10)
    assert len(calls) == 3
    assert not keeper._thread.is_alive()
