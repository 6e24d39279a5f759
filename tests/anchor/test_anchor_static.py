"""The static server and the HTTP source, against each other and against hostile peers."""

import contextlib
import gzip
import http.client
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from log_fixture import VERIFIER, entries_of, write_log

from anchor.errors import MalformedError, MissingError
from anchor.reader import LogReader
from anchor.source import DirectorySource, HttpSource, open_source
from anchor.static import serve_directory


@contextlib.contextmanager
def serving(directory, **arguments):
    server = serve_directory(directory, **arguments)
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def public(tmp_path_factory):
    directory = tmp_path_factory.mktemp("served") / "public"
    write_log(directory, 300)
    (directory / "index.html").write_text("<!doctype html><title>log</title>")
    (directory / "games").mkdir()
    (directory / "games/one.json").write_text("{}")
    (directory / ".secret").write_text("secret")
    (directory.parent / "outside").write_text("secret")
    (directory / "link").symlink_to(directory.parent / "outside")
    with serving(directory) as server:
        yield server


def ask(server, method, path, headers=()):
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=10)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in dict(headers).items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def test_a_log_is_read_over_http_as_from_its_directory(public):
    reader = LogReader(open_source(public.url), VERIFIER)
    assert list(reader.entries()) == entries_of(300)
    assert reader.checkpoint_note() == (public.directory / "checkpoint").read_bytes()


@pytest.mark.parametrize(
    ("path", "kind", "cache"),
    [
        ("/checkpoint", "text/plain; charset=utf-8", "public, max-age=1"),
        ("/tile/0/000", "application/octet-stream", "public, max-age=31536000, immutable"),
        ("/tile/entries/001.p/44", "application/octet-stream", "public, max-age=31536000, immutable"),
        ("/games/one.json?x=1", "application/json", "public, max-age=60"),
        ("/", "text/html; charset=utf-8", "public, max-age=60"),
    ],
)
def test_files_are_served_with_their_type_and_cache_time(public, path, kind, cache):
    status, headers, body = ask(public, "GET", path)
    file = public.directory / (path.partition("?")[0].removeprefix("/") or "index.html")
    assert (status, body) == (200, file.read_bytes())
    assert (headers["Content-Type"], headers["Cache-Control"]) == (kind, cache)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Server"].strip() == "sealdraw"
    status, head, body = ask(public, "HEAD", path)
    assert (status, body, head["Content-Length"]) == (200, b"", headers["Content-Length"])


def test_an_unchanged_file_is_not_sent_again(public):
    _, headers, _ = ask(public, "GET", "/checkpoint")
    status, again, body = ask(public, "GET", "/checkpoint", {"If-None-Match": f'"other", {headers["ETag"]}'})
    assert (status, body, again["ETag"]) == (304, b"", headers["ETag"])
    assert ask(public, "GET", "/tile/0/000")[1]["ETag"] != headers["ETag"]


@pytest.mark.parametrize(
    "path",
    [
        "/missing",
        "/tile",
        "/tile/",
        "/.secret",
        "/.writer.lock",
        "/link",
        "/../outside",
        "/%2e%2e/outside",
        "/..%2foutside",
        "/tile/../checkpoint",
        "/%2fetc/passwd",
        "/checkpoint%00",
        "/%ff",
    ],
)
def test_what_is_not_a_public_file_is_not_found(public, path):
    status, _, body = ask(public, "GET", path)
    assert (status, body) == (404, b"404 Not Found\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(public, method):
    assert ask(public, method, "/checkpoint")[0] == 501


def test_a_body_is_not_taken_for_the_next_request(public):
    with socket.create_connection(public.server_address[:2], timeout=10) as connection:
        smuggled = b"GET /games/one.json HTTP/1.1\r\nHost: x\r\n\r\n"
        connection.sendall(
            b"GET /checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(smuggled), smuggled)
        )
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(4096):
                answer += chunk
    assert answer.count(b"HTTP/1.1 ") == 1


def test_connections_beyond_the_limit_are_dropped(tmp_path):
    (tmp_path / "file").write_bytes(b"data")
    with serving(tmp_path) as server:
        server._slots = threading.BoundedSemaphore(1)
        with socket.create_connection(server.server_address[:2], timeout=10) as first:
            first.sendall(b"GET /file HTTP/1.1\r\nHost: x\r\n\r\n")
            assert first.recv(16).startswith(b"HTTP/1.1 200")
            with pytest.raises((OSError, http.client.HTTPException)):
                ask(server, "GET", "/file")


def test_a_server_may_declare_further_files_immutable(tmp_path):
    (tmp_path / "leaves").mkdir()
    (tmp_path / "leaves/pool.bin").write_bytes(b"x")
    with serving(tmp_path, immutable=("leaves/",)) as server:
        assert "immutable" in ask(server, "GET", "/leaves/pool.bin")[1]["Cache-Control"]
        assert ask(server, "GET", "/")[0] == 404


class Hostile(BaseHTTPRequestHandler):
    """Answers each path with its own kind of trouble."""

    def do_GET(self):
        headers, body, status = {}, b"0123456789", 200
        if self.path == "/gzip":
            headers["Content-Encoding"], body = "gzip", gzip.compress(b"plain")
        elif self.path == "/bomb":
            headers["Content-Encoding"], body = "gzip", gzip.compress(bytes(10**6))
        elif self.path == "/cut":
            headers["Content-Encoding"], body = "gzip", gzip.compress(b"plain")[:-4]
        elif self.path == "/notgzip":
            headers["Content-Encoding"] = "gzip"
        elif self.path == "/brotli":
            headers["Content-Encoding"] = "br"
        elif self.path == "/same":
            status, headers["Location"] = 302, "/plain"
        elif self.path == "/other":
            status, headers["Location"] = 302, "http://127.0.0.2:1/plain"
        elif self.path == "/file":
            status, headers["Location"] = 302, "file:///etc/passwd"
        elif self.path == "/loop":
            status, headers["Location"] = 302, "/loop"
        elif self.path == "/error":
            status = 500
        elif self.path == "/short":
            headers["Content-Length"] = "20"
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def hostile():
    server = HTTPServer(("127.0.0.1", 0), Hostile)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield HttpSource(f"http://127.0.0.1:{server.server_port}/")
    server.shutdown()
    thread.join()
    server.server_close()


def test_plain_gzip_and_redirected_answers_are_read(hostile):
    assert hostile.read("plain", limit=10) == b"0123456789"
    assert hostile.read("gzip", limit=1000) == b"plain"
    assert hostile.read("same", limit=10) == b"0123456789"


@pytest.mark.parametrize("path", ["other", "file", "loop", "error", "short"])
def test_what_cannot_be_read_from_this_server_counts_as_missing(hostile, path):
    with pytest.raises(MissingError):
        hostile.read(path, limit=100)


@pytest.mark.parametrize(
    ("path", "limit"), [("plain", 9), ("bomb", 5000), ("cut", 100), ("notgzip", 100), ("brotli", 100)]
)
def test_answers_beyond_the_limit_or_in_a_wrong_encoding_are_refused(hostile, path, limit):
    with pytest.raises(MalformedError):
        hostile.read(path, limit=limit)


def test_a_server_that_is_not_there_counts_as_missing():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        source = HttpSource(f"http://127.0.0.1:{unused.getsockname()[1]}", timeout_s=5)
        with pytest.raises(MissingError):
            source.read("checkpoint", limit=10)


@pytest.mark.parametrize(
    "address",
    [
        "ftp://example.org/",
        "file:///etc",
        "http://",
        "http://user:word@example.org/",
        "https://example.org/?a=b",
        "http://example.org/#x",
    ],
)
def test_addresses_that_are_no_log_prefix_are_refused(address):
    with pytest.raises(MalformedError):
        open_source(address)


def test_a_directory_is_a_source_and_anything_else_is_missing(tmp_path):
    (tmp_path / "file").write_bytes(b"0123")
    source = open_source(str(tmp_path))
    assert isinstance(source, DirectorySource)
    assert source.read("file", limit=4) == b"0123"
    with pytest.raises(MalformedError, match="more than"):
        source.read("file", limit=3)
    with pytest.raises(MissingError):
        open_source(str(tmp_path / "nowhere"))
