"""Mutual TLS: the client shows its certificate and accepts only the service that its authority vouches for."""

import datetime as dt
import ipaddress
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from client_world import CALLER, StillTime
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from sealdraw.v1 import draw_pb2, draw_pb2_grpc

from rng_service.client import Client, InDoubtError, MemoryJournal, RetryPolicy, Tls
from rng_service.request_id import new_request_id

NOW = dt.datetime.now(dt.UTC)


class Authority:
    """Signs certificates for this test alone."""

    def __init__(self, name):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._sign(self.name, self.key, x509.BasicConstraints(ca=True, path_length=0))

    def issue(self, name):
        key = ec.generate_private_key(ec.SECP256R1())
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return self._sign(subject, key, address).public_bytes(Encoding.PEM), pem

    def pem(self):
        return self.certificate.public_bytes(Encoding.PEM)

    def _sign(self, subject, key, extension):
        builder = x509.CertificateBuilder(
            issuer_name=self.name,
            subject_name=subject,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=NOW - dt.timedelta(days=1),
            not_valid_after=NOW + dt.timedelta(days=1),
        )
        return builder.add_extension(extension, critical=True).sign(self.key, hashes.SHA256())


class WhoAmI(draw_pb2_grpc.DrawServiceServicer):
    """Fences every id and remembers who asked."""

    def __init__(self):
        self.seen = []

    def ResolveRequest(self, request, context):  # noqa: N802
        names = [value for key, value in context.invocation_metadata() if key == "sealdraw-caller"]
        self.seen.append((context.auth_context()["x509_common_name"], names))
        return draw_pb2.ResolveRequestResponse(state=draw_pb2.ResolveRequestResponse.STATE_FENCED)


@pytest.fixture
def authority():
    return Authority("sealdraw test authority")


@pytest.fixture
def served(authority):
    certificate, key = authority.issue("service")
    credentials = grpc.ssl_server_credentials([(key, certificate)], authority.pem(), require_client_auth=True)
    server, service = grpc.server(ThreadPoolExecutor(2)), WhoAmI()
    draw_pb2_grpc.add_DrawServiceServicer_to_server(service, server)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    yield service, f"127.0.0.1:{port}"
    server.stop(None).wait()


def connect(target, tmp_path, trusted, own):
    certificate, key = own.issue(CALLER)
    paths = [tmp_path / name for name in ("ca.pem", "certificate.pem", "key.pem")]
    for path, data in zip(paths, (trusted.pem(), certificate, key), strict=True):
        path.write_bytes(data)
    return Client(
        target,
        caller=CALLER,
        journal=MemoryJournal(),
        tls=Tls(*paths),
        origin="example.org/live",
        verify="off",
        retry=RetryPolicy(attempts=1),
        surroundings=StillTime().surroundings(),
    )


def test_the_service_learns_the_caller_from_the_certificate_and_not_from_metadata(served, authority, tmp_path):
    service, target = served
    with connect(target, tmp_path, authority, authority) as client:
        assert not client.resolve(new_request_id()).bound
    assert service.seen == [([b"casino"], [])]


def test_a_service_of_another_authority_is_not_talked_to(served, authority, tmp_path):
    service, target = served
    with connect(target, tmp_path, Authority("somebody else"), authority) as client, pytest.raises(InDoubtError):
        client.draw("dice-99", "base")
    assert service.seen == []


def test_a_certificate_that_cannot_be_read_is_an_error_at_once(tmp_path):
    absent = tmp_path / "absent.pem"
    with pytest.raises(FileNotFoundError):
        Client(
            "127.0.0.1:1",
            caller=CALLER,
            journal=tmp_path / "requests.journal",
            tls=Tls(absent, absent, absent),
            origin="x",
            verify="off",
        )
    # The journal was let go of, so that the next try finds it free.
    Client(
        "127.0.0.1:1", caller=CALLER, journal=tmp_path / "requests.journal", development=True, origin="x", verify="off"
    ).close()
