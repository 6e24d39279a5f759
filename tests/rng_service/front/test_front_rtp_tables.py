"""Wishes for tables of returns over the wire: written once, answered with what became of them, openings for auditors."""

import io
from dataclasses import replace

import grpc
import pytest
from front_service import connected, failure, served
from front_world import ORIGIN
from sealdraw.v1 import audit_pb2, operator_pb2
from sqlalchemy import insert, update

from rng_service.config import Config, LogConfig, ServiceConfig
from rng_service.errors import FailedPrecondition, InvalidArgument
from rng_service.front.rtp_table_service import RtpTableService
from rng_service.ledger.documents import add_documents
from rng_service.ledger.engine import writing
from rng_service.ledger.models import OpeningRow, RtpTableRequestRow, TotalsRow
from rng_service.records.openings import read_openings
from rng_service.request_id import new_request_id, parse_request_id


@pytest.fixture
def running(world):
    with served(world) as server, connected(server.port) as client:
        yield client


def wish(**fields):
    return operator_pb2.PublishRtpTableRequest(**{"request_id": new_request_id(), **fields})


def refused(call, request):
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=10)
    return failure(caught.value)


def decide(world, request, **values):
    with writing(world.ledger) as connection:
        connection.execute(
            update(RtpTableRequestRow)
            .where(RtpTableRequestRow.request_id == parse_request_id(request.request_id))
            .values(**values)
        )


def test_a_wish_waits_and_the_same_request_says_what_became_of_it(world, running):
    publish = running.operators.PublishRtpTable
    request = wish(from_day="2026-11-20", to_day="2026-11-21")
    first = publish(request, timeout=10).table
    assert first.state == operator_pb2.RTP_TABLE_STATE_WAITING
    assert (first.from_day, first.to_day) == ("2026-11-20", "2026-11-21")
    assert publish(request, timeout=10).table == first
    with writing(world.ledger) as connection:
        add_documents(connection, {"rtp/000.json": b"{}"})
    decide(world, request, table_seq=0)
    done = publish(request, timeout=10).table
    assert (done.state, done.sequence) == (operator_pb2.RTP_TABLE_STATE_PUBLISHED, 0)
    for asked in (
        operator_pb2.GetRtpTableRequest(request_id=request.request_id),
        operator_pb2.GetRtpTableRequest(sequence=0),
    ):
        found = running.operators.GetRtpTable(asked, timeout=10)
        assert (found.table, found.document) == (done, b"{}")


def test_a_refusal_is_answered_with_its_reason(world, running):
    request = wish()
    running.operators.PublishRtpTable(request, timeout=10)
    decide(world, request, refused="no totals lie in these days")
    found = running.operators.PublishRtpTable(request, timeout=10).table
    assert (found.state, found.refusal) == (operator_pb2.RTP_TABLE_STATE_REFUSED, "no totals lie in these days")
    assert not found.HasField("sequence")


@pytest.mark.parametrize(
    "change", [{"from_day": "2026-11-19"}, {"to_day": "2026-11-22"}, {"table": b"{}"}, {"show_plays": True}]
)
def test_another_wish_under_the_same_request_id_is_refused(running, change):
    request = wish(from_day="2026-11-20", to_day="2026-11-21")
    running.operators.PublishRtpTable(request, timeout=10)
    other = operator_pb2.PublishRtpTableRequest()
    other.CopyFrom(request)
    for name, value in change.items():
        setattr(other, name, value)
    found = refused(running.operators.PublishRtpTable, other)
    assert (found.code, found.details["ErrorInfo"].reason) == ("FAILED_PRECONDITION", "REQUEST_ID_REUSED")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"request_id": "no"}, "request_id"),
        ({"from_day": "2026-11"}, "from_day"),
        ({"to_day": "20.11.2026"}, "to_day"),
        ({"from_day": "2026-11-21", "to_day": "2026-11-20"}, "to_day"),
        ({"table": b'{"b":1,"a":2}'}, "table"),
    ],
)
def test_a_wish_that_cannot_be_read_names_its_field(running, fields, named):
    found = refused(running.operators.PublishRtpTable, wish(**fields))
    assert found.code == "INVALID_ARGUMENT"
    assert [item.field for item in found.details["BadRequest"].field_violations] == [named]


def test_so_many_wishes_may_wait_and_no_more(running):
    for _ in range(16):
        running.operators.PublishRtpTable(wish(), timeout=10)
    found = refused(running.operators.PublishRtpTable, wish())
    assert (found.code, found.details["ErrorInfo"].reason) == ("UNAVAILABLE", "TOO_MANY_TABLES")


def test_wishes_are_listed_in_their_order_page_by_page(running):
    asked = [wish() for _ in range(5)]
    for request in asked:
        running.operators.PublishRtpTable(request, timeout=10)
    found, token = [], ""
    while True:
        page = running.operators.ListRtpTables(
            operator_pb2.ListRtpTablesRequest(page_size=2, page_token=token), timeout=10
        )
        found += [table.request_id for table in page.tables]
        token = page.next_page_token
        if not token:
            break
    assert found == [request.request_id for request in asked]


def test_a_table_that_nobody_asked_for_is_not_found(running):
    found = refused(running.operators.GetRtpTable, operator_pb2.GetRtpTableRequest(sequence=7))
    assert found.code == "NOT_FOUND"
    both = operator_pb2.GetRtpTableRequest(sequence=7, request_id=new_request_id())
    assert refused(running.operators.GetRtpTable, both).code == "INVALID_ARGUMENT"


def test_open_totals_have_no_openings(running):
    with pytest.raises(grpc.RpcError) as caught:
        list(running.audits.ExportOpenings(audit_pb2.ExportOpeningsRequest(), timeout=10))
    assert failure(caught.value).details["ErrorInfo"].reason == "TOTALS_OPEN"


def committed_service(world):
    config = replace(
        Config(),
        service=ServiceConfig(origin=ORIGIN, data_dir=world.public.parent),
        log=LogConfig(totals_policy="committed"),
    )
    with writing(world.ledger) as connection:
        for seq in range(3):
            connection.execute(
                insert(TotalsRow).values(seq=seq, from_digest=seq, to_digest=seq, created_us=seq, log_entry_id=seq)
            )
            for place in range(200):
                connection.execute(
                    insert(OpeningRow).values(kind="totals", seq=seq, place=place, salt=bytes(32), row=b"{}")
                )
    return RtpTableService(world.ledger, config)


def streamed(service, **fields):
    chunks = service.export_openings(audit_pb2.ExportOpeningsRequest(**fields), "auditor", lambda: True)
    return b"".join(message.chunk for message in chunks)


def test_openings_come_as_the_file_that_verifiers_read(world):
    service = committed_service(world)
    header, lines = read_openings(io.BytesIO(streamed(service)))
    assert (header.origin, header.from_totals, header.to_totals) == (ORIGIN, 0, 2)
    assert [(item.seq, item.place) for item in lines] == [(seq, place) for seq in range(3) for place in range(200)]
    header, lines = read_openings(io.BytesIO(streamed(service, from_totals=1, to_totals=1)))
    assert {item.seq for item in lines} == {1}
    with pytest.raises(InvalidArgument, match="0 to 2"):
        streamed(service, from_totals=1, to_totals=9)


def test_openings_of_open_totals_are_refused_before_anything_is_read(world):
    with pytest.raises(FailedPrecondition):
        streamed(RtpTableService(world.ledger, Config()))
