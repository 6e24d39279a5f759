"""Run the fake: ``python -m rng_service.fake --game games/european-roulette.json``."""

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from anchor.errors import AnchorError
from rng_service.errors import ConfigError
from rng_service.fake.script import play_script
from rng_service.fake.server import ENVIRONMENTS, FakeServer
from rng_service.game_file_store import GameFileStore
from rng_service.games import GameDefinition, load_game
from rng_service.games.files import find_beside
from rng_service.games.models.lookup import LookupModel
from rng_service.stake_engine.packing import pack_books


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
    with TemporaryDirectory(prefix="sealdraw-fake-") as directory:
        # Books are packed for this run alone, and gone with it.
        files = GameFileStore(Path(directory), pack_books=pack_books)
        try:
            games = [_load(path, files) for path in arguments.game]
            seed = arguments.seed.encode()
            server = FakeServer(games, listen=arguments.listen, env=arguments.env, seed=seed, files=files)
        except (ConfigError, AnchorError, OSError) as error:
            sys.stderr.write(f"fake draw service: {error}\n")
            return 2
        return _serve(server, arguments.script)


def _load(path: Path, files: GameFileStore) -> GameDefinition:
    """Return a game; its books, which lie beside the definition, are put where the fake looks for them."""
    game = load_game(path)
    for program in game.programs.values():
        model = program.model
        if isinstance(model, LookupModel) and model.books is not None:
            weights = model.table.digest
            files.take_weights(weights, [find_beside(path.parent, weights, (".csv",)).read_bytes()])
            books = find_beside(path.parent, model.books.file, (".jsonl.zst", ".jsonl.zstd"))
            files.take_books(model.books.file, weights, [books.read_bytes()])
    return game


def _serve(server: FakeServer, script: Path | None) -> int:
    with server:
        if script is not None:
            try:
                play_script(script, server)
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
