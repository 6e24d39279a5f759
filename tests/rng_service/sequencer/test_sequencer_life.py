"""From the first entry to the last: what the sequencer publishes passes the auditor's walk over the whole log."""

from collections import Counter

from sqlalchemy import func, select, update

from rng_service.config import LogConfig
from rng_service.ledger.engine import reading, writing
from rng_service.ledger.models import BeaconRoundRow, GroupRow, LogEntryRow, PoolRow
from rng_service.log_entries import parse_entry
from rng_service.sequencer.requests import request_quarantine, retire_game


def states(world):
    with reading(world.engine) as connection:
        return Counter(connection.scalars(select(PoolRow.state)))


def entries(world, kind):
    with reading(world.engine) as connection:
        rows = connection.scalars(
            select(LogEntryRow.entry).where(LogEntryRow.type == kind).order_by(LogEntryRow.log_index)
        ).all()
    return [parse_entry(bytes(row)) for row in rows]


def test_a_fresh_log_begins_with_its_configuration_and_gets_pools(make_world, ledger_url):
    world = make_world(ledger_url)
    world.register()
    world.start()
    world.steps(2)
    assert states(world) == {"active": 2}
    report = world.verify()
    assert report.entries["log.config"] == 1
    assert report.entries["pool.activate"] == 2
    assert report.entries["key.receipt"] == 1
    assert (world.config.public_dir / "keys" / "log.vkey").read_text() == world.vkey + "\n"
    assert "dice" in (world.config.public_dir / "index.html").read_text()


def test_draws_tickets_voids_and_settlements_pass_the_audit_and_their_pools_are_erased(make_world, ledger_url):
    world = make_world(ledger_url, size=16)
    world.register()
    world.start()
    world.steps(2)
    binder = world.binder()
    bet = {"bet": "under", "threshold": 50}
    places = binder.draws(4, stake=100, bet=bet)
    tickets = binder.reserve(3, lifetime_us=20_000_000)
    binder.draws(1, count=5)
    world.steps()
    binder.draw_on(tickets[1], stake=100, bet=bet)
    binder.settle(places[0], stake=100, payout=0, status="confirm")
    batch = binder.draws(1, count=4)
    binder.settle((batch[0][0], batch[0][1] + 2), stake=50, payout=70)
    world.steps()
    world.steps(3, seconds=10)
    assert states(world)["erased"] == 1
    world.sequencer.finish()
    report = world.verify()
    assert report.records == {"draw": 7, "settle": 2, "ticket": 3, "void": 2}
    assert report.pools_closed == 1
    totals = [row for entry in entries(world, "totals") for row in entry.rows]
    assert sum(row.outcomes for row in totals) == 14
    assert sum(row.plays for row in totals) == 6
    assert sum(row.stake_minor for row in totals) == 550
    assert sum(row.unsettled for row in totals) == 8


def test_a_quarantined_pool_opens_the_rest_of_its_slots_and_the_next_pool_is_used(make_world, ledger_url):
    world = make_world(ledger_url, size=40_000)
    world.register()
    world.start()
    world.steps(2)
    binder = world.binder()
    binder.draws(3)
    open_ticket = binder.reserve(1)
    name = open_ticket[0][3]
    with writing(world.engine) as connection:
        assert request_quarantine(connection, name)
        assert not request_quarantine(connection, name)
    assert binder.draws(2) == [(2, 0), (2, 1)]
    world.steps(4)
    world.sequencer.finish()
    assert states(world) == {"erased": 1, "active": 2}
    (quarantine,) = entries(world, "pool.quarantine")
    assert (quarantine.pool, quarantine.from_slot, quarantine.reason) == (name, 4, "quarantine")
    (close,) = entries(world, "pool.close")
    assert (close.drawn, close.void) == (3, 39_997)
    assert world.verify().records == {"draw": 5, "settle": 0, "ticket": 1, "void": 4}


def test_a_pool_that_was_stopped_right_before_a_clean_stop_holds_nothing_back(make_world):
    world = make_world()
    world.register()
    world.start()
    world.steps(2)
    binder = world.binder()
    binder.draws(3)
    with reading(world.engine) as connection:
        name = connection.scalars(select(PoolRow.pool_id).where(PoolRow.number == 1)).one()
    with writing(world.engine) as connection:
        assert request_quarantine(connection, name)
    assert binder.draws(2) == [(2, 0), (2, 1)]
    world.sequencer.finish()
    with reading(world.engine) as connection:
        assert connection.scalars(select(GroupRow.id).where(GroupRow.digest_seq.is_(None))).all() == []
    assert world.verify().records["draw"] == 5


def test_a_stopped_pool_of_which_nothing_was_bound_is_opened_by_its_key(make_world, ledger_url):
    world = make_world(ledger_url)
    world.register()
    world.start()
    world.steps(2)
    with writing(world.engine) as connection:
        assert retire_game(connection, "dice", 1, now_us=world.clock()) == 2
        assert retire_game(connection, "dice", 1, now_us=world.clock()) == 0
    world.steps(3)
    assert states(world) == {"void": 2}
    assert [entry.reason for entry in entries(world, "pool.void")] == ["retired", "retired"]
    assert world.verify().pools_voided == 2


def test_a_retired_game_keeps_its_tickets_and_gets_no_more_pools(make_world):
    world = make_world(size=8)
    world.register()
    world.start()
    world.steps(2)
    binder = world.binder()
    (ticket,) = binder.reserve(1, lifetime_us=30_000_000)
    with writing(world.engine) as connection:
        retire_game(connection, "dice", 1, now_us=world.clock())
    world.steps(2)
    binder.draw_on(ticket)
    world.steps(3)
    assert states(world) == {"erased": 1, "void": 1}
    (close,) = entries(world, "pool.close")
    assert (close.drawn, close.void, close.reason) == (1, 7, "retired")
    world.verify()


def test_a_pool_with_a_beacon_waits_for_its_own_round(make_world):
    world = make_world(beacon="development")
    world.register()
    world.start()
    world.steps(2)
    assert states(world) == {"committed": 2}
    world.rounds.reachable = False
    world.steps(3, seconds=10)
    assert states(world) == {"committed": 2}
    world.rounds.reachable = True
    world.steps(1)
    assert states(world) == {"active": 2}
    activation = entries(world, "pool.activate")[0]
    commit = entries(world, "pool.commit")[0]
    assert world.rounds.key.sign(commit.beacon.round) == activation.beacon_signature
    world.binder().draws(2)
    world.steps()
    assert world.verify().development_beacon


def test_a_pool_whose_round_came_early_waits_for_those_before_it(make_world):
    world = make_world(beacon="development")
    world.register()
    world.start()
    world.steps(2)
    rounds = [entry.beacon.round for entry in entries(world, "pool.commit")]
    with writing(world.engine) as connection:
        connection.execute(update(PoolRow).where(PoolRow.number == 1).values(beacon_round=rounds[0] + 40))
    world.steps(3, seconds=10)
    assert states(world) == {"committed": 1, "activating": 1}
    world.steps(3, seconds=10)
    assert states(world) == {"active": 2}


def test_a_round_that_does_not_come_by_the_deadline_voids_the_pool(make_world):
    world = make_world(beacon="development", ready=1)
    world.with_config(log=LogConfig(heartbeat_s=3_600))
    world.register()
    world.start()
    world.rounds.reachable = False
    world.steps(2)
    world.steps(2, seconds=50_000)
    late = entries(world, "pool.void")
    assert [entry.reason for entry in late] == ["beacon-late"]
    world.verify()


def test_a_quiet_log_has_a_heartbeat_in_good_time(make_world):
    world = make_world()
    world.start()
    world.steps(60)
    assert 2 <= len(entries(world, "digest")) <= 4
    world.verify()


def test_keys_are_rotated_when_they_are_due_and_every_rotation_is_announced(make_world):
    world = make_world()
    world.start()
    world.steps()
    world.vault.rotate_key(3)
    world.steps(2, seconds=6)
    assert len(entries(world, "key.receipt")) == 2
    assert len(list((world.config.public_dir / "keys").glob("receipt-*.json"))) == 2
    before = len(entries(world, "key.rotate"))
    world.clock.advance(86_400 + 1)
    world.steps(1)
    announced = entries(world, "key.rotate")[before:]
    assert [(entry.kind, entry.epoch) for entry in announced] == [("drbg", 3)]


def test_a_group_that_was_signed_before_a_rotation_keeps_its_signature(make_world):
    world = make_world()
    world.register()
    world.start()
    world.steps(2)
    binder = world.binder()
    binder.draws(2)
    world.vault.rotate_key(3)
    world.steps(1)
    with reading(world.engine) as connection:
        group = connection.execute(select(GroupRow.key_id, GroupRow.signature, GroupRow.secrets)).one()
    assert group.key_id == binder.key_id
    assert len(group.signature) == 64
    assert len(group.secrets) == 64
    world.verify()


def test_a_key_that_was_rotated_a_moment_ago_is_announced_before_what_it_signs(make_world):
    world = make_world(size=16)
    world.register()
    world.start()
    world.steps(2)
    # Keys were looked at just now and would not be again for ten seconds.
    world.vault.rotate_key(3)
    world.binder().draws(4, count=4)
    for _ in range(4):
        world.steps()
        world.verify()
    assert states(world)["erased"] == 1
    with reading(world.engine) as connection:
        log = connection.scalars(select(LogEntryRow.type).order_by(LogEntryRow.log_index)).all()
    newest = max(place for place, kind in enumerate(log) if kind == "key.receipt")
    assert log.count("key.receipt") == 2
    assert newest < max(place for place, kind in enumerate(log) if kind == "digest")
    assert newest < log.index("pool.erase")


def test_a_clock_that_is_set_back_holds_no_digest_up_and_no_entry_goes_back(make_world):
    world = make_world()
    world.register()
    world.start()
    world.steps(2)
    world.binder().draws(2)
    world.steps()
    world.clock.advance(-7_200)
    world.binder().draws(3)
    world.register(version=2)
    world.steps(3)
    assert world.verify().records["draw"] == 5
    # Another process finds the time of the log in the ledger.
    world.sequencer.close()
    world.start()
    world.binder().draws(2)
    world.steps(3)
    world.clock.advance(7_200)
    world.binder().draws(1)
    world.steps(3)
    world.sequencer.finish()
    report = world.verify()
    assert report.records["draw"] == 8
    assert report.incidents == {}
    with reading(world.engine) as connection:
        data = connection.scalars(select(LogEntryRow.entry).order_by(LogEntryRow.log_index)).all()
    times = [parse_entry(bytes(entry)).time_us for entry in data]
    assert times == sorted(times)


def test_a_clock_that_is_set_back_names_no_round_that_is_known(make_world):
    world = make_world(beacon="development", ready=1, size=8)
    world.register()
    world.start()
    world.steps(30)
    world.clock.advance(-3_600)
    world.binder().draws(8)
    world.steps(3)
    commits = entries(world, "pool.commit")
    assert len(commits) >= 2
    with reading(world.engine) as connection:
        seen = connection.execute(select(func.max(BeaconRoundRow.round))).scalar_one()
    chain = world.rounds.key.chain
    newest = max(entry.time_us for entry in entries(world, "digest"))
    assert commits[-1].beacon.round > seen
    assert chain.time_of(commits[-1].beacon.round) >= newest + 10_000_000
    world.verify()
