"""Where a log's public files are read from: a directory, or an HTTP server.

Nothing that a source returns is trusted; it only has to come within the limits that the reader names.
"""

import http.client
import urllib.error
import urllib.parse
import urllib.request
import zlib
from pathlib import Path
from typing import IO, Protocol

from anchor.errors import MalformedError, MissingError
from anchor.files import check_relative, open_beneath


class Source(Protocol):
    """The public files of one log, by their paths below the log's prefix."""

    def read(self, path: str, *, limit: int) -> bytes:
        """Return a file's bytes.

        Raises MissingError when it cannot be read and MalformedError when it has more than ``limit`` bytes.
        """
        ...


class DirectorySource:
    """The public directory on this machine, or a copy of it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self, path: str, *, limit: int) -> bytes:
        """Read one file; see `Source.read`. Links out of the directory count as missing."""
        with open_beneath(self._directory, path) as file:
            data = file.read(limit + 1)
        return _within(limit, path, data)


class HttpSource:
    """A log's prefix on an HTTP server; redirects are followed only on the same scheme, host and port."""

    def __init__(self, url: str, *, timeout_s: float = 10.0) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise MalformedError(f"log address {url!r}: expected http:// or https:// with a host and no query")
        if parts.username or parts.password:
            raise MalformedError("log address: credentials do not belong in an address")
        self._prefix = url.rstrip("/") + "/"
        self._timeout_s = timeout_s
        # Only these handlers: urllib's default opener would also follow redirects to ftp.
        self._opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(),
            urllib.request.HTTPErrorProcessor(),
            urllib.request.HTTPDefaultErrorHandler(),
            _SameHostRedirect(),
        ):
            self._opener.add_handler(handler)

    def read(self, path: str, *, limit: int) -> bytes:
        """Fetch one file; see `Source.read`. A gzip encoding, which the format allows, is undone."""
        url = self._prefix + urllib.parse.quote(str(check_relative(path)))
        request = urllib.request.Request(url, headers={"User-Agent": "sealdraw-reader"})  # noqa: S310 - scheme checked above
        try:
            with self._opener.open(request, timeout=self._timeout_s) as response:
                data: bytes = response.read(limit + 1)
                if len(data) <= limit and response.length:
                    raise http.client.IncompleteRead(data, response.length)
                encoding = response.headers.get("Content-Encoding", "identity")
        except urllib.error.HTTPError as error:
            error.close()
            raise MissingError(f"{url} cannot be read: {error}") from None
        except (OSError, http.client.HTTPException) as error:
            raise MissingError(f"{url} cannot be read: {error}") from None
        if encoding == "gzip":
            data = _gunzip(data, limit, url)
        elif encoding != "identity":
            raise MalformedError(f"{url}: content encoding {encoding!r} was not asked for")
        return _within(limit, url, data)


def open_source(text: str) -> Source:
    """Return the source that ``text`` names: an http(s) address or a directory."""
    if "://" in text:
        return HttpSource(text)
    directory = Path(text)
    if not directory.is_dir():
        raise MissingError(f"{text} is neither a directory nor an http(s) address")
    return DirectorySource(directory)


class _SameHostRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        old, new = urllib.parse.urlsplit(req.full_url), urllib.parse.urlsplit(newurl)
        if (old.scheme, old.netloc) != (new.scheme, new.netloc):
            raise MissingError(f"{req.full_url} redirects to another host ({new.scheme}://{new.netloc})")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _within(limit: int, path: str, data: bytes) -> bytes:
    if len(data) > limit:
        raise MalformedError(f"{path}: more than the {limit} bytes that are accepted")
    return data


def _gunzip(data: bytes, limit: int, url: str) -> bytes:
    inflater = zlib.decompressobj(wbits=31)
    try:
        # One byte beyond the limit is enough to refuse; a bomb is never inflated further.
        plain = inflater.decompress(data, limit + 1)
    except zlib.error:
        raise MalformedError(f"{url}: not valid gzip") from None
    if len(plain) <= limit and not inflater.eof:
        raise MalformedError(f"{url}: gzip that ends early")
    return plain
