"""Copies, restores and second instances: each is refused at the start, with the reason."""

import shutil
from collections import Counter
from dataclasses import replace

import pytest
from sqlalchemy import delete, text
from test_sequencer_life import entries, states

from anchor.errors import RefusedError
from rng_service.config import LogConfig
from rng_service.errors import StartRefused
from rng_service.ledger.engine import open_engine, writing
from rng_service.ledger.leases import LeaseLostError
from rng_service.ledger.models import GroupRow, RecordRow
from rng_service.sequencer.inspection import Remedy, inspect
from rng_service.sequencer.rebuild import rebuild_public
from rng_service.sequencer.recovery import Burned, burn
from rng_service.sequencer.requests import request_quarantine
from rng_service.sequencer.sequencer import open_context


def running(make_world, *arguments, **options):
    world = make_world(*arguments, **options)
    world.register()
    world.start()
    world.steps(3)
    world.binder().draws(5)
    world.steps(1)
    return world


def stop(world):
    world.sequencer.close()
    world.sequencer = None


def kinds(world):
    return Counter(finding.kind for finding in inspect(world.config, world.engine, world.vault))


def snapshot_ledger(world):
    with world.engine.connect().execution_options(sealdraw_begin="DEFERRED") as connection:
        copy = world.directory / "copy.db"
        copy.unlink(missing_ok=True)
        connection.execute(text(f"ATTACH DATABASE '{copy}' AS copy"))
        connection.rollback()
    import sqlite3

    source, target = sqlite3.connect(world.directory / "ledger.db"), sqlite3.connect(copy)
    source.backup(target)
    source.close()
    target.close()
    return copy


def restore_ledger(world, copy):
    world.engine.dispose()
    for suffix in ("", "-wal", "-shm"):
        (world.directory / f"ledger.db{suffix}").unlink(missing_ok=True)
    shutil.copy(copy, world.directory / "ledger.db")
    world.engine = open_engine(world.config.ledger_url)


def test_a_healthy_installation_has_no_findings(make_world, ledger_url):
    world = running(make_world, ledger_url)
    stop(world)
    assert inspect(world.config, world.engine, world.vault) == []


def test_a_second_instance_is_refused_with_the_name_of_the_first(make_world, ledger_url):
    world = running(make_world, ledger_url)
    with pytest.raises(StartRefused, match="run by one"):
        open_context(world.config, world.engine, world.vault, holder="two", clock_us=world.clock)
    world.steps(1)


def test_a_leader_that_lost_its_lease_writes_nothing_more(make_world, ledger_url):
    world = running(make_world, ledger_url)
    world.clock.advance(20)
    open_context(world.config, world.engine, world.vault, holder="two", clock_us=world.clock)
    before = entries(world, "digest")
    with pytest.raises(LeaseLostError):
        world.steps(1)
    assert entries(world, "digest") == before


def test_yesterdays_ledger_is_refused(make_world):
    world = running(make_world)
    copy = snapshot_ledger(world)
    world.binder().draws(3)
    world.steps(3)
    stop(world)
    restore_ledger(world, copy)
    with pytest.raises(StartRefused, match=r"ledger-restored: .*older copy"):
        world.start()


def test_a_ledger_that_lost_its_last_seconds_is_refused_and_can_be_burned(make_world):
    world = running(make_world, size=32)
    binder = world.binder()
    copy = snapshot_ledger(world)
    # Bound, opened by the vault, and then lost: what a failover without its last transactions does.
    binder.draws(2)
    world.sequencer._digests._open(world.sequencer._context, [(2, binder.key_id)])
    stop(world)
    restore_ledger(world, copy)
    findings = inspect(world.config, world.engine, world.vault)
    assert {(item.kind, item.slot, item.remedy) for item in findings} == {
        ("binding-lost", 5, Remedy.BURN),
        ("binding-lost", 6, Remedy.BURN),
    }
    with pytest.raises(StartRefused, match="binding-lost"):
        world.start()
    context = open_context(world.config, world.engine, world.vault, holder="one", clock_us=world.clock)
    assert burn(context, findings) == Burned(["test/dice/1/base/real/0/1"])
    assert burn(context, []) == Burned([])
    world.start()
    world.steps(3)
    assert states(world) == {"halted": 1, "active": 2}
    world.binder().draws(4)
    world.steps(2)
    world.sequencer.finish()
    assert len(entries(world, "incident")) == 2
    assert world.verify().incidents == {"binding-lost: ledger-restored": 2}


def test_a_public_directory_that_is_lost_is_made_again_file_by_file(make_world, ledger_url):
    world = make_world(ledger_url, size=8)
    world.register()
    world.start()
    world.steps(2)
    binder = world.binder()
    binder.draws(2)
    (ticket, _) = binder.reserve(2, lifetime_us=1_500_000)
    binder.draw_on(ticket)
    place = binder.draws(1, count=4)[0]
    binder.settle(place, stake=5, payout=7)
    world.steps(4)
    with writing(world.engine) as connection:
        request_quarantine(connection, "test/dice/1/base/real/0/2")
    world.steps(4)
    assert states(world) == {"erased": 1, "void": 1, "active": 2}
    public = world.config.public_dir
    before = {path: path.read_bytes() for path in public.rglob("*") if path.is_file() and not path.name.startswith(".")}
    stop(world)
    shutil.rmtree(public)
    assert kinds(world) == {"public-behind": 1}
    with pytest.raises(StartRefused, match="sealdraw recover"):
        world.start()
    context = open_context(world.config, world.engine, world.vault, holder="one", clock_us=world.clock)
    assert rebuild_public(context) > 10
    world.start()
    world.verify()
    after = {path: path.read_bytes() for path in public.rglob("*") if path.is_file() and not path.name.startswith(".")}
    # Partial tiles of earlier sizes need not come back, nor the keys that are only there for reading.
    assert after.items() <= before.items()
    assert {path.parent.name for path in before.keys() - after.keys()} <= {"000.p", "keys"}
    world.steps(2)
    world.verify()


def test_a_rebuild_from_another_ledger_writes_nothing(make_world):
    world = running(make_world)
    stop(world)
    with writing(world.engine) as connection:
        connection.execute(text("UPDATE log_entries SET entry = x'7b7d' WHERE log_index = 4"))
    shutil.rmtree(world.config.public_dir)
    context = open_context(world.config, world.engine, world.vault, holder="one", clock_us=world.clock)
    with pytest.raises(RefusedError, match="the vault signed"):
        rebuild_public(context)
    assert not world.config.public_dir.exists()


def test_a_wrong_tile_is_refused(make_world):
    world = running(make_world)
    stop(world)
    tile = max((world.config.public_dir / "tile" / "0").rglob("*.p/*"), key=lambda path: int(path.name))
    tile.write_bytes(bytes(len(tile.read_bytes())))
    assert sum(kinds(world).values()) == 1
    with pytest.raises(StartRefused):
        world.start()


def test_entries_that_differ_from_the_log_are_refused(make_world):
    world = running(make_world)
    stop(world)
    with writing(world.engine) as connection:
        connection.execute(text("UPDATE log_entries SET entry = x'7b7d' WHERE log_index = 4"))
    assert kinds(world) == {"ledger-differs": 1}


@pytest.mark.parametrize(
    "changed", [LogConfig(merge_delay_s=61), LogConfig(heartbeat_s=30), LogConfig(close_delay_s=1)]
)
def test_a_promise_of_the_log_cannot_be_changed_by_configuration(make_world, changed):
    world = running(make_world)
    stop(world)
    world.with_config(log=changed)
    with pytest.raises(StartRefused, match=r"promise: .*set it back"):
        world.start()


def test_a_vault_of_another_origin_is_refused(make_world):
    world = running(make_world)
    stop(world)
    world.with_config(service=replace(world.config.service, origin="other.example/test"))
    assert kinds(world) == {"origin": 2}


def test_a_slot_that_the_vault_refuses_stops_its_pool_and_nothing_else(make_world, ledger_url):
    world = running(make_world, ledger_url, size=8)
    binder = world.binder()
    binder.draws(1)
    world.sequencer._digests._open(world.sequencer._context, [(2, binder.key_id)])
    with writing(world.engine) as connection:
        connection.execute(delete(RecordRow).where(RecordRow.slot == 5))
        connection.execute(delete(GroupRow).where(GroupRow.id == 2))
        connection.execute(text("UPDATE pools SET next_slot = 5 WHERE id = 1"))
    binder.draws(1)
    world.steps(3)
    (incident,) = entries(world, "incident")
    assert (incident.kind, incident.reason, incident.slot) == ("opening-refused", "bound-otherwise", 5)
    assert states(world) == {"quarantined": 1, "active": 2}
    assert binder.draws(2)[0][0] == 2
    # The voids of that pool wait behind the refused slot; the heartbeat goes on all the same.
    world.steps(20, seconds=7)
    assert world.verify().records["draw"] == 7
