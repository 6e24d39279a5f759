import json
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from operator_simulator import SECOND, Operator, tell

from anchor.errors import VerificationError
from rng_service.beacon.errors import BeaconLibraryMissing
from rng_service.log_entries import Incident
from rng_service.pools.plans import BUILT_IN_PLAN
from rng_service.verify import commitment, verify_export, verify_log, verify_pool, verify_receipt

GIVEN_BACK = "stakes given back by void settlements, in sight of the outcome: 1"
DRAWS = ("plain", "ticket", "ticketed", "batch", "open_draw", "last", "fun", "later")
SHAPES = [
    {},
    {"beacon": False},
    {"lanes": 2},
    {"lanes": 7, "beacon": False},
    {"origin": "a.example/live"},
    {"plan": BUILT_IN_PLAN},
]


@pytest.fixture(params=SHAPES, ids=str)
def operator(request, tmp_path):
    operator = Operator(tmp_path / "public", **request.param)
    tell(operator)
    return operator


def test_an_honest_log_passes(operator):
    report = verify_log(operator.source, operator.vkey)
    assert report.size == len(operator.entries)
    assert report.records == {"draw": 8, "settle": 5, "ticket": 2, "void": 2}
    assert (report.pools_open, report.pools_closed, report.pools_voided) == (1, 2, 1)
    assert report.skipped == ()
    assert report.development_beacon is (operator.beacon is not None)


@pytest.mark.parametrize("name", DRAWS)
def test_every_honest_receipt_passes(operator, name):
    record = getattr(operator, name)
    report = verify_receipt(operator.receipt(record), operator.source, operator.vkey)
    assert report.outcome == record.outcome
    assert report.payouts_minor == record.payouts
    assert (report.digest_seq, report.pending) == (record.digest_seq, False)


def test_receipts_that_were_opened_together_pass(operator):
    group = [operator.plain, operator.batch, operator.last]
    for record in group:
        verify_receipt(operator.receipt(record, group), operator.source, operator.vkey)


def test_an_honest_export_passes_with_its_totals(operator, tmp_path):
    report = verify_export(operator.export(tmp_path / "export"), operator.source, operator.vkey)
    assert report.records == {"draw": 8, "settle": 5, "ticket": 2, "void": 2}
    assert (report.outcomes, report.totals, report.notes) == (11, 2, (GIVEN_BACK,))


def test_an_export_from_the_middle_passes_and_says_what_it_cannot_see(operator, tmp_path):
    report = verify_export(operator.export(tmp_path / "export", first=2), operator.source, operator.vkey)
    assert "draws and voids of tickets that are not in the export: 1" in report.notes
    assert any(note.startswith("settlements of draws") for note in report.notes)


def test_an_export_of_one_session_passes(operator, tmp_path):
    path = operator.export(tmp_path / "export", only=lambda record: record.binding.get("session") == "evening")
    report = verify_export(path, operator.source, operator.vkey)
    assert (report.complete, report.sessions, report.totals) == (False, 1, 0)


def test_pools_are_told_by_what_became_of_them(operator):
    first, second, spare, fun = operator.pools[:4]
    closed = verify_pool(first.pool_id, operator.source, operator.vkey)
    assert (closed.state, closed.size, closed.drawn, closed.void) == ("closed", 8, 7, 1)
    assert verify_pool(second.pool_id, operator.source, operator.vkey).void == 6
    assert verify_pool(spare.pool_id, operator.source, operator.vkey).state == "void, opened in full"
    still_open = verify_pool(fun.pool_id, operator.source, operator.vkey)
    assert (still_open.state, still_open.bound) == ("open", 2)


def test_an_unknown_pool_is_named(operator):
    with pytest.raises(VerificationError) as caught:
        verify_pool(f"{operator.environment}/dice-99/1/base/real/0/99", operator.source, operator.vkey)
    assert caught.value.reason == "pool-unknown"


def test_reports_are_json_and_never_leave_out_what_is_not_proven(operator, tmp_path):
    reports = [
        verify_log(operator.source, operator.vkey),
        verify_receipt(operator.receipt(operator.plain), operator.source, operator.vkey),
        verify_pool(operator.pools[0].pool_id, operator.source, operator.vkey),
        verify_export(operator.export(tmp_path / "export"), operator.source, operator.vkey),
    ]
    for report in reports:
        assert json.loads(json.dumps(report.as_json()))["not_proven"]
        assert any(line.startswith("not proven: ") for line in report.lines())


def test_an_older_checkpoint_is_extended(tmp_path):
    class Keeping(Operator):
        def before_draws(self):
            self.kept = (self.directory / "checkpoint").read_bytes()

    operator = Keeping(tmp_path / "public")
    tell(operator)
    report = verify_log(operator.source, operator.vkey, old_checkpoint=operator.kept)
    assert 0 < report.extends_size < report.size


def test_progress_is_told_for_every_entry(tmp_path):
    operator = Operator(tmp_path / "public")
    tell(operator)
    told = []
    verify_log(operator.source, operator.vkey, progress=lambda done, size: told.append((done, size)))
    assert told == [(number, len(operator.entries)) for number in range(1, len(operator.entries) + 1)]


def test_a_receipt_is_pending_while_the_promise_still_runs(tmp_path):
    operator = Operator(tmp_path / "public")
    tell(operator)
    draw = operator.draw(operator.pools[3])
    report = verify_receipt(operator.receipt(draw), operator.source, operator.vkey)
    assert report.pending
    assert report.digest_seq is None
    operator.tick(11)
    operator.pending.clear()
    operator.digest()
    operator.publish()
    with pytest.raises(VerificationError) as caught:
        verify_receipt(operator.receipt(draw), operator.source, operator.vkey)
    assert caught.value.reason == "promise-broken"


def test_a_policy_decides_what_counts_as_witnessed(tmp_path):
    operator = Operator(tmp_path / "public")
    tell(operator)
    data = operator.receipt(operator.plain)
    assert verify_receipt(data, operator.source, operator.vkey).protection.content == "beacon-unwitnessed"
    witnessed = verify_receipt(data, operator.source, operator.vkey, policy=lambda _note, _before_us: True)
    assert witnessed.protection.content == "beacon-witnessed"
    assert witnessed.skipped == ()


def test_a_missing_pairing_library_is_said_aloud(tmp_path, monkeypatch):
    operator = Operator(tmp_path / "public")
    tell(operator)

    def missing(*_arguments):
        raise BeaconLibraryMissing("no pairing library")

    monkeypatch.setattr(commitment, "verify_round", missing)
    for report in (
        verify_log(operator.source, operator.vkey),
        verify_receipt(operator.receipt(operator.plain), operator.source, operator.vkey),
    ):
        assert any("beacon signatures were not checked" in item for item in report.skipped)
        assert any(line.startswith("NOT CHECKED: ") for line in report.lines())


def test_an_outage_that_the_operator_admits_is_reported_and_no_fault(tmp_path):
    class Interrupted(Operator):
        def before_draws(self):
            self.late = self.draw(self.pools[3])
            self.tick(1000)
            self.append(Incident(**self.head(), kind="outage", reason="heartbeat-missed"))

    operator = Interrupted(tmp_path / "public")
    tell(operator)
    report = verify_log(operator.source, operator.vkey)
    assert report.incidents == {"outage: heartbeat-missed": 1}
    assert any("outage" in line for line in report.lines())
    export = verify_export(operator.export(tmp_path / "export"), operator.source, operator.vkey)
    assert export.notes == (
        "outage: 1001.000 seconds before digest 1, by the operator's clock",
        GIVEN_BACK,
        "records late by an outage that the operator admitted: 1",
        f"late by an outage: draw of slot 0 of {operator.pools[3].pool_id}",
    )
    receipt = verify_receipt(operator.receipt(operator.late), operator.source, operator.vkey)
    assert receipt.outage == report.outages[0] == "1001.000 seconds before digest 1, by the operator's clock"
    punctual = verify_receipt(operator.receipt(operator.plain), operator.source, operator.vkey)
    assert punctual.outage is None


def test_deadlines_of_pools_count_from_the_end_of_an_admitted_outage(tmp_path):
    operator = Operator(tmp_path / "public", beacon=False)
    operator.start()
    operator.register("dice-99")
    pool = operator.commit("dice-99/1/base/real", 1)
    operator.publish()
    operator.activate(pool)
    operator.draw(pool)
    operator.digest()
    operator.tick(1000)
    operator.append(Incident(**operator.head(), kind="outage", reason="heartbeat-missed"))
    operator.digest()
    operator.publish()
    verify_log(operator.source, operator.vkey)
    operator.tick(59)
    operator.digest()
    operator.tick(2)
    operator.digest()
    operator.publish()
    with pytest.raises(VerificationError) as caught:
        verify_log(operator.source, operator.vkey)
    assert caught.value.reason == "pool-not-closed"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(
                ["draw", "batch", "ticket", "use", "expire", "stop", "settle", "digest", "totals", "close"]
            ),
            st.integers(1, 5),
        ),
        max_size=40,
    ),
    size=st.integers(1, 24),
)
def test_whatever_an_honest_operator_does_passes(steps, size, tmp_path_factory):
    directory = tmp_path_factory.mktemp("honest")
    operator = Operator(directory / "public", beacon=False)
    operator.start()
    operator.register("dice-99")
    pools = [operator.commit("dice-99/1/base/real", size) for _ in range(3)]
    operator.publish()
    for pool in pools:
        operator.activate(pool)
    operator.digest()
    tickets, draws = [], []
    for number, (step, amount) in enumerate(steps):
        pool = next((pool for pool in pools if pool.next_slot < pool.size), None)
        if step == "digest":
            operator.tick(amount)
            operator.digest()
        elif step == "totals" and len(operator.digest_items) > operator.totals_from:
            operator.totals()
        elif step == "use" and tickets:
            ticket, seed = tickets.pop()
            draws.append(
                operator.draw(
                    ticket.pool, seed=seed, ticket=ticket, stake=amount, bet={"bet": "under", "threshold": 77}
                )
            )
        elif step == "expire" and tickets:
            ticket, _ = tickets.pop(0)
            operator.tick(1)
            operator.void(ticket.pool, ticket.slot, reason="ticket-expired", ticket=ticket)
        elif step == "settle" and draws:
            draw = draws[-1]
            own = draw.payouts is not None
            money = (
                {"stake": draw.binding["stake_minor"], "payout_minor": draw.payouts[0]} if own else {"stake": amount}
            )
            bet = None if own else {"bet": "under", "threshold": 1000 * amount}
            operator.settle(draw, bettor=b"%d" % number, status="confirm" if own else "final", bet=bet, **money)
        elif step == "close":
            for done in [pool for pool in pools if pool.drawn + len(pool.voids) == pool.size]:
                operator.digest()
                pools.remove(done)
                operator.close(done)
                operator.erase(done)
        elif pool is None:
            continue
        elif step == "draw":
            draws.append(operator.draw(pool, session=f"s{amount}"))
        elif step == "batch":
            draws.append(operator.draw(pool, count=min(amount, pool.size - pool.next_slot)))
        elif step == "ticket":
            seed = operator.random(16)
            tickets.append((operator.reserve(pool, seed, session=f"s{amount}", expires_s=1), seed))
        elif step == "stop":
            operator.quarantine(pool)
    operator.digest()
    operator.publish()
    report = verify_export(operator.export(directory / "export"), operator.source, operator.vkey)
    assert sum(report.records.values()) == len(operator.records)
    assert report.bindings == 3 - len(pools)
    for draw in draws:
        verify_receipt(operator.receipt(draw), operator.source, operator.vkey, now_us=operator.now_us)
    callers = operator.export(directory / "partial", only=lambda record: record.binding.get("session") == "s1")
    verify_export(callers, operator.source, operator.vkey)


def test_the_auditor_needs_nothing_of_the_server(tmp_path):
    operator = Operator(tmp_path / "public")
    tell(operator)
    (tmp_path / "receipt").write_bytes(operator.receipt(operator.plain))
    export = operator.export(tmp_path / "export")
    program = f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {{"grpc", "sqlalchemy", "google", "alembic", "numpy", "sealdraw"}}:
            raise ImportError("the auditor does without " + name)
sys.meta_path.insert(0, Refuse())
import socket
def refuse(*arguments, **named):
    raise OSError("the auditor needs no network for a directory")
socket.socket.connect = refuse
from pathlib import Path
from anchor.source import DirectorySource
from rng_service.verify import verify_export, verify_log, verify_pool, verify_receipt
source, key = DirectorySource(Path({str(operator.directory)!r})), {operator.vkey!r}
verify_log(source, key)
verify_pool({operator.pools[0].pool_id!r}, source, key)
verify_receipt(Path({str(tmp_path / "receipt")!r}).read_bytes(), source, key)
verify_export(Path({str(export)!r}), source, key)
server = [name for name in sys.modules if name.startswith(("rng_service.vault", "rng_service.front", "rng_service.ledger", "rng_service.api", "rng_service.sequencer"))]
assert not server, server
print("verified")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "verified\n", done.stderr


def test_the_bind_time_alone_decides_about_the_promise(tmp_path):
    operator = Operator(tmp_path / "public")
    tell(operator)
    late = operator.draw(operator.pools[3])
    operator.tick(10)
    operator.digest()
    operator.publish()
    assert late.binding["bind_time"] + 10 * SECOND == operator.now_us
    assert verify_receipt(operator.receipt(late), operator.source, operator.vkey).digest_seq == late.digest_seq


def test_a_ticket_and_its_draw_in_one_digest_pass_though_the_clock_was_set_back(tmp_path):
    operator = Operator(tmp_path / "public", beacon=False)
    operator.start()
    operator.register("dice-99")
    pool = operator.commit("dice-99/1/base/real", 4)
    operator.publish()
    operator.activate(pool)
    operator.tick(1)
    seed = operator.random(32)
    ticket = operator.reserve(pool, seed, session="evening")
    operator.tick(-1)
    operator.draw(pool, seed=seed, ticket=ticket)
    operator.digest()
    operator.publish()
    assert verify_export(operator.export(tmp_path / "export"), operator.source, operator.vkey).sessions == 1


def test_a_bad_line_of_an_export_is_named_by_its_number(tmp_path):
    operator = Operator(tmp_path / "public", beacon=False)
    tell(operator)
    path = operator.export(tmp_path / "export")
    lines = path.read_bytes().split(b"\n")
    lines[4] = lines[4].replace(b'\\"v\\":1}', b'\\"v\\":2}')
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(VerificationError, match="line 5") as caught:
        verify_export(path, operator.source, operator.vkey)
    assert caught.value.reason == "malformed"
