"""An older vault is put back: what recovery shows it again, what it ends again, and what can only be given up."""

import shutil
from collections import Counter

import pytest
from sealdraw.vault.v1 import vault_pb2
from sequencer_world import Killed
from sqlalchemy import select
from test_sequencer_life import entries, states

from rng_service.errors import StartRefused
from rng_service.ledger.engine import reading, writing
from rng_service.ledger.models import FAMILY_SETTLEMENT, TICKET_OPEN, GroupRow, PoolRow, RecordRow, TicketRow
from rng_service.records.binding import void_binding
from rng_service.records.record import binding_hash
from rng_service.sequencer.inspection import Remedy, inspect
from rng_service.sequencer.recovery import burn, fast_forward
from rng_service.sequencer.requests import request_quarantine
from rng_service.sequencer.sequencer import open_context
from rng_service.sequencer.voiding import VoidRun, bind_voids
from rng_service.vault.keystore import pool_key_name

KINDS = {"draw": vault_pb2.SLOT_KIND_DRAW, "ticket": vault_pb2.SLOT_KIND_TICKET, "void": vault_pb2.SLOT_KIND_VOID}
POOL = "test/dice/1/base/real/0/"


def running(make_world, *arguments, **options):
    world = make_world(*arguments, **options)
    world.register()
    world.start()
    world.steps(3)
    return world


def stop(world):
    world.sequencer.close()
    world.sequencer = None


def back_up_vault(world):
    stop(world)
    world.stop_vault()
    shutil.copytree(world.config.vault_dir, world.directory / "vault-copy")
    world.start_vault()
    world.start()


def restore_vault(world):
    stop(world)
    world.stop_vault()
    shutil.rmtree(world.config.vault_dir)
    shutil.copytree(world.directory / "vault-copy", world.config.vault_dir)
    world.start_vault()


def recover(world, on_step=lambda _name: None):
    findings = inspect(world.config, world.engine, world.vault)
    context = open_context(world.config, world.engine, world.vault, holder="one", clock_us=world.clock, on_step=on_step)
    return burn(context, findings)


def journal(world):
    """The binding hashes by pool, slot and kind, as the vault's journal has them."""
    return Counter(
        (entry.pool_id, entry.slot, entry.count, entry.kind, entry.binding_hash)
        for frame in world.vault.read_journal(0)
        for entry in frame.entries
    )


def ledger(world, *pools):
    rows = (
        select(PoolRow.pool_id, RecordRow.slot, RecordRow.slots, RecordRow.kind, RecordRow.binding)
        .join(PoolRow, PoolRow.id == RecordRow.pool_id)
        .where(RecordRow.family != FAMILY_SETTLEMENT, PoolRow.pool_id.in_([POOL + str(pool) for pool in pools]))
    )
    with reading(world.engine) as connection:
        return Counter(
            (pool, slot, slots, KINDS[kind], binding_hash(bytes(binding)))
            for pool, slot, slots, kind, binding in connection.execute(rows)
        )


def pool_states(world):
    with reading(world.engine) as connection:
        return {row.pool_id: row.state for row in connection.execute(select(PoolRow.pool_id, PoolRow.state))}


def has_key(world, number):
    return world.vault_core.store.has(pool_key_name(f"{POOL}{number}"))


def an_eventful_day(make_world, *arguments):
    """Pool 1 is erased, 2 thrown away and 3 in use with tickets when the vault of the morning, with 1 to 3, is back."""
    world = running(make_world, *arguments, size=8, ready=3)
    binder = world.binder()
    binder.draws(2)
    (early, _) = binder.reserve(2, lifetime_us=6_000_000)
    world.steps(1)
    back_up_vault(world)
    binder.draw_on(early)
    binder.draws(2, count=2)
    with writing(world.engine) as connection:
        request_quarantine(connection, f"{POOL}2")
    world.steps(10)
    binder.draws(1)
    (late, _, _) = binder.reserve(3)
    binder.draw_on(late)
    binder.settle(binder.draws(1, count=2)[0], stake=5, payout=7)
    world.steps(2)
    assert pool_states(world) == {
        f"{POOL}1": "erased", f"{POOL}2": "void", f"{POOL}3": "active", f"{POOL}4": "active", f"{POOL}5": "active",
    }  # fmt: skip
    return world


def assert_recovered(world, burned):
    assert burned.stopped == [f"{POOL}3", f"{POOL}4", f"{POOL}5"]
    assert burned.replayed.refused == []
    # What was bound since stands in the journal again, once, and nothing else does.
    assert journal(world) == ledger(world, 1, 3)
    # Keys that were destroyed, or that everybody has, are so again.
    vault = {pool.pool_id: pool.state for pool in world.vault.get_state().pools}
    assert vault == {f"{POOL}1": "erased", f"{POOL}2": "void", f"{POOL}3": "active"}
    assert not has_key(world, 1)
    assert inspect(world.config, world.engine, world.vault) == []
    world.start()
    world.steps(6)
    # The tickets are not expired, and are thrown away with the rest: their voids are opened, and the pool closes.
    assert states(world) == {"erased": 2, "void": 1, "halted": 2, "active": 3}
    assert not has_key(world, 3)
    with reading(world.engine) as connection:
        assert connection.scalars(select(GroupRow.id).where(GroupRow.digest_seq.is_(None))).all() == []
        assert connection.scalars(select(TicketRow.slot).where(TicketRow.state == TICKET_OPEN)).all() == []
    world.binder().draws(3)
    world.steps(2)
    assert world.verify().incidents == {
        "pool-unopenable: unknown-pool": 2,
        "vault-restored: older-vault-journal": 1,
    }


def test_an_older_vault_learns_again_what_was_bound_and_ends_again_what_was_ended(make_world, ledger_url):
    world = an_eventful_day(make_world, ledger_url)
    restore_vault(world)
    assert has_key(world, 1)
    findings = inspect(world.config, world.engine, world.vault)
    assert {(finding.kind, finding.remedy) for finding in findings} == {("vault-restored", Remedy.BURN)}
    assert [finding for finding in findings if f"still has the key of {POOL}1 (and 1 more)" in finding.message]
    assert [finding for finding in findings if f"does not have the key of {POOL}4 (and 1 more)" in finding.message]
    with pytest.raises(StartRefused, match="vault-restored"):
        world.start()
    burned = recover(world)
    assert burned.replayed.bindings == sum(ledger(world, 1, 3).values())
    assert burned.replayed.ended == [f"{POOL}1", f"{POOL}2"]
    assert_recovered(world, burned)


@pytest.mark.parametrize(("step", "passing"), [("replay.opened", 1), ("replay.opened", 2), ("replay.ended", 1)])
def test_a_crash_in_the_middle_of_a_replay_is_found_and_all_of_it_done_again(make_world, step, passing):
    world = an_eventful_day(make_world)
    restore_vault(world)
    passings = Counter()

    def die(name):
        passings[name] += 1
        if (name, passings[name]) == (step, passing):
            raise Killed

    with pytest.raises(Killed):
        recover(world, die)
    world.stop_vault()
    world.start_vault()
    with pytest.raises(StartRefused, match="vault-restored"):
        world.start()
    assert_recovered(world, recover(world))


def test_a_crash_right_after_the_mark_was_brought_up_is_found_by_the_keys_alone(make_world):
    world = running(make_world, size=8)
    back_up_vault(world)
    # Nothing is bound, so that the journal's frames say nothing: only that pool 2 was thrown away, and 3 made.
    with writing(world.engine) as connection:
        request_quarantine(connection, f"{POOL}2")
    world.steps(4)
    restore_vault(world)
    fast_forward(world.vault, world.config.public_dir)
    with pytest.raises(StartRefused, match=r"vault-restored: the vault does not have the key of .*/3"):
        world.start()
    assert recover(world).replayed.ended == [f"{POOL}2"]
    world.start()
    world.steps(3)
    assert states(world) == {"void": 2, "halted": 1, "active": 2}
    world.verify()


def test_a_slot_for_which_an_older_vault_holds_another_binding_stays_refused_and_halts_its_pool(make_world, ledger_url):
    world = running(make_world, ledger_url, size=8)
    world.binder().draws(1)
    world.steps(1)
    back_up_vault(world)
    world.binder().draws(3)
    world.steps(2)
    restore_vault(world)
    # Somebody let the old copy run: it opened slot 2 for something that the ledger never bound.
    binding = void_binding(
        pool=f"{POOL}1", slot=2, count=1, reason="recovered", bind_time_us=world.clock(), nonce="00" * 16
    )
    opening = vault_pb2.Opening(pool_id=f"{POOL}1", slot=2, count=1, kind=vault_pb2.SLOT_KIND_VOID, binding=binding)
    assert world.vault.open_group([opening]).results[0].refused == ""
    burned = recover(world)
    (refused,) = burned.replayed.refused
    assert (refused.pool, refused.record.slot, refused.reason) == (f"{POOL}1", 2, "bound-otherwise")
    assert f"{POOL}1" in burned.stopped
    world.start()
    world.steps(4)
    assert pool_states(world)[f"{POOL}1"] == "halted"
    (incident,) = [entry for entry in entries(world, "incident") if entry.kind == "opening-refused"]
    assert (incident.pool, incident.slot, incident.reason) == (f"{POOL}1", 2, "bound-otherwise")
    # The other slots of the pool are bound as the ledger has them, and other pools go on.
    assert set(ledger(world, 1)) - set(journal(world)) == {item for item in ledger(world, 1) if item[1] == 2}
    world.binder().draws(2)
    world.steps(1)
    assert world.verify().records["draw"] == 6


def test_a_pool_that_closed_under_a_key_that_is_lost_is_halted_and_the_rest_goes_on(make_world):
    world = running(make_world, size=4, ready=2)
    back_up_vault(world)
    binder = world.binder()
    binder.draws(8)
    world.steps(6)
    assert pool_states(world)[f"{POOL}2"] == "erased"
    binder.draws(4)

    def die(name):
        if name == "close.recorded":
            raise Killed

    stop(world)
    world.start(on_step=die)
    with pytest.raises(Killed):
        world.steps(2)
    world.abandon()
    assert pool_states(world)[f"{POOL}3"] == "closed"
    world.start()
    restore_vault(world)
    assert f"{POOL}3" in recover(world).stopped
    world.start()
    world.steps(4)
    assert pool_states(world)[f"{POOL}3"] == "halted"
    world.binder().draws(1)
    world.steps(1)
    world.verify()


def test_a_group_whose_receipt_key_is_lost_is_refused_in_the_open_and_the_rest_goes_on(make_world, ledger_url):
    world = running(make_world, ledger_url, size=8)
    back_up_vault(world)
    world.vault.rotate_key(vault_pb2.KEY_KIND_RECEIPT)
    world.steps(11)
    world.binder().draws(3)
    world.steps(1)
    # Bound and answered, but in no digest yet.
    world.binder().draws(1)
    restore_vault(world)
    assert recover(world).stopped == [f"{POOL}1", f"{POOL}2"]
    world.start()
    world.steps(4)
    assert [(entry.kind, entry.pool, entry.slot, entry.reason) for entry in entries(world, "incident")] == [
        ("vault-restored", None, None, "older-vault-journal"),
        ("pool-unopenable", f"{POOL}1", None, "receipt-key-gone"),
        ("opening-refused", f"{POOL}1", 3, "receipt-key-gone"),
    ]
    assert pool_states(world)[f"{POOL}1"] == "halted"
    world.binder().draws(2)
    world.steps(2)
    assert world.verify().records["draw"] == 5


def test_a_group_with_a_slot_of_a_lost_pool_takes_its_other_pool_with_it(make_world, ledger_url):
    world = running(make_world, ledger_url, size=4, ready=2)
    back_up_vault(world)
    binder = world.binder()
    binder.draws(7)
    world.steps(4)
    assert pool_states(world) == {f"{POOL}1": "erased", f"{POOL}2": "active", f"{POOL}3": "active"}
    # The last slot of pool 2 and the first of pool 3 in one group, which no digest has.
    assert [place[1] for place in binder.draws(2)] == [3, 0]
    restore_vault(world)
    # Of the two the vault has the key of pool 2 alone.
    assert recover(world).stopped == [f"{POOL}2", f"{POOL}3"]
    assert not has_key(world, 1)
    world.start()
    world.steps(4)
    found = {(entry.kind, entry.pool, entry.slot, entry.reason) for entry in entries(world, "incident")}
    assert found == {
        ("vault-restored", None, None, "older-vault-journal"),
        ("pool-unopenable", f"{POOL}2", None, "group-held-back"),
        ("pool-unopenable", f"{POOL}3", None, "unknown-pool"),
        ("opening-refused", f"{POOL}3", 0, "unknown-pool"),
    }
    assert states(world) == {"erased": 1, "halted": 2, "active": 2}
    binder.draws(2)
    world.steps(2)
    assert world.verify().records["draw"] == 9


def test_voids_of_different_pools_are_groups_of_their_own(make_world, ledger_url):
    world = running(make_world, ledger_url)
    runs = [VoidRun(pool, f"{POOL}{pool}", slot, 1, "recovered") for slot in (0, 1) for pool in (1, 2)]
    with world.sequencer._context.writing() as connection:
        bind_voids(world.sequencer._context, connection, runs)
    with reading(world.engine) as connection:
        groups = connection.execute(
            select(RecordRow.id, RecordRow.pool_id, RecordRow.slot).order_by(RecordRow.id)
        ).all()
    assert [(row.pool_id, row.slot) for row in groups] == [(1, 0), (1, 1), (2, 0), (2, 1)]
    assert [row.id >> 12 for row in groups] == [1, 1, 2, 2]
