"""A small, hardened HTTP server for a log's public directory: GET and HEAD of plain files, nothing else."""

import hashlib
import logging
import shutil
import socket
import threading
import urllib.parse
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedReader
from pathlib import Path
from typing import Any

from anchor.errors import AnchorError
from anchor.files import open_beneath

_LOG = logging.getLogger(__name__)
_MAX_CONNECTIONS = 128
_TYPES = {
    "bin": "application/octet-stream",
    "css": "text/css; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "mjs": "text/javascript; charset=utf-8",
    "png": "image/png",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
    "vkey": "text/plain; charset=utf-8",
}


class StaticServer(ThreadingHTTPServer):
    """Serves one directory; `serve_forever` runs it, `shutdown` and `server_close` end it.

    Paths below one of ``immutable`` may be cached for ever, ``checkpoint`` files for one second, all others
    for a minute.
    """

    daemon_threads = True
    # A client that never finishes must not hold up the end of the server.
    block_on_close = False

    def __init__(self, directory: Path, host: str, port: int, *, immutable: Sequence[str] = ("tile/",)) -> None:
        self.directory = directory
        self.immutable = tuple(immutable)
        self._slots = threading.BoundedSemaphore(_MAX_CONNECTIONS)
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        """Return the address of the log's prefix."""
        host, port = self.server_address[:2]
        name = host.decode() if isinstance(host, bytes) else str(host)
        return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Handle a connection in its own thread, or drop it when there are too many."""
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Handle a connection and give its place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class's signature
        """Note a broken connection; clients that go away are no event of ours."""
        _LOG.debug("connection from %s broke", client_address, exc_info=True)


def serve_directory(
    path: Path, host: str = "127.0.0.1", port: int = 0, *, immutable: Sequence[str] = ("tile/",)
) -> StaticServer:
    """Return a running server for ``path``, bound to ``host`` and ``port`` (0 picks a free one).

    It answers from threads of its own until ``shutdown()`` and ``server_close()``. Raises OSError when the
    address cannot be bound.
    """
    server = StaticServer(path, host, port, immutable=immutable)
    threading.Thread(target=server.serve_forever, name="static-files", daemon=True).start()
    return server


class _Handler(BaseHTTPRequestHandler):
    server: StaticServer
    protocol_version = "HTTP/1.1"
    server_version = "sealdraw"
    sys_version = ""
    # Seconds without a byte from the client, also between requests on one connection.
    timeout = 20

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        _LOG.debug(format, *args)

    def end_headers(self) -> None:
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        # Everything here is public and read without credentials; verifiers run in other sites' pages too.
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'")
        super().end_headers()

    def _answer(self, *, body: bool) -> None:
        if self.headers.get("Content-Length") or self.headers.get("Transfer-Encoding"):
            # An unread body would be taken for the next request on this connection.
            self.close_connection = True
        path = urllib.parse.unquote(self.path.partition("?")[0].partition("#")[0]).removeprefix("/")
        path = path or "index.html"
        try:
            file = open_beneath(self.server.directory, path)
        except AnchorError:
            self._send_status(HTTPStatus.NOT_FOUND, body=body)
            return
        with file:
            self._send_file(path, file, body=body)

    def _send_file(self, path: str, file: BufferedReader, *, body: bool) -> None:
        # Files are replaced, never written in place, so the open file is one version throughout; and its hash
        # names its bytes, where times could repeat.
        tag = f'"{hashlib.file_digest(file, "sha256").hexdigest()[:32]}"'
        size = file.tell()
        unchanged = tag in [item.strip() for item in self.headers.get("If-None-Match", "").split(",")]
        self.send_response(HTTPStatus.NOT_MODIFIED if unchanged else HTTPStatus.OK)
        self.send_header("ETag", tag)
        self.send_header("Cache-Control", self._cache_control(path))
        if not unchanged:
            self.send_header("Content-Type", _content_type(path))
            self.send_header("Content-Length", str(size))
        self.end_headers()
        if body and not unchanged:
            file.seek(0)
            shutil.copyfileobj(file, self.wfile)

    def _send_status(self, status: HTTPStatus, *, body: bool) -> None:
        text = f"{status.value} {status.phrase}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        # A file that is not there yet may be there a moment later.
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if body:
            self.wfile.write(text)

    def _cache_control(self, path: str) -> str:
        if path.startswith(self.server.immutable):
            return "public, max-age=31536000, immutable"
        return f"public, max-age={1 if path.startswith('checkpoint') else 60}"


def _content_type(path: str) -> str:
    name = path.rpartition("/")[2]
    if not path.startswith("tile/") and name.startswith("checkpoint"):
        return "text/plain; charset=utf-8"
    return _TYPES.get(name.rpartition(".")[2], "application/octet-stream")
