"""The connection to the service: mutual TLS, or plain text to this very machine in development."""

import ipaddress
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc

CALLER_KEY: Final = "sealdraw-caller"
# A thousand outcomes of many integers each, with their paths, fit.
_MAX_MESSAGE_BYTES: Final = 32 * 2**20
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    # The client retries itself: it alone knows which ids are in doubt.
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # Half-open connections are noticed while a call waits, not only at its deadline.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
)


@dataclass(frozen=True, slots=True)
class Tls:
    """Paths of PEM files: the authorities that the service's certificate is checked with, and our own pair."""

    ca: Path
    certificate: Path
    key: Path


def open_channel(target: str, tls: Tls | None, *, development: bool) -> grpc.Channel:
    """Return a channel to ``host:port``.

    Without ``tls`` only for ``development`` and a loopback address; ValueError otherwise. OSError for files that
    cannot be read.
    """
    if tls is not None:
        credentials = grpc.ssl_channel_credentials(
            tls.ca.read_bytes(), tls.key.read_bytes(), tls.certificate.read_bytes()
        )
        return grpc.secure_channel(target, credentials, options=_OPTIONS)
    if not development:
        raise ValueError("a connection without TLS needs development=True; give tls=Tls(ca, certificate, key)")
    if not is_loopback(target):
        raise ValueError(f"{target}: a connection without TLS goes to a loopback address only, such as 127.0.0.1:8443")
    return grpc.insecure_channel(target, options=(*_OPTIONS, ("grpc.enable_http_proxy", 0)))


def is_loopback(target: str) -> bool:
    """Return whether ``host:port`` names this machine: 127.0.0.0/8, [::1] or localhost."""
    try:
        parts = urllib.parse.urlsplit(f"//{target}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    if host is None or port is None or parts.netloc != target or parts.username is not None:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
