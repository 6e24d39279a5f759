"""The parts that need no whole installation: rounds, packing, totals, the front page, the run loop."""

import hashlib
import threading
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from rng_service.beacon.development import serve_beacon
from rng_service.errors import LedgerError
from rng_service.ledger.leases import LeaseLostError
from rng_service.log_entries import NO_DIGEST
from rng_service.records.digest import MAX_DIGEST_ENTRY, DigestItem
from rng_service.sequencer import sequencer as module
from rng_service.sequencer.digests import pack_digests
from rng_service.sequencer.opening import OpenedGroup, OpenedRecord
from rng_service.sequencer.rounds import NoRounds, RelayRounds
from rng_service.sequencer.site import Game, Table, index_page
from rng_service.sequencer.totals import add_up
from rng_service.vault.errors import VaultUnavailableError

POOL = "test/dice/1/base/real/0/1"


def rounds_of(urls, chain, failures):
    return RelayRounds(urls, chain, report=failures.append, timeout_s=5.0, first_pause_s=0.0)


def test_rounds_are_fetched_beside_the_caller_and_handed_over_once(tmp_path):
    with serve_beacon(tmp_path, clock=lambda: 50_000_000) as beacon:
        failures = []
        rounds = rounds_of([beacon.url], beacon.chain, failures)
        assert rounds._fetch(40)
        assert len(rounds.signature(40)) == 48
        assert not rounds._fetch(51)
        assert "not published yet" in failures[0]
        assert rounds.signature(51) is None
        rounds.close()
        assert not rounds._thread.is_alive()


def test_a_service_without_beacon_has_no_rounds():
    rounds = NoRounds()
    assert rounds.signature(1) is None
    rounds.close()


def group(number, slots):
    records = tuple(
        OpenedRecord(
            SimpleNamespace(id=number * 4096 + place),
            b"",
            DigestItem(POOL, slot, 1, "ticket", hashlib.sha256(b"%d" % slot).digest()),
        )
        for place, slot in enumerate(slots)
    )
    return OpenedGroup(number, b"", b"", records, (0, bytes(32)))


def pack(groups):
    return pack_digests(groups, origin="example.org/test", time_us=1, seq=5, prev=NO_DIGEST, beacon=None)


def check_chain(parts):
    digests = [digest for part in parts for digest in part.digests]
    assert [digest.entry.seq for digest in digests] == list(range(5, 5 + len(digests)))
    assert [digest.entry.prev for digest in digests] == [NO_DIGEST, *(digest.leaf for digest in digests[:-1])]
    assert all(len(digest.data) <= MAX_DIGEST_ENTRY for digest in digests)
    return digests


def test_groups_that_do_not_fit_into_one_digest_are_shared_out_whole():
    # Every other slot: no two tickets are one range.
    groups = [group(number, range(number * 400, number * 400 + 400, 2)) for number in range(10)]
    parts = pack(groups)
    digests = check_chain(parts)
    assert len(digests) == len(parts) > 1
    assert [item.id for part in parts for item in part.groups] == list(range(10))
    for part in parts:
        records = {record.item for item in part.groups for record in item.records}
        assert records == set(part.digests[0].items)


def test_a_group_that_alone_does_not_fit_goes_on_in_the_digests_that_follow():
    parts = pack([group(0, [0]), group(1, range(2, 4_002, 2)), group(2, [4_003])])
    check_chain(parts)
    torn = next(part for part in parts if len(part.digests) > 1)
    assert [item.id for item in torn.groups] == [1]
    assert sum(len(digest.items) for digest in torn.digests) == 2_000


def test_few_groups_are_one_digest_and_none_is_a_heartbeat():
    (part,) = pack([group(0, [0, 1]), group(1, [2])])
    assert len(part.digests) == 1
    assert part.digests[0].entry.counts.ticket == 3
    (beat,) = pack([])
    assert beat.digests[0].entry.counts.total == 0


amounts = st.integers(0, 10**30)


@given(st.lists(st.tuples(st.sampled_from(["EUR", "USD", ""]), st.integers(0, 9), amounts, amounts), max_size=20))
def test_totals_are_the_exact_sums_of_their_digests(rows):
    found = add_up(
        [
            SimpleNamespace(
                game="dice",
                version=1,
                program="base",
                play_class="real",
                currency=currency,
                outcomes=number,
                plays=number,
                stake_minor=str(stake),
                payout_minor=str(payout),
                unsettled=-number,
            )
            for currency, number, stake, payout in rows
        ]
    )
    assert [row.currency for row in found] == sorted({row[0] for row in rows})
    for row in found:
        own = [item for item in rows if item[0] == row.currency]
        assert row.outcomes == row.plays == -row.unsettled == sum(item[1] for item in own)
        assert (row.stake_minor, row.payout_minor) == (sum(item[2] for item in own), sum(item[3] for item in own))


def test_the_front_page_escapes_what_it_is_given_and_has_no_script():
    page = index_page("<b>&", "key'\"<", [Game("dice", 1, bytes(32), sheet=True)], [Table(7, 0, 0)])
    assert "<b>&" not in page
    assert "&lt;b&gt;&amp;" in page
    assert "<script" not in page
    assert f"games/{bytes(32).hex()}.json" in page
    assert f"games/{bytes(32).hex()}.par.html" in page
    assert "rtp/007.html" in page


def test_the_loop_goes_on_after_the_vault_was_away_and_ends_with_everything_published(make_world, monkeypatch):
    world = make_world()
    world.register()
    world.start()
    world.steps(2)
    monkeypatch.setattr(module, "_AFTER_FAILURE_S", 0.0)
    monkeypatch.setattr(module, "_IDLE_S", 0.0)
    stop, real, calls = threading.Event(), world.sequencer.step, []

    def step():
        calls.append(len(calls))
        if len(calls) == 2:
            raise VaultUnavailableError("away")
        if len(calls) == 4:
            world.binder().draws(2)
            stop.set()
            return False
        return real()

    monkeypatch.setattr(world.sequencer, "step", step)
    world.sequencer.run(stop)
    assert len(calls) == 4
    report = world.verify()
    assert report.records["draw"] == 2
    assert report.entries["totals"] == 1


def test_a_vault_that_goes_away_while_signing_loses_nothing(make_world, monkeypatch):
    world = make_world()
    world.register()
    world.start()
    world.steps(2)
    world.binder().draws(2)
    signer = world.sequencer._writer._signer
    real = signer.sign

    def gone(*arguments):
        real(*arguments)
        raise VaultUnavailableError("gone after it signed")

    monkeypatch.setattr(signer, "sign", gone)
    with pytest.raises(VaultUnavailableError):
        world.steps(1)
    monkeypatch.setattr(signer, "sign", real)
    world.sequencer._reopen()
    world.steps(2)
    assert world.verify().records["draw"] == 2


def test_the_loop_waits_while_the_vault_stays_away_and_then_opens_the_log_again(make_world, monkeypatch):
    world = make_world()
    world.register()
    world.start()
    monkeypatch.setattr(module, "_AFTER_FAILURE_S", 0.0)
    monkeypatch.setattr(module, "_IDLE_S", 0.0)
    signer = world.sequencer._writer._signer
    real_mark, real_sign, away, stop = signer.mark, signer.sign, [], threading.Event()

    def sign(*arguments):
        if not away:
            away.append("sign")
            raise VaultUnavailableError("away")
        stop.set()
        return real_sign(*arguments)

    def mark():
        if len(away) < 3:
            away.append("mark")
            raise VaultUnavailableError("still away")
        return real_mark()

    monkeypatch.setattr(signer, "sign", sign)
    monkeypatch.setattr(signer, "mark", mark)
    world.sequencer.run(stop)
    assert away == ["sign", "mark", "mark"]
    assert world.verify().entries["pool.commit"] == 2


def test_a_ledger_that_cannot_be_asked_is_an_error_that_the_loop_waits_out(make_world):
    world = make_world()
    world.start()
    context = world.sequencer._context
    with world.engine.begin() as connection:
        connection.execute(text("ALTER TABLE pools RENAME TO pools_away"))
    with pytest.raises(LedgerError, match="cannot be read"):
        world.steps(1)
    with pytest.raises(LedgerError, match="write to the ledger failed"), context.writing() as connection:
        connection.execute(text("DELETE FROM pools"))
    with world.engine.begin() as connection:
        connection.execute(text("ALTER TABLE pools_away RENAME TO pools"))
    world.steps(1)


def test_the_loop_ends_at_once_when_another_process_leads(make_world, monkeypatch):
    world = make_world()
    world.start()

    def step():
        raise LeaseLostError("another one leads")

    monkeypatch.setattr(world.sequencer, "step", step)
    with pytest.raises(LeaseLostError):
        world.sequencer.run(threading.Event())
