"""What auditors and operators may ask: rows of returns, rounds of a caller, one round recalled, alarms acknowledged."""

import time
from types import SimpleNamespace

import grpc
import pytest
from front_service import connected, failure, served
from front_world import seed, wager
from sealdraw.v1 import audit_pb2, operator_pb2, types_pb2
from sqlalchemy import insert, select

from rng_service.ledger.engine import writing
from rng_service.ledger.models import DigestRow, LogEntryRow, RtpAlarmRow, RtpSeriesRow
from rng_service.ledger.recalling import player_records
from rng_service.ledger.rollups import add_delta
from rng_service.log_entries import parse_entry
from rng_service.names import PLAY_CLASSES
from rng_service.rtp.delta import Delta
from rng_service.rtp.rollup import RollupKey, Sums
from rng_service.vault.binding import read_binding

CALLER = "local"
HOUR = 490_896


@pytest.fixture
def running(world):
    world.add_pool()
    with served(world) as service, connected(service.port) as client:
        yield client


def code(method, request):
    with pytest.raises(grpc.RpcError) as caught:
        method(request, timeout=10)
    return failure(caught.value)


def play(world, running):
    """A draw with a bet and tags, a batch, a bare draw with two settlements, and a draw that nobody settled."""
    tags = types_pb2.Tags(player="p-17", brand='no"rth', channel="web")
    staked = world.draw_request(client_seed=seed(), wager=wager(), tags=tags)
    batch = world.batch_request(3, wager=wager(stake=5))
    bare, left = world.draw_request(tags=tags), world.draw_request()
    running.draws.Draw(staked, timeout=10)
    running.draws.BatchDraw(batch, timeout=10)
    drawn = running.draws.Draw(bare, timeout=10)
    running.draws.Draw(left, timeout=10)
    return SimpleNamespace(staked=staked, batch=batch, bare=bare, left=left, number=drawn.receipt.values[0])


def rounds(running, **fields):
    request = audit_pb2.ExportRoundsRequest(caller=CALLER, **fields)
    return [item for answer in running.audits.ExportRounds(request, timeout=30) for item in answer.rounds]


def test_rounds_come_in_order_of_their_ids_with_what_became_of_them(world, running):
    played = play(world, running)
    assert {item.status for item in rounds(running)} == {"open"}
    world.join_digest()
    found = rounds(running)
    names = [item.request_id for item in found]
    assert names == sorted(names)
    assert [item.item for item in found if item.request_id == played.batch.request_id] == [0, 1, 2]
    by_id = {item.request_id: item for item in found}
    staked = by_id[played.staked.request_id]
    assert (staked.stake_minor, staked.currency, staked.status) == ("100", "EUR", "final")
    assert staked.payout_minor in {"0", "200"}
    assert by_id[played.left.request_id].status == "unsettled"
    # Three bettors settle one outcome: what the round comes to is all that is final.
    from sealdraw.v1 import draw_pb2

    straight = f'{{"bet":"straight","numbers":[{played.number}]}}'
    for bettor, (stake, status) in enumerate(((10, 1), (20, 1), (7, 2))):
        running.draws.Settle(
            draw_pb2.SettleRequest(
                request_id=world.draw_request().request_id, draw_request_id=played.bare.request_id,
                bettor=bytes([bettor]) * 32, stake_minor=stake, payout_minor=stake * 36 if status == 1 else 0,
                currency="EUR", bet=straight, status=status, reason="" if status == 1 else "withdrawn",
            ),
            timeout=10,
        )  # fmt: skip
    world.join_digest()
    found = rounds(running)
    bare = next(item for item in found if item.request_id == played.bare.request_id)
    assert (bare.stake_minor, bare.payout_minor, bare.status) == ("30", "1080", "final")
    assert sorted((item.stake_minor, item.status) for item in found if item.kind == "settle") == [
        ("10", "final"), ("20", "final"), ("7", "void"),
    ]  # fmt: skip


def test_a_period_is_that_of_the_request_ids(world, running):
    play(world, running)
    now_us = time.time_ns() // 1_000
    assert len(rounds(running, from_us=now_us - 60_000_000, to_us=now_us + 60_000_000)) == 6
    assert rounds(running, from_us=now_us + 60_000_000) == []
    assert rounds(running, to_us=now_us - 60_000_000) == []
    with pytest.raises(grpc.RpcError) as caught:
        list(running.audits.ExportRounds(audit_pb2.ExportRoundsRequest(caller="../x", from_us=-1), timeout=10))
    found = failure(caught.value).details["BadRequest"]
    assert [item.field for item in found.field_violations] == ["caller", "from_us"]


def test_a_request_is_recalled_only_whole_and_only_once_it_is_named(world, running):
    played = play(world, running)
    request = audit_pb2.RecallRoundsRequest(request_id=played.staked.request_id, caller=CALLER)
    (record,) = running.audits.RecallRounds(request, timeout=10).records
    assert (record.kind, record.caller, record.record) == ("draw", CALLER, b"")
    world.join_digest()
    (record,) = running.audits.RecallRounds(request, timeout=10).records
    assert record.receipt.record == record.record != b""
    request.caller = "other"
    assert code(running.audits.RecallRounds, request).code == "NOT_FOUND"
    assert code(running.audits.RecallRounds, audit_pb2.RecallRoundsRequest()).code == "INVALID_ARGUMENT"
    both = audit_pb2.RecallRoundsRequest(request_id=played.staked.request_id, player="p-17")
    assert code(running.audits.RecallRounds, both).code == "INVALID_ARGUMENT"


def test_a_players_draws_are_found_by_the_whole_tag_in_pages(world, running):
    play(world, running)
    for _ in range(3):
        request = world.draw_request(tags=types_pb2.Tags(player='p"17'))
        running.draws.Draw(request, timeout=10)
    for player, number in (("p-17", 2), ('p"17', 3), ("p-1", 0), ("17", 0), ("web", 0)):
        found, token = 0, ""
        while True:
            request = audit_pb2.RecallRoundsRequest(player=player, page_size=2, page_token=token)
            answer = running.audits.RecallRounds(request, timeout=10)
            found += len(answer.records)
            token = answer.next_page_token
            if not token:
                break
        assert (player, found) == (player, number)
    with world.ledger.connect() as connection:
        ids = player_records(connection, "p-17", after=0, limit=10)
        assert ids == sorted(ids)
        assert player_records(connection, "p-17", after=ids[0], limit=10) == ids[1:]
    assert read_binding(world.rows("SELECT binding FROM records ORDER BY id")[0][0])["caller"] == CALLER


def put_rows(world):
    """Rollups of two hours and two brands, as a digest leaves them."""
    for place, (brand, hour) in enumerate((("north", HOUR), ("south", HOUR), ("north", HOUR + 30))):
        key = RollupKey("roulette", 1, "base", "real", "EUR", brand, "", "web", "1..100")
        sums = Sums(outcomes=10, plays=10, hits=4, stake_minor=1_000, payout_minor=900, stake_squares=100_000)
        sums.unpriced = 10 if hour > HOUR else 0
        with writing(world.ledger) as connection:
            add_delta(connection, place, Delta(hour, {key: sums}, {}))


def test_rows_are_grouped_filtered_and_paged(world, running):
    put_rows(world)
    ask = running.audits.ListRtpRows
    (all_of_it,) = ask(audit_pb2.ListRtpRowsRequest(), timeout=10).rows
    assert (all_of_it.plays, all_of_it.stake_minor, all_of_it.realised, all_of_it.theoretical) == (
        30,
        "3000",
        "9/10",
        "",
    )
    assert "10 of 30 plays have no exact theory" in all_of_it.notes[0]
    north = audit_pb2.RtpFilter(dimension="brand", values=["north"])
    (row,) = ask(audit_pb2.ListRtpRowsRequest(filters=[north], from_period="2026-01-02"), timeout=10).rows
    assert row.plays == 10
    request = audit_pb2.ListRtpRowsRequest(group_by=["brand", "version"], grain=audit_pb2.RTP_GRAIN_DAY, page_size=2)
    first = ask(request, timeout=10)
    assert [(item.period, list(item.values)) for item in first.rows] == [
        ("2026-01-01", ["north", "1"]), ("2026-01-01", ["south", "1"]),
    ]  # fmt: skip
    request.page_token = first.next_page_token
    second = ask(request, timeout=10)
    assert [item.period for item in second.rows] == ["2026-01-02"]
    assert second.next_page_token == ""
    assert not second.HasField("from_digest")


@pytest.mark.parametrize(
    ("request_fields", "field"),
    [
        ({"filters": [audit_pb2.RtpFilter(dimension="player", values=["x"])]}, "filters[0].dimension"),
        ({"filters": [audit_pb2.RtpFilter(dimension="brand")]}, "filters[0].values"),
        ({"filters": [audit_pb2.RtpFilter(dimension="version", values=["1;"])]}, "filters[0].values"),
        ({"group_by": ["brand", "brand"]}, "group_by"),
        ({"group_by": ["id"]}, "group_by"),
        ({"from_period": "yesterday"}, "from_period"),
        ({"to_period": "2026-02-30"}, "to_period"),
        ({"page_size": 5_000}, "page_size"),
    ],
)
def test_questions_that_have_no_answer_name_their_field(running, request_fields, field):
    found = code(running.audits.ListRtpRows, audit_pb2.ListRtpRowsRequest(**request_fields))
    assert found.code == "INVALID_ARGUMENT"
    assert [item.field for item in found.details["BadRequest"].field_violations] == [field]


def test_an_alarm_is_acknowledged_once_with_a_reason_that_stands_in_the_log(world, running):
    acknowledge = running.operators.AcknowledgeRtpAlarm
    request = operator_pb2.AcknowledgeRtpAlarmRequest(
        game="roulette", version=1, program="base", play_class=types_pb2.PLAY_CLASS_REAL, currency="EUR", reason="x-1"
    )
    assert code(acknowledge, request).code == "NOT_FOUND"
    with writing(world.ledger) as connection:
        digest = {"entry": b"", "log_entry_id": 1, "created_us": 5, "journal_sequence": 0, "journal_head": bytes(32)}
        connection.execute(insert(DigestRow), [digest | {"seq": seq} for seq in range(5)])
        connection.execute(
            insert(RtpSeriesRow).values(
                id=1, game="roulette", version=1, program="base", play_class=PLAY_CLASSES[1], currency="EUR",
                highest="36", highest_mean="1", without_evidence=0, first_digest=0, last_digest=4,
            )
        )  # fmt: skip
        connection.execute(insert(RtpAlarmRow).values(series_id=1, direction="high", raised_us=77, log_entry_id=1))
    put_rows(world)
    request_rows = audit_pb2.ListRtpRowsRequest(group_by=["game"])
    assert [row.state for row in running.audits.ListRtpRows(request_rows, timeout=10).rows] == ["alarm"]
    assert acknowledge(request, timeout=10).raised_us == 77
    assert [row.state for row in running.audits.ListRtpRows(request_rows, timeout=10).rows] == ["ok"]
    assert code(acknowledge, request).code == "NOT_FOUND"
    with writing(world.ledger) as connection:
        entry = connection.scalars(select(LogEntryRow.entry).order_by(LogEntryRow.id.desc()).limit(1)).one()
        series = connection.execute(select(RtpSeriesRow.since_day, RtpSeriesRow.since_digest)).one()
    incident = parse_entry(bytes(entry))
    assert (incident.kind, incident.reason) == ("rtp-alarm-acknowledged", "x-1")
    assert series == (time.time() // 86_400 + 1, 5)
    request.reason, request.version = "Not a slug", 0
    found = code(acknowledge, request).details["BadRequest"]
    assert [item.field for item in found.field_violations] == ["reason", "version"]
