"""Finite deals on the ledger: sealed, activated, approved, sold in order, opened to the last ticket."""

import json
import shutil
from collections import Counter

import pytest
from sqlalchemy import insert, select

from anchor import canonical
from anchor.merkle import leaf_hash
from rng_service.config import DealsConfig
from rng_service.errors import FailedPrecondition, NotFound
from rng_service.games import parse_game
from rng_service.ledger.engine import reading, writing
from rng_service.ledger.models import LogEntryRow, PoolRow, RtpTableRequestRow
from rng_service.log_entries import DealApprove, PoolClose, Totals, parse_entry
from rng_service.outcome import DealDeriver
from rng_service.pools.deals import place_of
from rng_service.sequencer.approval import approve_deal
from rng_service.sequencer.rebuild import rebuild_public
from rng_service.sequencer.requests import request_quarantine
from rng_service.sequencer.sequencer import open_context

COUNTS = [5, 2, 1]


def pull_tab(end="withdrawable"):
    return {
        "programs": {
            "base": {
                "steps": [{"step": "deal", "counts": COUNTS}],
                "price": {"minor": 50, "currency": "EUR"},
                "end_of_deal": end,
                "play_classes": ["real"],
                "settlement": {
                    "model": "table",
                    "bets": {
                        "ticket": {"prizes": [{"pays": 1, "numbers": [1]}, {"pays": "7/2", "numbers": [2]}]},
                    },
                },
            }
        }
    }


def entries(world, kind):
    with reading(world.engine) as connection:
        rows = connection.scalars(
            select(LogEntryRow.entry).where(LogEntryRow.type == kind.TYPE).order_by(LogEntryRow.id)
        )
        return [parse_entry(bytes(row)) for row in rows]


def pools(world):
    with reading(world.engine) as connection:
        return connection.execute(select(PoolRow.__table__).order_by(PoolRow.id)).all()


def dealing(make_world, *arguments, approval="automatic", end="withdrawable"):
    world = make_world(*arguments, size=64, ready=1, beacon="development")
    world.with_config(deals=DealsConfig(approval=approval))
    world.register(**pull_tab(end))
    world.start()
    world.steps(3, seconds=12)
    return world


def sell(world, number):
    world.binder().draws(number, stake=50, bet={"bet": "ticket"}, seeds=False)


def test_a_deal_is_sold_to_the_last_ticket_and_every_prize_comes_out_as_often_as_published(make_world, ledger_url):
    world = dealing(make_world, ledger_url)
    assert [pool.size for pool in pools(world)] == [sum(COUNTS)]
    assert [entry.approver for entry in entries(world, DealApprove)] == ["automatic"]
    sell(world, 8)
    world.steps(4, seconds=2)
    (close,) = entries(world, PoolClose)
    assert (close.stake_minor, close.payout_minor) == (8 * 50, 2 * 50 + 175)
    name = close.pool
    opened = (world.config.public_dir / f"deals/{name}.bin").read_bytes()
    secrets = [opened[at : at + 32] for at in range(0, len(opened), 32)]
    assert sorted(map(place_of, secrets)) == list(range(8))
    pool = pools(world)[0]
    activation = canonical.decode_object(bytes(pool.activate_entry), what="activation")
    deriver = DealDeriver(leaf_hash(bytes(pool.commit_entry)), bytes.fromhex(activation["beacon_value"]), 8)
    derive = (
        parse_game(json.dumps({"v": 1, "game": "x", "version": 1, "title": "x", **pull_tab()}).encode())
        .program("base")
        .outcome.derive
    )
    tiers = Counter(derive(deriver.outcome_stream(secret, slot, b""))[0] for slot, secret in enumerate(secrets))
    assert [tiers[tier] for tier in range(3)] == COUNTS
    world.sequencer.finish()
    assert not any(row.plays for entry in entries(world, Totals) for row in entry.rows)
    report = world.verify()
    assert report.entries["deal.approve"] >= 1


def test_nobody_buys_a_ticket_before_the_deal_is_approved(make_world):
    world = dealing(make_world, approval="explicit")
    (pool,) = pools(world)
    assert pool.state == "activating"
    with writing(world.engine) as connection, pytest.raises(NotFound):
        approve_deal(connection, "dev/none/1/base/real/0/1", "inspector", origin="x", now_us=1)
    with writing(world.engine) as connection:
        approve_deal(
            connection,
            pool.pool_id,
            "inspector",
            origin=world.config.service.origin,
            now_us=world.clock(),
            reference="7",
        )
    world.steps(2)
    assert pools(world)[0].state == "active"
    (entry,) = entries(world, DealApprove)
    assert (entry.approver, entry.reference) == ("inspector", "7")
    world.verify()


def test_a_withdrawn_deal_opens_what_is_left_and_closes(make_world):
    world = dealing(make_world)
    sell(world, 3)
    world.steps()
    (first, *_) = pools(world)
    with writing(world.engine) as connection:
        request_quarantine(connection, first.pool_id, "withdrawn")
    world.steps(5, seconds=2)
    (close,) = entries(world, PoolClose)
    assert (close.drawn, close.void, close.stake_minor) == (3, 5, 150)
    world.verify()


def test_a_table_has_a_deal_among_the_closed_pools_and_none_of_its_money(make_world):
    world = dealing(make_world)
    sell(world, 8)
    world.steps(4, seconds=2)
    with writing(world.engine) as connection:
        connection.execute(insert(RtpTableRequestRow).values(request_id=b"1" * 16, created_us=world.clock()))
    world.steps(3)
    data = (world.config.public_dir / "rtp/000.json").read_bytes()
    table = canonical.decode_object(data, limit=10**6, what="table")
    assert table["rows"] == []
    (row,) = table["pools"]
    assert (row["outcomes"], row["returned"], row["rtp_percent"]) == (8, "11/2", "68.7500")
    assert row["rtp_percent"] == row["theoretical_percent"]
    world.verify()


def test_a_deal_that_is_sold_to_the_last_ticket_is_not_withdrawn(make_world):
    world = dealing(make_world, end="sold-out")
    with writing(world.engine) as connection, pytest.raises(FailedPrecondition, match="last ticket"):
        request_quarantine(connection, pools(world)[0].pool_id, "withdrawn")


def test_without_a_beacon_no_deal_is_sealed(make_world):
    world = make_world(size=64, ready=1)
    world.register(**pull_tab())
    world.start()
    world.steps(2)
    assert pools(world) == []


def test_a_lost_public_directory_comes_back_with_its_deals(make_world):
    world = dealing(make_world)
    sell(world, 8)
    world.steps(4, seconds=2)
    with writing(world.engine) as connection:
        request_quarantine(connection, pools(world)[-1].pool_id, "withdrawn")
    world.steps(4, seconds=2)
    world.sequencer.finish()
    before = {path: path.read_bytes() for path in world.config.public_dir.rglob("*.bin")}
    assert any("deals" in path.parts for path in before)
    world.sequencer.close()
    world.sequencer = None
    shutil.rmtree(world.config.public_dir)
    context = open_context(world.config, world.engine, world.vault, holder="one", clock_us=world.clock)
    rebuild_public(context)
    assert {path: path.read_bytes() for path in world.config.public_dir.rglob("*.bin")} == before
