"""What is thrown away stands behind the log's word that its pool is stopped, and under the name of its ticket."""

import json

from sqlalchemy import select

from rng_service.ledger.engine import reading, writing
from rng_service.ledger.models import LogEntryRow, PoolRow, RecordRow
from rng_service.log_entries import Digest, PoolQuarantine, parse_entry
from rng_service.sequencer.expiry import expire_tickets
from rng_service.sequencer.requests import request_quarantine, retire_game


def queue(world):
    with reading(world.engine) as connection:
        rows = connection.scalars(select(LogEntryRow.entry).order_by(LogEntryRow.id)).all()
    return [parse_entry(bytes(row)) for row in rows]


def voids(world):
    with reading(world.engine) as connection:
        rows = connection.execute(select(RecordRow.slot, RecordRow.binding).where(RecordRow.kind == "void")).all()
    return {row.slot: json.loads(row.binding) for row in rows}


def running(make_world, **options):
    world = make_world(**options)
    world.register()
    world.start()
    world.steps(2)
    return world


def name_of(world, row=1):
    with reading(world.engine) as connection:
        return connection.scalars(select(PoolRow.pool_id).where(PoolRow.id == row)).one()


def test_a_ticket_of_a_stopped_pool_ends_behind_the_word_that_the_pool_is_stopped(make_world):
    world = running(make_world)
    binder = world.binder()
    binder.draws(2)
    (reserved,) = binder.reserve(1)
    world.steps()
    with writing(world.engine) as connection:
        assert request_quarantine(connection, name_of(world), "test-failed")
    context = world.sequencer._context
    # Even when a crash lets nothing follow: the word and the void are one transaction.
    assert expire_tickets(context) == 1
    (stopped,) = [entry for entry in queue(world) if isinstance(entry, PoolQuarantine)]
    assert (stopped.pool, stopped.from_slot, stopped.reason) == (name_of(world), 3, "test-failed")
    (void,) = voids(world).values()
    assert (void["ticket"], void["reason"]) == (reserved[0].hex(), "quarantine")
    world.steps(3)
    found = queue(world)
    places = [
        at
        for at, entry in enumerate(found)
        if isinstance(entry, Digest) and any(run.kind == "void" for run in entry.ranges)
    ]
    assert [entry for entry in found if isinstance(entry, PoolQuarantine)] == [stopped]
    assert found.index(stopped) < min(places)
    assert world.verify().records["void"] == 2


def test_a_retired_pool_opens_its_rest_at_once_and_its_tickets_when_they_expire(make_world):
    world = running(make_world, size=8)
    binder = world.binder()
    binder.draws(1)
    (reserved,) = binder.reserve(1, lifetime_us=20_000_000)
    world.steps()
    with writing(world.engine) as connection:
        retire_game(connection, "dice", 1, now_us=world.clock())
    world.steps(2)
    assert {slot: (item["reason"], item.get("ticket")) for slot, item in voids(world).items()} == {2: ("retired", None)}
    world.steps(3, seconds=10)
    ended = voids(world)[1]
    assert (ended["reason"], ended["ticket"]) == ("ticket-expired", reserved[0].hex())
    expires_us = json.loads(binder_ticket(world))["expires"]
    covering = [
        entry
        for entry in queue(world)
        if isinstance(entry, Digest) and any((run.kind, run.slot) == ("void", 1) for run in entry.ranges)
    ]
    assert [entry.time_us >= expires_us for entry in covering] == [True]
    report = world.verify()
    # The other pool of the lane was never used, and is opened by its key.
    assert (report.entries["pool.erase"], report.entries["pool.void"]) == (1, 1)


def binder_ticket(world):
    with reading(world.engine) as connection:
        return connection.scalars(select(RecordRow.binding).where(RecordRow.kind == "ticket")).one()
