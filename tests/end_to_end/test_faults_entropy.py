"""The kernel's randomness stands still under a running vault, and comes back: what stops, what goes on, what is told."""

from collections import Counter
from pathlib import Path

import failing_source
import pytest
from sqlalchemy import select
from system import NAMES, System, free_port, wait_for

from rng_service.ledger.engine import open_engine, reading
from rng_service.ledger.models import LogEntryRow, PoolRow
from rng_service.log_entries import Incident, PoolQuarantine, parse_entry


@pytest.fixture
def system():
    # A development beacon leaves pools committed and not yet active for a while: those are in doubt.
    beacon = {"beacon.kind": "development", "beacon.listen": f"127.0.0.1:{free_port()}", "beacon.margin_s": 1}
    with System(settings=beacon) as made:
        made.wrappers["vault"] = (str(Path(failing_source.__file__)), str(made.root / "source"))
        yield made


def tell(system, how):
    """Say how the source behaves from now on."""
    written = system.root / "source.new"
    written.write_text(how, encoding="ascii")
    written.rename(system.root / "source")


def sealed(system):
    """Return how many pools there ever were."""
    with reading(open_engine(system.config.ledger_url)) as connection:
        return len(connection.execute(select(PoolRow.id)).all())


def entries(system, kind):
    with reading(open_engine(system.config.ledger_url)) as connection:
        found = [parse_entry(bytes(data)) for data in connection.execute(select(LogEntryRow.entry)).scalars()]
    return [entry for entry in found if isinstance(entry, kind)]


def incidents(system):
    return [(entry.kind, entry.reason) for entry in entries(system, Incident)]


@pytest.mark.parametrize(("how", "test"), [("stuck", "repetition-count"), ("biased", "most-common-value")])
def test_a_source_that_fails_under_a_running_vault_stops_sealing_until_it_is_good_again(system, how, test):
    system.start("beacon", *NAMES)
    system.register()
    load = system.load()
    load.await_answers(50)
    assert system.status().entropy_source.failed_test == ""
    before = sealed(system)
    wait_for(lambda: sealed(system) > before, "one more pool, which is in doubt now")
    tell(system, how)
    wait_for(lambda: system.status().entropy_source.failed_test, "the vault to notice")
    failed = system.status().entropy_source
    assert failed.failures == 1
    assert failed.failed_test in {test, "adaptive-proportion"}
    wait_for(
        lambda: "entropy.failed: no pool is sealed before a restart" in system.running["vault"].text,
        "the vault to say so",
    )
    before = sealed(system)
    wait_for(lambda: incidents(system), "the log to know")
    assert incidents(system) == [("entropy-failed", failed.failed_test)]
    # What is there is drawn from, and nothing is sealed beside it.
    load.await_tries(100)
    assert sealed(system) == before
    # A vault that is started on the same source refuses to make keys from the first second on.
    system.kill("vault")
    system.start("vault")
    wait_for(lambda: system.status().entropy_source.failed_test, "the start-up test to fail")
    load.await_tries(50)
    assert sealed(system) == before
    suspects = set(system.status().entropy_source.suspect_pools)
    wait_for(lambda: suspects <= quarantined(system), "the suspects to be given up")
    # With a good source it goes on; the suspects stay what they are.
    tell(system, "good")
    system.kill("vault")
    system.start("vault")
    wait_for(lambda: sealed(system) > before, "new pools")
    load.await_answers(50)
    after = system.status().entropy_source
    assert after.failed_test == ""
    assert set(after.suspect_pools) == suspects
    system.settle_down()
    report = system.check()
    assert report.records["draw"] > 0
    assert Counter(kind for kind, _ in incidents(system))["entropy-failed"] >= 1
    check_suspects(system, suspects)


def quarantined(system):
    return {entry.pool for entry in entries(system, PoolQuarantine) if entry.reason == "entropy-suspect"}


def check_suspects(system, suspects):
    """Every suspect that was committed to is given up from its first slot, and void in the end."""
    assert suspects <= quarantined(system)
    assert all(entry.from_slot == 0 for entry in entries(system, PoolQuarantine) if entry.reason == "entropy-suspect")
    with reading(open_engine(system.config.ledger_url)) as connection:
        states = dict(connection.execute(select(PoolRow.pool_id, PoolRow.state)).all())
    assert {states[pool] for pool in suspects} <= {"void"}
