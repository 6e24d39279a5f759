"""The public directory as a process: ``python -m rng_service.supervision.public_files --directory D --listen H:P``.

It serves static files and knows nothing else. Exit status: 0 after SIGTERM or SIGINT, 2 when it cannot start; the
reason is one line on standard error.
"""

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from anchor.static import serve_directory
from rng_service.supervision.plan import split_address

__all__ = ["main"]

# Files that never change once they are there; `anchor.static` lets clients keep them for ever.
_IMMUTABLE = ("tile/", "leaves/", "digests/", "voids/", "games/")


def main(arguments: Sequence[str]) -> int:
    """Serve until a signal asks to stop; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m rng_service.supervision.public_files", description="Serve a public directory over HTTP."
    )
    parser.add_argument("--directory", type=Path, required=True, help="the public directory")
    parser.add_argument("--listen", required=True, help="host:port")
    options = parser.parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    host, port = split_address(options.listen)
    try:
        server = serve_directory(options.directory, host, int(port), immutable=_IMMUTABLE)
    except (OSError, OverflowError, ValueError) as error:
        sys.stderr.write(f"public files: {options.listen}: {error}\n")
        return 2
    sys.stderr.write(f"public files ready on {server.url}\n")
    sys.stderr.flush()
    stop.wait()
    server.shutdown()
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
