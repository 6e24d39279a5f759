"""Run the fake: ``python -m rng_service.fake --game games/european-roulette.json``."""

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from rng_service.errors import ConfigError
from rng_service.fake.script import play_script
from rng_service.fake.server import ENVIRONMENTS, FakeServer
from rng_service.games import GameError, load_game


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT, then return 0; 2, with one line on standard error, if it cannot start.

    The first line on standard output is ``fake draw service HOST:PORT origin ORIGIN``, written once it listens.
    """
    parser = argparse.ArgumentParser(
        prog="python -m rng_service.fake",
        description="A draw service for games in development: outcomes on demand, and no protection whatever.",
        epilog="example: python -m rng_service.fake --listen 127.0.0.1:8443 --game games/european-roulette.json",
    )
    parser.add_argument("--listen", default="127.0.0.1:0", help="loopback address (default: %(default)s)")
    parser.add_argument("--env", default="dev", help=f"one of {', '.join(ENVIRONMENTS)} (default: %(default)s)")
    parser.add_argument("--game", type=Path, action="append", required=True, help="a game definition; may be repeated")
    parser.add_argument("--script", type=Path, help="JSON file of outcomes and failures")
    parser.add_argument("--seed", default="", help="text from which unforced outcomes follow (default: empty)")
    arguments = parser.parse_args(argv)
    try:
        games = [load_game(path) for path in arguments.game]
        server = FakeServer(games, listen=arguments.listen, env=arguments.env, seed=arguments.seed.encode())
    except (ConfigError, GameError, OSError) as error:
        sys.stderr.write(f"fake draw service: {error}\n")
        return 2
    with server:
        if arguments.script is not None:
            try:
                play_script(arguments.script, server)
            except ConfigError as error:
                sys.stderr.write(f"fake draw service: {error}\n")
                return 2
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        sys.stdout.write(f"fake draw service {server.target} origin {server.origin}\n")
        sys.stdout.flush()
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
