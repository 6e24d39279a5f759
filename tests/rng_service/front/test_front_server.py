"""The real gRPC server, by the fast path and by grpc's own: statuses, deadlines, limits, drain, reflection."""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import grpc
import pytest
from front_service import HeldVault, connected, failure, served
from front_world import said, seed, wager
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from sealdraw.v1 import audit_pb2, draw_pb2

from rng_service.config import ApiConfig, Config, ServiceConfig
from rng_service.errors import ConfigError
from rng_service.front.process import server_credentials
from rng_service.request_id import new_request_id
from rng_service.vault.errors import VaultUnavailableError


@pytest.fixture(params=["fast", "ordinary"])
def fast(request):
    return request.param == "fast"


@pytest.fixture
def server(sqlite_world, fast):
    sqlite_world.add_pool()
    with served(sqlite_world, fast=fast) as running:
        yield running


@pytest.fixture
def client(server):
    with connected(server.port) as stubs:
        yield stubs


def refused(call, request, **options):
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=10, **options)
    return failure(caught.value)


def test_every_call_of_a_game_server_works_over_the_wire(sqlite_world, client):
    world, secret = sqlite_world, seed()
    ticket = client.draws.Reserve(world.reserve_request(secret), timeout=10)
    request = world.draw_request(client_seed=secret, ticket_hash=ticket.ticket_hash, wager=wager())
    answer = client.draws.Draw(request, timeout=10)
    assert client.draws.Draw(request, timeout=10) == answer
    assert client.draws.Draw(request) == answer  # without a deadline
    batch = world.batch_request(5)
    assert client.draws.BatchDraw(batch, timeout=10) == client.draws.BatchDraw(batch, timeout=10)
    found = client.draws.GetReceipt(draw_pb2.GetReceiptRequest(request_id=request.request_id), timeout=10)
    assert list(found.receipts) == [answer.receipt]
    resolved = client.draws.ResolveRequest(draw_pb2.ResolveRequestRequest(request_id=new_request_id()), timeout=10)
    assert resolved.state == draw_pb2.ResolveRequestResponse.STATE_FENCED


def test_a_bad_request_names_its_fields(sqlite_world, client):
    found = refused(client.draws.Draw, sqlite_world.draw_request(request_id="x", session=" "))
    assert found.code == "INVALID_ARGUMENT"
    assert [violation.field for violation in found.details["BadRequest"].field_violations] == ["request_id", "session"]
    assert "grpc-retry-pushback-ms" not in found.trailing


def test_a_reused_id_has_a_reason_and_no_retry(sqlite_world, client):
    request = sqlite_world.draw_request()
    client.draws.Draw(request, timeout=10)
    request.session = "other"
    found = refused(client.draws.Draw, request)
    info = found.details["ErrorInfo"]
    assert (found.code, info.reason, info.domain) == ("FAILED_PRECONDITION", "REQUEST_ID_REUSED", "sealdraw")
    assert "RetryInfo" not in found.details


def test_what_is_not_there_is_not_found(sqlite_world, client):
    assert refused(client.draws.Draw, sqlite_world.draw_request(game="unknown")).code == "NOT_FOUND"
    assert refused(client.draws.GetReceipt, draw_pb2.GetReceiptRequest(request_id=new_request_id())).code == "NOT_FOUND"


def test_exhausted_pools_say_when_to_come_again(sqlite_world, client):
    found = refused(client.draws.BatchDraw, sqlite_world.batch_request(65))
    assert (found.code, found.details["ErrorInfo"].reason) == ("UNAVAILABLE", "POOLS_EXHAUSTED")
    assert found.trailing["grpc-retry-pushback-ms"] == "500"
    assert found.details["RetryInfo"].retry_delay.ToMilliseconds() == 500


def test_a_vault_that_is_away_is_unavailable_and_the_repeat_succeeds(sqlite_world, client):
    request = sqlite_world.draw_request()
    sqlite_world.vault.down = VaultUnavailableError("gone")
    for _ in range(2):
        found = refused(client.draws.Draw, request)
        assert (found.code, found.details["ErrorInfo"].reason) == ("UNAVAILABLE", "VAULT_UNAVAILABLE")
    sqlite_world.vault.down = None
    assert client.draws.Draw(request, timeout=10).receipt.slot == 0


def test_a_caller_that_gave_up_finds_its_draw_under_the_same_id(sqlite_world, server, client):
    held = sqlite_world.engine._vault = HeldVault(sqlite_world.vault)
    request = sqlite_world.draw_request()
    with pytest.raises(grpc.RpcError) as caught:
        client.draws.Draw(request, timeout=0.3)
    assert failure(caught.value).code == "DEADLINE_EXCEEDED"
    held.let_go.set()
    assert client.draws.Draw(request, timeout=10).receipt.slot == 0
    assert client.draws.Draw(sqlite_world.draw_request(), timeout=10).receipt.slot == 1


def test_a_request_that_waited_past_its_deadline_is_not_bound(sqlite_world, server, client):
    held = sqlite_world.engine._vault = HeldVault(sqlite_world.vault)
    first = client.draws.Draw.future(sqlite_world.draw_request(), timeout=10)
    assert held.entered.acquire(timeout=10)
    late = sqlite_world.draw_request()
    with pytest.raises(grpc.RpcError):
        client.draws.Draw(late, timeout=0.2)
    held.let_go.set()
    assert first.result().receipt.slot == 0
    assert client.draws.Draw(sqlite_world.draw_request(), timeout=10).receipt.slot == 1
    assert sqlite_world.rows("SELECT count(*) FROM requests") == [(2,)]
    assert client.draws.Draw(late, timeout=10).receipt.slot == 2


def test_messages_larger_than_a_request_can_be_are_refused(client):
    large = draw_pb2.DrawRequest(session="s" * 70_000)
    found = refused(client.draws.Draw, large)
    assert (found.code, "at most 65536" in found.message) == ("INVALID_ARGUMENT", True)
    huge = draw_pb2.DrawRequest(session="s" * 6_000_000)
    assert refused(client.draws.Draw, huge).code == "RESOURCE_EXHAUSTED"


def test_bytes_that_are_no_message_are_invalid(client):
    raw = client.channel.unary_unary("/sealdraw.v1.DrawService/Draw")
    assert refused(raw, b"\xff\xff").code == "INVALID_ARGUMENT"
    assert refused(raw, b"\x80\x7d\x01").code == "INVALID_ARGUMENT"


def test_no_more_calls_run_at_once_than_are_allowed_and_their_places_come_back(sqlite_world, fast):
    sqlite_world.add_pool()
    with served(sqlite_world, fast=fast, max_in_flight=3) as running, connected(running.port) as client:
        held = sqlite_world.engine._vault = HeldVault(sqlite_world.vault)
        first = client.draws.Draw.future(sqlite_world.draw_request(), timeout=20)
        assert held.entered.acquire(timeout=10)
        waiting = [first]
        # Calls arrive in no certain order; one more than there are places must be turned away.
        answers = [client.draws.Draw.future(sqlite_world.draw_request(), timeout=20) for _ in range(4)]
        turned_away = [answer for answer in answers if _ended(answer)]
        assert [failure(answer.exception()).code for answer in turned_away] == ["RESOURCE_EXHAUSTED"] * 2
        held.let_go.set()
        waiting += [answer for answer in answers if answer not in turned_away]
        assert sorted(answer.result(timeout=20).receipt.slot for answer in waiting) == [0, 1, 2]
        for number in range(5):
            assert client.draws.Draw(sqlite_world.draw_request(), timeout=10).receipt.slot == 3 + number


def test_places_of_callers_that_gave_up_come_back(sqlite_world, fast):
    sqlite_world.add_pool()
    with served(sqlite_world, fast=fast, max_in_flight=2) as running, connected(running.port) as client:
        held = sqlite_world.engine._vault = HeldVault(sqlite_world.vault)
        given_up = [sqlite_world.draw_request() for _ in range(2)]
        for answer in [client.draws.Draw.future(request, timeout=0.5) for request in given_up]:
            assert failure(answer.exception()).code == "DEADLINE_EXCEEDED"
        held.let_go.set()
        for number in range(6):
            request = given_up[number] if number < 2 else sqlite_world.draw_request()
            # Turned away only until the engine has gone through what was given up.
            while _code(client.draws.Draw, request) == "RESOURCE_EXHAUSTED":
                continue
        assert sqlite_world.rows("SELECT next_slot FROM pools") == [(6,)]


def _code(call, request):
    try:
        call(request, timeout=10)
    except grpc.RpcError as error:
        return error.code().name
    return "OK"


def _ended(answer):
    try:
        answer.exception(timeout=1)
    except grpc.FutureTimeoutError:
        return False
    return True


def test_a_closed_gate_refuses_with_draining(sqlite_world, server, client):
    server.gate.stopping.set()
    for call, request in (
        (client.draws.Draw, sqlite_world.draw_request()),
        (client.draws.GetReceipt, draw_pb2.GetReceiptRequest(request_id=new_request_id())),
        (client.audits.ListPools, audit_pb2.ListPoolsRequest()),
    ):
        found = refused(call, request)
        assert (found.code, found.details["ErrorInfo"].reason) == ("UNAVAILABLE", "DRAINING")
        assert found.trailing["grpc-retry-pushback-ms"] == "1000"
    assert sqlite_world.rows("SELECT count(*) FROM requests") == [(0,)]


def test_a_drain_finishes_what_is_in_flight_and_lets_nothing_new_in(sqlite_world, server, client):
    held = sqlite_world.engine._vault = HeldVault(sqlite_world.vault)
    running = client.draws.Draw.future(sqlite_world.draw_request(), timeout=20)
    assert held.entered.acquire(timeout=10)
    with ThreadPoolExecutor(1) as threads:
        drained = threads.submit(server.server.drain, 15)
        assert server.gate.stopping.wait(10)
        found = refused(client.draws.Draw, sqlite_world.draw_request())
        held.let_go.set()
        # While grpc closes the connection it cancels what still comes: in doubt for the caller, and never begun here.
        assert found.code in {"UNAVAILABLE", "CANCELLED"}
        assert running.result(timeout=15).receipt.slot == 0
        drained.result(timeout=15)
    assert sqlite_world.rows("SELECT count(*) FROM requests") == [(1,)]


def test_health_says_serving_and_then_not_serving(server, client):
    health = health_pb2_grpc.HealthStub(client.channel)
    for name in ("", "sealdraw.v1.DrawService"):
        answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=10)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    watch = health.Watch(health_pb2.HealthCheckRequest(), timeout=20)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    with ThreadPoolExecutor(1) as threads:
        drained = threads.submit(server.server.drain, 15)
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watch.cancel()
        drained.result(timeout=15)


@pytest.mark.parametrize("reflect", [True, False])
def test_reflection_is_for_development_only(sqlite_world, reflect):
    with served(sqlite_world, reflect=reflect) as running, connected(running.port) as client:
        stub = reflection_pb2_grpc.ServerReflectionStub(client.channel)
        answers = stub.ServerReflectionInfo(
            iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=10
        )
        if reflect:
            names = {service.name for service in next(answers).list_services_response.service}
            assert {"sealdraw.v1.DrawService", "sealdraw.v1.AuditService", "sealdraw.v1.OperatorService"} <= names
        else:
            with pytest.raises(grpc.RpcError) as caught:
                next(answers)
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_an_unforeseen_failure_says_nothing_of_itself(sqlite_world, server, client, monkeypatch, caplog):
    def broken(*_arguments, **_options):
        raise RuntimeError("secret 00ff00ff")

    monkeypatch.setattr("rng_service.front.receipts.draw_receipt", broken)
    request = sqlite_world.draw_request()
    found = refused(client.draws.Draw, request)
    assert found.code == "INTERNAL"
    assert "00ff" not in found.message
    monkeypatch.undo()
    assert client.draws.Draw(request, timeout=10).receipt.slot == 0


def test_no_status_and_no_log_line_tells_a_secret(sqlite_world, server, client, caplog):
    caplog.set_level(logging.DEBUG)
    secret = seed()
    ticket = client.draws.Reserve(sqlite_world.reserve_request(secret, tags={"player": "player-4711"}), timeout=10)
    told = []
    for fields in ({"client_seed": seed()}, {"client_seed": secret, "session": "x"}):
        request = sqlite_world.draw_request(ticket_hash=ticket.ticket_hash, **fields)
        told.append(refused(client.draws.Draw, request).message)
    sqlite_world.vault.down = VaultUnavailableError("gone")
    request = sqlite_world.draw_request(ticket_hash=ticket.ticket_hash, client_seed=secret, tags={"player": "4711"})
    told.append(refused(client.draws.Draw, request).message)
    sqlite_world.vault.down = None
    receipt = client.draws.Draw(request, timeout=10).receipt
    everything = "\n".join([*told, caplog.text])
    assert said(receipt)["client_seed"] == secret.hex()
    assert receipt.record[-71:-7].decode() not in everything
    assert secret.hex() not in everything
    assert "4711" not in everything


def test_a_caller_names_itself_only_where_there_are_no_certificates(sqlite_world, client):
    request = sqlite_world.draw_request()
    mine = client.draws.Draw(request, timeout=10, metadata=[("sealdraw-caller", "table-9")])
    assert said(mine.receipt)["caller"] == "table-9"
    assert said(client.draws.Draw(request, timeout=10).receipt)["caller"] == "local"
    for name in ("Table", "", "a" * 33, "a/b"):
        found = refused(client.draws.Draw, request, metadata=[("sealdraw-caller", name)])
        assert found.code == "PERMISSION_DENIED"


def configured(origin="acme/dev", **api):
    return replace(Config(), service=ServiceConfig(origin=origin), api=ApiConfig(**api))


@pytest.mark.parametrize(
    "config",
    [
        configured("acme/prod"),
        configured(listen="0.0.0.0:7443"),
        configured(listen="[::]:7443"),
        configured(listen="10.0.0.1:7443"),
        configured("acme/prod", certificate="a", private_key="b"),
        configured(client_ca="c"),
        configured(certificate="no-such-file", private_key="b", client_ca="c"),
    ],
)
def test_plain_text_is_refused_outside_development_and_off_loopback(config):
    with pytest.raises(ConfigError):
        server_credentials(config)


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "localhost:7443", "[::1]:7443"])
def test_plain_text_is_served_on_loopback_in_development(listen):
    assert server_credentials(configured(listen=listen)) is None


def test_forty_callers_at_once_each_get_their_own_slot(sqlite_world, fast):
    sqlite_world.add_pool(128)
    with served(sqlite_world, fast=fast) as running, connected(running.port) as client:
        answers = [client.draws.Draw.future(sqlite_world.draw_request(), timeout=20) for _ in range(40)]
        assert sorted(answer.result().receipt.slot for answer in answers) == list(range(40))
