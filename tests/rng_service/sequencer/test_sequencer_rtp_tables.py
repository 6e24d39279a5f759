"""Tables of returns: what an operator asks for is made from the rollups, and an auditor makes the same one again."""

import json
import shutil
from dataclasses import replace

import pytest
from sqlalchemy import delete, insert, select, update

from anchor import canonical
from anchor.source import DirectorySource
from rng_service.config import LogConfig
from rng_service.errors import StartRefused
from rng_service.ledger.engine import reading, writing
from rng_service.ledger.exporting import digest_range, export_digests
from rng_service.ledger.models import OpeningRow, PoolReturnRow, RtpRollupRow, RtpTableRequestRow
from rng_service.ledger.openings import openings_of, totals_range
from rng_service.records.openings import OpeningsHeader, write_openings
from rng_service.rtp.periods import Grain, hour_of, period_of
from rng_service.rtp.stakes import parse_stake_bands
from rng_service.sequencer import rtp_tables
from rng_service.sequencer.rebuild import rebuild_public
from rng_service.sequencer.rollup_rebuild import rebuild_rollups
from rng_service.sequencer.sequencer import open_context
from rng_service.verify import verify_export, verify_log
from rng_service.verify.openings import open_openings

DAY_S = 86_400


def ask(world, number, **wish):
    with writing(world.engine) as connection:
        connection.execute(
            insert(RtpTableRequestRow).values(request_id=bytes([number]) * 16, created_us=world.clock(), **wish)
        )


def answer(world, number):
    with reading(world.engine) as connection:
        return connection.execute(
            select(RtpTableRequestRow.__table__).where(RtpTableRequestRow.request_id == bytes([number]) * 16)
        ).one()


def table(world, seq):
    data = (world.config.public_dir / f"rtp/{seq:03}.json").read_bytes()
    return canonical.decode_object(data, limit=10**7, what="table")


def export(world, path, openings=None):
    first, last = digest_range(world.engine)
    with path.open("wb") as stream:
        export_digests(world.engine, stream, origin=world.config.service.origin, first=first, last=last)
    return verify_export(path, DirectorySource(world.config.public_dir), world.vkey, openings=openings)


def openings(world, path):
    totals = totals_range(world.engine)
    header = OpeningsHeader(origin=world.config.service.origin, from_totals=totals.first, to_totals=totals.last)
    with path.open("wb") as stream:
        write_openings(stream, header, openings_of(world.engine, totals))
    return open_openings(path)


def play(world, draws=6):
    bet = {"bet": "under", "threshold": 50}
    binder = world.binder()
    binder.draws(draws, stake=100, bet=bet)
    binder.draws(2, count=3, stake=7, bet=bet)
    binder.draws(1)
    world.steps()


def test_a_table_is_what_the_records_give_and_both_audits_say_so(make_world, ledger_url, tmp_path):
    world = make_world(ledger_url, size=8)
    world.register()
    world.start()
    world.steps(2)
    play(world)
    ask(world, 1)
    world.steps(3, seconds=10)
    assert answer(world, 1).table_seq == 0
    made = table(world, 0)
    (row,) = [item for item in made["rows"] if item["plays"]]
    # The first batch got what was left of its pool.
    assert (row["plays"], row["stake_minor"]) == (11, str(6 * 100 + 5 * 7))
    assert row["theoretical"]["lowest_percent"] == "99.0000"
    assert row["expected_percent"] == "99.0000"
    assert {item["level"] for item in row["bands"]} == {90, 95, 99}
    (pools,) = made["pools"]
    assert (pools["pools"], pools["outcomes"]) == (1, 8)
    report = world.verify()
    assert report.entries["rtp.table"] == 1
    world.sequencer.finish()
    assert export(world, tmp_path / "export.jsonl").tables == 1
    csv = (world.config.public_dir / "rtp/000.csv").read_text().splitlines()
    assert csv[0].startswith("kind,game,version")
    assert len(csv) == 1 + len(made["rows"]) + 1


def test_a_table_of_one_day_leaves_the_next_one_out(make_world, tmp_path):
    world = make_world(size=64)
    world.register()
    world.start()
    world.steps(2)
    day = period_of(Grain.DAY, hour_of(world.clock()))
    play(world)
    world.steps(2)
    world.steps(3, seconds=DAY_S // 2)
    play(world)
    world.steps()
    ask(world, 1, from_day=day, end_day=day + 1)
    ask(world, 2)
    world.steps(3)
    one, all_days = table(world, 0), table(world, 1)
    assert [len(item["days"]) for item in one["rows"] if item["plays"]] == [1]
    (row,) = [item for item in all_days["rows"] if item["plays"]]
    assert [item["plays"] for item in row["days"]] == [12, 12]
    world.sequencer.finish()
    world.verify()
    assert export(world, tmp_path / "export.jsonl").tables == 2


def test_a_table_that_the_records_do_not_support_is_refused_and_says_where(make_world):
    world = make_world(size=64)
    world.register()
    world.start()
    world.steps(2)
    play(world)
    ask(world, 1)
    world.steps(2)
    wished = table(world, 0) | {"seq": 1}
    wished["rows"] = json.loads(json.dumps(wished["rows"]).replace('"stake_minor": "642"', '"stake_minor": "640"'))
    ask(world, 2, expected=canonical.encode(wished))
    world.steps(2)
    refused = answer(world, 2)
    assert refused.table_seq is None
    assert "do not support this table" in refused.refused
    assert "stake_minor" in refused.refused
    assert not (world.config.public_dir / "rtp/001.json").exists()


def test_the_very_table_that_was_expected_is_published(make_world):
    world = make_world(size=64)
    world.register()
    world.start()
    world.steps(2)
    play(world)
    ask(world, 1)
    world.steps(2)
    wished = (world.config.public_dir / "rtp/000.json").read_bytes()
    ask(world, 2, expected=wished)
    world.steps(2)
    assert "$.seq is 0, the records give 1" in answer(world, 2).refused


def test_rollups_that_were_tampered_with_publish_nothing(make_world):
    world = make_world(size=64)
    world.register()
    world.start()
    world.steps(2)
    play(world)
    world.steps(12)
    with writing(world.engine) as connection:
        connection.execute(update(RtpRollupRow).values(payout_minor="1"))
    ask(world, 1)
    world.steps(2)
    assert "not what the published totals add up to" in answer(world, 1).refused
    assert "rtp.table" not in world.verify().entries


def test_a_table_of_days_without_totals_is_refused(make_world):
    world = make_world(size=64)
    world.register()
    world.start()
    world.steps(2)
    ask(world, 1, from_day=3, end_day=4)
    world.steps()
    assert "no totals lie in these days" in answer(world, 1).refused


def test_committed_totals_and_tables_withhold_money_and_open_to_auditors(make_world, ledger_url, tmp_path):
    world = make_world(ledger_url, size=8, policy="committed")
    world.register()
    world.start()
    world.steps(2)
    play(world)
    ask(world, 1)
    ask(world, 2, show_plays=True)
    world.steps(3, seconds=10)
    world.sequencer.finish()
    hidden, shown = table(world, 0), table(world, 1)
    (row,) = [item for item in hidden["rows"] if "rtp_percent" in item]
    assert row["plays_at_least"] == 10
    assert not {"stake_minor", "payout_minor", "days", "plays", "rtp"} & row.keys()
    assert [item["plays"] for item in shown["rows"] if "rtp_percent" in item] == [11]
    path = tmp_path / "public.jsonl"
    opened = openings(world, tmp_path / "openings.jsonl")
    assert export(world, path).tables == 2
    found = export(world, path, opened)
    assert (found.tables, found.skipped) == (2, ())
    assert found.totals >= 1
    source = DirectorySource(world.config.public_dir)
    assert verify_log(source, world.vkey, openings=openings(world, tmp_path / "again.jsonl")).skipped == ()
    assert len(verify_log(source, world.vkey).skipped) == 2


def test_the_salts_of_a_committed_log_are_nowhere_in_its_public_directory(make_world):
    world = make_world(size=8, policy="committed")
    world.register()
    world.start()
    world.steps(2)
    play(world)
    ask(world, 1)
    world.steps(3, seconds=10)
    with reading(world.engine) as connection:
        rows = connection.execute(select(OpeningRow.__table__)).all()
    assert {row.kind for row in rows} == {"totals", "table"}
    files = [path.read_bytes() for path in world.config.public_dir.rglob("*") if path.is_file()]
    for row in rows:
        assert not any(bytes(row.salt) in data or bytes(row.salt).hex().encode() in data for data in files)


def test_a_ledger_that_lost_its_openings_publishes_no_table(make_world):
    world = make_world(size=8, policy="committed")
    world.register()
    world.start()
    world.steps(2)
    play(world)
    world.steps(2, seconds=4000)
    with writing(world.engine) as connection:
        connection.execute(update(OpeningRow).values(salt=bytes(32)))
    ask(world, 1)
    world.steps(2)
    assert "cannot open totals 0" in answer(world, 1).refused


def test_returns_of_pools_that_were_lost_are_refused_and_made_again_by_a_rebuild(make_world, ledger_url, tmp_path):
    world = make_world(ledger_url, size=8)
    world.register()
    world.start()
    world.steps(2)
    play(world)
    world.steps(3, seconds=10)
    with reading(world.engine) as connection:
        before = connection.execute(select(PoolReturnRow.__table__).order_by(PoolReturnRow.pool_id)).all()
    with writing(world.engine) as connection:
        connection.execute(delete(PoolReturnRow))
    ask(world, 1)
    world.steps(2)
    assert "rebuild-rollups" in answer(world, 1).refused
    with writing(world.engine) as connection:
        rebuild_rollups(connection, parse_stake_bands(world.config.rtp.stake_bands))
    with reading(world.engine) as connection:
        assert connection.execute(select(PoolReturnRow.__table__).order_by(PoolReturnRow.pool_id)).all() == before
    ask(world, 2)
    world.steps(2)
    assert answer(world, 2).table_seq == 0
    world.sequencer.finish()
    assert export(world, tmp_path / "export.jsonl").tables == 1


def test_a_document_that_is_none_is_refused_and_holds_nobody_up(make_world):
    world = make_world(size=64)
    world.register()
    world.start()
    world.steps(2)
    play(world)
    ask(world, 1, expected=b"{")
    ask(world, 2)
    world.steps(2)
    assert "the table that was brought" in answer(world, 1).refused
    assert answer(world, 2).table_seq == 0


def test_a_table_with_hard_theory_is_published_by_a_later_step(make_world, monkeypatch):
    world = make_world(size=64)
    world.register()
    world.start()
    world.steps(2)
    play(world)
    monkeypatch.setattr(rtp_tables._Making, "done", lambda _self, _timeout_s: False)
    ask(world, 1)
    world.steps(3)
    assert (answer(world, 1).table_seq, answer(world, 1).refused) == (None, None)
    monkeypatch.undo()
    monkeypatch.setattr(rtp_tables, "_PATIENCE_S", 30.0)
    world.steps(1)
    assert answer(world, 1).table_seq == 0
    world.verify()


def test_the_front_page_names_the_table_and_the_sheets(make_world):
    world = make_world(size=64)
    world.register()
    world.start()
    world.steps(2)
    play(world)
    ask(world, 1)
    world.steps(2)
    page = (world.config.public_dir / "index.html").read_text()
    assert "rtp/000.html" in page


def test_the_policy_of_totals_is_declared_for_ever(make_world):
    world = make_world(size=8, policy="committed")
    world.register()
    world.start()
    world.steps(2)
    play(world)
    world.steps(2, seconds=4000)
    world.sequencer.close()
    world.sequencer = None
    world.config = replace(world.config, log=LogConfig(totals_policy="open"))
    with pytest.raises(StartRefused, match="totals_policy"):
        world.start()


def test_a_public_directory_that_is_lost_gets_its_tables_back(make_world):
    world = make_world(size=64)
    world.register()
    world.start()
    world.steps(2)
    play(world)
    ask(world, 1)
    world.steps(2)
    directory = world.config.public_dir / "rtp"
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    assert len(before) == 3
    world.sequencer.close()
    world.sequencer = None
    shutil.rmtree(world.config.public_dir)
    context = open_context(world.config, world.engine, world.vault, holder="one", clock_us=world.clock)
    rebuild_public(context)
    world.start()
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before
    world.verify()
