"""Who is calling: a registered name proven by a client certificate, or, in development on loopback, a name as given."""

import time
from hashlib import sha256
from threading import Lock

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Engine, select

from anchor.errors import MalformedError
from rng_service.errors import PermissionDenied
from rng_service.ledger.engine import reading
from rng_service.ledger.models import CallerRow
from rng_service.names import check_name

GAME_SERVER = "game-server"
AUDITOR = "auditor"
OPERATOR = "operator"
ROLES = (GAME_SERVER, AUDITOR, OPERATOR)
CALLER_METADATA = "sealdraw-caller"
DEFAULT_CALLER = "local"


def certificate_digest(pem: bytes) -> bytes:
    """Return SHA-256 of a certificate's DER bytes, by which a caller is registered."""
    return sha256(x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)).digest()


class Callers:
    """Finds the caller of a request and checks its role; a certificate is looked up again every ``lifetime_s``."""

    def __init__(self, engine: Engine, *, insecure: bool, lifetime_s: float = 10.0) -> None:
        """``insecure`` is only given on loopback in a development environment; the server checks that."""
        self._lifetime_s = lifetime_s
        self._engine = engine
        self._insecure = insecure
        self._known: dict[bytes, tuple[float, str, str]] = {}
        self._lock = Lock()

    def identify(self, context: grpc.ServicerContext, roles: frozenset[str]) -> str:
        """Return the caller's name; raises PermissionDenied when it is unknown or has none of ``roles``."""
        if self._insecure:
            return self._named(context)
        certificates = context.auth_context().get("x509_pem_cert", ())
        if not certificates:
            raise PermissionDenied("a client certificate of a registered caller is required")
        name, role = self._registered(bytes(next(iter(certificates))))
        if role not in roles:
            raise PermissionDenied(f"caller {name} has the role {role}, which may not do this")
        return name

    def _named(self, context: grpc.ServicerContext) -> str:
        for key, value in context.invocation_metadata() or ():
            if key == CALLER_METADATA:
                try:
                    return check_name(value if isinstance(value, str) else value.decode("ascii", "replace"))
                except MalformedError as error:
                    raise PermissionDenied(f"metadata {CALLER_METADATA}: {error}") from None
        return DEFAULT_CALLER

    def _registered(self, pem: bytes) -> tuple[str, str]:
        try:
            digest = certificate_digest(pem)
        except ValueError:
            raise PermissionDenied("the client certificate cannot be read") from None
        with self._lock:
            found = self._known.get(digest)
        # A caller that is struck from the register must not live on in a front that remembers it.
        if found is None or found[0] <= time.monotonic():
            with reading(self._engine) as connection:
                row = connection.execute(
                    select(CallerRow.name, CallerRow.role).where(CallerRow.certificate_digest == digest),
                ).first()
            if row is None:
                raise PermissionDenied("the client certificate belongs to no registered caller")
            found = time.monotonic() + self._lifetime_s, row.name, row.role
            with self._lock:
                self._known[digest] = found
        return found[1], found[2]
