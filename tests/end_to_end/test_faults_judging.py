"""A pool whose secrets repeat: its test fails, it is opened to the public and never drawn from, whoever dies meanwhile."""

from collections import Counter
from pathlib import Path

import pytest
import repeating_keystream
from sqlalchemy import select
from system import System

from rng_service.ledger.engine import open_engine, reading
from rng_service.ledger.models import LogEntryRow, PoolRow, RecordRow
from rng_service.log_entries import PoolQuarantine, PoolTest, PoolVoid, parse_entry
from rng_service.pools import slots

# The keys of the first two pools that are ever sealed.
BAD = (0, 1)


@pytest.fixture
def system(monkeypatch):
    """A node whose vault, and whose auditor, find the secrets of the BAD pools repeating."""
    with System() as made:
        file = made.root / "keys-used"
        script = str(Path(repeating_keystream.__file__))
        made.wrappers["vault"] = (script, str(file), ",".join(map(str, BAD)))
        monkeypatch.setattr(slots, "slot_secrets_range", repeating_keystream.RepeatingKeystream(file, BAD))
        yield made


def test_failed_pools_are_opened_and_not_drawn_from_through_deaths_at_every_step_around_the_verdict(system):
    system.start("vault", "front")
    system.launch("sequencer", fault="sequencer.test.vault")
    system.submit()
    system.await_death("sequencer", "test.vault")
    # The first bad pool's verdict was not written down; then it was, and of the second one it is lost again.
    for step in ("test.recorded", "test.vault", "test.recorded"):
        system.kill("vault")
        system.start("vault")
        system.launch("sequencer", fault=f"sequencer.{step}")
        system.await_death("sequencer", step)
    for step in ("disposal.vault", "disposal.recorded"):
        system.launch("sequencer", fault=f"sequencer.{step}")
        system.await_death("sequencer", step)
    system.start("sequencer")
    load = system.load()
    load.await_answers(200)
    status = system.status().pool_tests
    assert status.failed == len(BAD)
    assert status.alarm
    assert status.log2_p_value < -60
    system.settle_down()
    report = system.check()
    assert report.pool_tests["fail"] == len(BAD)
    assert report.pool_tests["recomputed"] >= len(BAD)
    check_failed_pools(system)


def check_failed_pools(system):
    engine = open_engine(system.config.ledger_url)
    try:
        with reading(engine) as connection:
            data = connection.scalars(select(LogEntryRow.entry).order_by(LogEntryRow.log_index)).all()
            failed = connection.execute(select(PoolRow.id, PoolRow.pool_id).where(PoolRow.test_verdict == "fail")).all()
            drawn = set(connection.scalars(select(RecordRow.pool_id).distinct()))
    finally:
        engine.dispose()
    entries = [parse_entry(bytes(entry)) for entry in data]
    assert len(failed) == len(BAD)
    for pool in failed:
        assert pool.id not in drawn
        story = [
            entry for entry in entries
            if isinstance(entry, PoolTest | PoolQuarantine | PoolVoid) and entry.pool == pool.pool_id
        ]  # fmt: skip
        assert [entry.TYPE for entry in story] == ["pool.test", "pool.quarantine", "pool.void"]
        assert story[0].test == "repeats"
    verdicts = Counter(entry.pool for entry in entries if isinstance(entry, PoolTest))
    assert set(verdicts.values()) == {1}
