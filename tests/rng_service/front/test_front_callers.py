"""Who may call what: registered client certificates over mTLS, and nothing else."""

import datetime as dt
import time
from types import SimpleNamespace

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from front_service import connected, failure, served
from front_world import said
from sealdraw.v1 import audit_pb2, operator_pb2
from sqlalchemy import insert

from rng_service.config import ApiConfig, Config, ServiceConfig
from rng_service.front.callers import certificate_digest
from rng_service.front.process import server_credentials
from rng_service.ledger.engine import writing
from rng_service.ledger.models import CallerRow

ROLES = ("game-server", "auditor", "operator")


class Authority:
    """A certificate authority that lives as long as a test."""

    def __init__(self, name):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._sign(self.name, self.key.public_key(), authority=True)
        self.pem = self.certificate.public_bytes(Encoding.PEM)

    def issue(self, name):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._sign(subject, key.public_key(), authority=False)
        return SimpleNamespace(
            pem=certificate.public_bytes(Encoding.PEM),
            key=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        )

    def _sign(self, subject, public_key, *, authority):
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        )
        return builder.sign(self.key, hashes.SHA256())


@pytest.fixture(scope="module")
def authority():
    return Authority("callers")


@pytest.fixture(params=["fast", "ordinary"])
def running(request, sqlite_world, tmp_path, authority):
    """A server that asks for certificates, configured from files as the process is; and one caller of each role."""
    sqlite_world.add_pool()
    certificate = authority.issue("server")
    for name, data in (("crt", certificate.pem), ("key", certificate.key), ("ca", authority.pem)):
        (tmp_path / name).write_bytes(data)
    config = Config(
        service=ServiceConfig(origin="acme/prod", data_dir=tmp_path),
        api=ApiConfig(certificate="crt", private_key="key", client_ca="ca"),
    )
    callers = {}
    with writing(sqlite_world.ledger) as connection:
        for role in ROLES:
            callers[role] = authority.issue(role)
            connection.execute(
                insert(CallerRow).values(
                    name=f"the-{role}", role=role, certificate_digest=certificate_digest(callers[role].pem)
                )
            )
    with served(sqlite_world, credentials=server_credentials(config), fast=request.param == "fast") as server:
        yield SimpleNamespace(port=server.port, callers=callers, world=sqlite_world)


def credentials(authority, caller=None):
    if caller is None:
        return grpc.ssl_channel_credentials(authority.pem)
    return grpc.ssl_channel_credentials(authority.pem, caller.key, caller.pem)


def code(call, request, **options):
    try:
        call(request, timeout=10, **options)
    except grpc.RpcError as error:
        return failure(error).code
    return "OK"


def test_a_registered_game_server_draws_under_its_registered_name(running, authority):
    with connected(running.port, credentials(authority, running.callers["game-server"])) as client:
        request = running.world.draw_request()
        receipt = client.draws.Draw(request, timeout=10, metadata=[("sealdraw-caller", "somebody-else")]).receipt
        assert said(receipt)["caller"] == "the-game-server"
        assert client.draws.Draw(request, timeout=10).receipt == receipt


def test_each_role_may_do_what_is_its_own_and_no_more(running, authority):
    draw = running.world.draw_request
    retire = operator_pb2.RetireGameRequest(name="none", version=1)
    acknowledge = operator_pb2.AcknowledgeRtpAlarmRequest(
        game="none", version=1, program="base", play_class=1, currency="EUR", reason="x"
    )
    denied = "PERMISSION_DENIED"
    allowed = {}
    for role in ROLES:
        with connected(running.port, credentials(authority, running.callers[role])) as client:
            allowed[role] = (
                code(client.draws.Draw, draw()),
                code(client.audits.ListPools, audit_pb2.ListPoolsRequest()),
                code(client.operators.ListGames, operator_pb2.ListGamesRequest()),
                code(client.operators.RetireGame, retire),
                code(client.audits.ListRtpRows, audit_pb2.ListRtpRowsRequest()),
                code(client.audits.RecallRounds, audit_pb2.RecallRoundsRequest(player="p")),
                code(client.operators.AcknowledgeRtpAlarm, acknowledge),
            )
    assert allowed == {
        "game-server": ("OK", "OK", "OK", denied, denied, denied, denied),
        "auditor": (denied, "OK", "OK", denied, "OK", "OK", denied),
        "operator": (denied, "OK", "OK", "NOT_FOUND", "OK", "OK", "NOT_FOUND"),
    }


def test_a_certificate_that_nobody_registered_is_refused(running, authority):
    with connected(running.port, credentials(authority, authority.issue("game-server"))) as client:
        assert code(client.draws.Draw, running.world.draw_request()) == "PERMISSION_DENIED"
        assert code(client.audits.ListPools, audit_pb2.ListPoolsRequest()) == "PERMISSION_DENIED"
    assert running.world.rows("SELECT count(*) FROM requests") == [(0,)]


def test_without_a_certificate_or_with_one_of_another_authority_there_is_no_connection(running, authority):
    stranger = Authority("callers").issue("game-server")
    for offered in (credentials(authority), credentials(authority, stranger)):
        with connected(running.port, offered) as client:
            assert code(client.draws.Draw, running.world.draw_request()) == "UNAVAILABLE"
    with connected(running.port) as client:
        assert code(client.draws.Draw, running.world.draw_request()) == "UNAVAILABLE"


def test_a_server_of_another_authority_is_not_believed(running, authority):
    caller = running.callers["game-server"]
    trusting = grpc.ssl_channel_credentials(Authority("other").pem, caller.key, caller.pem)
    with connected(running.port, trusting) as client:
        assert code(client.draws.Draw, running.world.draw_request()) == "UNAVAILABLE"


def test_a_caller_that_is_struck_from_the_register_is_refused_before_long(running, authority, monkeypatch):
    with connected(running.port, credentials(authority, running.callers["game-server"])) as client:
        assert code(client.draws.Draw, running.world.draw_request()) == "OK"
        with writing(running.world.ledger) as connection:
            connection.exec_driver_sql("DELETE FROM callers WHERE role = 'game-server'")
        later = time.monotonic() + 11
        monkeypatch.setattr("rng_service.front.callers.time", SimpleNamespace(monotonic=lambda: later))
        assert code(client.draws.Draw, running.world.draw_request()) == "PERMISSION_DENIED"


def test_a_certificate_digest_is_of_the_der_bytes_and_not_of_the_text(authority):
    pem = authority.issue("x").pem
    assert certificate_digest(pem) == certificate_digest(b"a comment\n" + pem + b"\n\n")
    with pytest.raises(ValueError, match=r"PEM|Unable"):
        certificate_digest(b"nothing")
