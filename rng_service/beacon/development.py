"""A beacon for development: drand's HTTP JSON over a chain that this very machine signs, a round each second.

It lets the whole protocol run without a network, with real signatures and real waiting. It protects nobody,
since the operator holds its key: its beacon id is ``sealdraw-development``, so its chain hash is that of no
other beacon, and receipts carry the mark.

    python -m rng_service.beacon.development --directory DIR [--host HOST] [--port PORT]

Source: docs.drand.love/developer/http-api, version 1.
"""

import argparse
import contextlib
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from anchor import canonical
from anchor.errors import AnchorError
from rng_service.beacon.chain import ChainInfo, beacon_value
from rng_service.beacon.development_key import DevelopmentKey, chain_info_for, load_or_create
from rng_service.beacon.information import chain_information

__all__ = ["Clock", "DevelopmentBeacon", "answer", "chain_info_for", "main", "serve_beacon", "system_clock"]

# Gives microseconds UTC.
Clock = Callable[[], int]
# How often the serving thread looks whether it should end.
_STOP_WITHIN_S = 0.1
_ROUND_PATH = re.compile(r"/([0-9a-f]{64})/public/([1-9][0-9]{0,15}|latest)\Z")


def system_clock() -> int:
    """Return the system's time in microseconds UTC."""
    return time.time_ns() // 1_000


class DevelopmentBeacon:
    """A running beacon, listening since it was made; `close`, or leaving its ``with``, ends it."""

    def __init__(self, key: DevelopmentKey, host: str, port: int, clock: Clock) -> None:
        self.chain: ChainInfo = key.chain
        self._server = _Server((host, port), key, clock)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_STOP_WITHIN_S,), name="development-beacon", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """The base URL, as relays are named."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def close(self) -> None:
        """Stop serving and release the port. May be called again."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()


def serve_beacon(
    directory: Path, host: str = "127.0.0.1", port: int = 0, clock: Clock = system_clock
) -> DevelopmentBeacon:
    """Serve the beacon whose key is in ``directory`` (made when absent) from a thread of its own.

    Port 0 takes a free one. Raises what `load_or_create` raises, BeaconLibraryMissing, and OSError when the
    address cannot be had.
    """
    return DevelopmentBeacon(load_or_create(directory), host, port, clock)


def answer(path: str, key: DevelopmentKey, clock: Clock) -> tuple[HTTPStatus, Any]:
    """Return status and JSON value for a GET of ``path``: the whole interface, without sockets.

    A round is answered from its time on and never before; anything unknown is 404, as drand has it.
    """
    chain = key.chain
    name = chain.chain_hash.hex()
    current = chain.round_at(clock())
    if path == "/chains":
        return HTTPStatus.OK, [name]
    if path in {"/info", f"/{name}/info"}:
        return HTTPStatus.OK, chain_information(chain)
    if path in {"/health", f"/{name}/health"}:
        return HTTPStatus.OK, {"current": current, "expected": current}
    matched = _ROUND_PATH.match(path)
    if matched is None or matched[1] != name:
        return HTTPStatus.NOT_FOUND, {"error": "not found"}
    round_number = current if matched[2] == "latest" else int(matched[2])
    if not 1 <= round_number <= current:
        return HTTPStatus.NOT_FOUND, {"error": "round not published yet"}
    signature = key.sign(round_number)
    return HTTPStatus.OK, {
        "round": round_number,
        "randomness": beacon_value(signature).hex(),
        "signature": signature.hex(),
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], key: DevelopmentKey, clock: Clock) -> None:
        self.key = key
        self.clock = clock
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    # A client that connects and says nothing gives its thread back.
    timeout = 10

    def do_GET(self) -> None:
        status, value = answer(self.path, self.server.key, self.server.clock)
        body = canonical.encode(value)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        # A client that went away in between needs no answer and no traceback.
        with contextlib.suppress(ConnectionError):
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Keep quiet: a supervisor's log is no place for each poll of each second."""


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT, then return 0; 2, with one line on standard error, if it cannot start.

    The first line on standard output is ``development beacon URL chain HASH``, written once it listens.
    """
    parser = argparse.ArgumentParser(
        prog="python -m rng_service.beacon.development",
        description="A randomness beacon for development only: it protects nobody.",
        epilog="example: python -m rng_service.beacon.development --directory ./beacon --port 8480",
    )
    parser.add_argument("--directory", type=Path, required=True, help="holds the key; made when absent")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: any free one)")
    arguments = parser.parse_args(argv)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        beacon = serve_beacon(arguments.directory, arguments.host, arguments.port)
    except (AnchorError, OSError, OverflowError) as error:
        sys.stderr.write(f"development beacon: {error}\n")
        return 2
    with beacon:
        sys.stdout.write(f"development beacon {beacon.url} chain {beacon.chain.chain_hash.hex()}\n")
        sys.stdout.flush()
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
